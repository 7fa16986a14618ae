"""`turnstile check`: what it says of a site file."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.builders import a_jpeg, write_site
from turnstile.commands.cli import main
from turnstile.commands.demo import samples
from turnstile.commands.site.check import source_in_words
from turnstile.site.settings import CameraSettings


def check(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return the command's exit code, what it printed, and what it said on standard error."""
    code = main(["check", str(config)])
    printed, said = capsys.readouterr()
    return code, printed, said


def test_a_valid_site_is_summed_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes, addresses, and who is enrolled."""
    faces = folder / "faces"
    (faces / "ann_lee").mkdir(parents=True)
    for file, face in (("bob_hope.jpg", "obama"), ("bob_hope_2.jpg", "obama2"), ("ann_lee/one.jpg", "biden")):
        shutil.copy(samples.folder() / f"{face}.jpg", faces / file)
    (faces / "README.md").write_text("who is here")
    config = write_site(
        folder,
        "recognizers: {recognizer-1: {host: far}}",
        "loggers: {log: {file: log.txt}}",
        "displays: {screen: {cameras: [front_door]}}",
    )
    code, printed, said = check(config, capsys)
    assert (code, said) == (0, "")
    *lines, limits_said, closest, few = printed.splitlines()
    assert "2 people have fewer than 3 good pictures (Ann Lee and Bob Hope): `turnstile people`" in few
    assert limits_said.startswith("limits      people are recognised up to a distance of 0.313 to 0.320: ")
    assert closest.startswith("limits      the two closest people, Ann Lee and Bob Hope, are 0.")
    assert lines == [
        f"{config}: valid",
        "site        test",
        f"broker      nodes send to ipc://{folder}/in and hear ipc://{folder}/out",
        "camera      front_door: webcam 0",
        "recognizer  recognizer-1 (on far)",
        f"logger      log: {folder.resolve()}/log.txt, from the store {folder.resolve()}/log.db",
        "display     screen: front_door",
        f"rules       {folder.resolve()}/rules.yaml is not there, so everybody enrolled may use every door",
        f"faces       {faces.resolve()}: 2 people, 3 pictures",
    ]


def test_what_runs_where_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each host with its nodes, and how many there are of a recognizer."""
    config = folder / "site.yaml"
    config.write_text(
        "site: test\n"
        "hosts: {gate: {address: 192.0.2.1}, cellar: {address: 192.0.2.2}, attic: {address: 192.0.2.3}}\n"
        "broker: {host: gate}\n"
        "cameras: {door: {source: 0, host: gate}}\n"
        "recognizers: {pool: {host: cellar, count: auto}, spare: {host: cellar, count: 2}}\n"
    )
    code, printed, _ = check(config, capsys)
    assert code == 0
    assert printed.splitlines()[2:9] == [
        "host        gate (192.0.2.1): broker, door",
        "host        cellar (192.0.2.2): pool (one a core), spare (2)",
        "host        attic (192.0.2.3): nothing",
        "broker      nodes send to tcp://192.0.2.1:5755 and hear tcp://192.0.2.1:5756",
        "camera      door: webcam 0 (on gate)",
        "recognizer  pool: one a core (on cellar)",
        "recognizer  spare: 2 processes (on cellar)",
    ]


def test_pictures_that_cannot_be_used_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason; the site file is valid all the same."""
    faces = folder / "faces"
    faces.mkdir()
    shutil.copy(samples.folder() / "biden.jpg", faces / "ann_lee.jpg")
    (faces / "bob_hope.jpg").write_bytes(a_jpeg()[:300])
    (faces / "dan_wall.jpg").write_bytes(a_jpeg())
    (faces / "eve_bmp.bmp").write_bytes(a_jpeg())
    for number, face in enumerate(("obama", "biden"), 1):
        shutil.copy(samples.folder() / f"{face}.jpg", faces / f"employee_{number}.jpg")
    (faces / "cy_young.jpg").write_text("not a picture")
    code, printed, _ = check(write_site(folder), capsys)
    named = [line.split() for line in printed.splitlines() if "cannot be used" in line]
    assert code == 0
    assert [words[0] for words in named] == [
        "bob_hope.jpg",
        "cy_young.jpg",
        "dan_wall.jpg",
        "eve_bmp.bmp",
        "employee_1.jpg",
    ]
    assert "employee_1.jpg and employee_2.jpg cannot be used: Employee's by name, and none of" in printed
    assert "1 person, 1 picture\n" in printed
    assert "dan_wall.jpg cannot be used: no face found" in printed


def test_a_site_without_a_faces_folder_is_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the broker's machine has one."""
    code, printed, _ = check(write_site(folder), capsys)
    assert code == 0
    assert "does not exist here" in printed


def test_a_site_file_with_a_mistake_gives_78_and_its_path(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is printed."""
    code, printed, said = check(write_site(folder, "decision: {votes: 3}"), capsys)
    assert (code, printed) == (78, "")
    assert "decision" in said


def test_the_password_of_a_camera_is_not_shown() -> None:
    """An address may hold one; the rest of the address is useful."""
    camera = CameraSettings(source="rtsp://guard:secret@10.0.0.5:554/stream1")
    assert source_in_words(camera) == "rtsp://10.0.0.5:554/…"
    broken = CameraSettings(source="rtsp://guard:sec/ret@10.0.0.5:554/stream1")
    advice = "in a password write # as %23, / as %2F, ? as %3F and @ as %40"
    assert source_in_words(broken) == f"rtsp://… ({advice})"


@pytest.mark.parametrize(
    ("source", "words"),
    [(2, "webcam 2"), ("/dev/video0", "/dev/video0"), (("a.jpg", "b.jpg"), "2 pictures")],
)
def test_sources_are_put_in_words(source: int | str | tuple[str, ...], words: str) -> None:
    """As a person would call them."""
    assert source_in_words(CameraSettings(source=source)) == words


def test_the_rules_file_is_checked_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the broker refuses to start with it."""
    config = write_site(folder, "decision: {rules: rules.yaml}")
    rules = folder / "rules.yaml"
    rules.write_text("groups: {staff: [Ann]}\nblocked: [Eve, Bob]\n")
    code, printed, _ = check(config, capsys)
    assert (code, f"rules       {rules}: 1 group, 0 doors, 2 blocked" in printed.splitlines()) == (0, True)
    rules.write_text("blocked: []\ndoors: {cellar: {}}\n")
    code, printed, said = check(config, capsys)
    assert (code, printed) == (78, "")
    assert f"{rules}:2: doors.cellar: no camera is named 'cellar'" in said
    rules.write_text("blocked: !!timestamp soon\n")
    code, printed, said = check(config, capsys)
    assert (code, printed, said) == (78, "", f"error: {rules}:1: not plain YAML: no timestamp: 'soon'\n")
    rules.unlink()
    rules.symlink_to("nowhere")
    code, printed, said = check(config, capsys)
    assert (code, printed) == (78, "")
    assert f"nobody may enter: {rules}: cannot be read: No such file" in said


def test_an_entry_that_cannot_be_looked_at_is_named_and_waited_for_by_nobody(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that nobody writes into, a loop of links; and a folder that is a link that leads nowhere."""
    faces = folder / "faces"
    faces.mkdir()
    (faces / "ann_lee.jpg").write_bytes(a_jpeg())
    os.mkfifo(faces / "bob.jpg")
    (faces / "loop").symlink_to("loop")
    code, printed, _ = check(write_site(folder), capsys)
    assert code == 0
    assert "loop cannot be used: cannot be read: Too many levels of symbolic links" in printed
    assert "bob.jpg cannot be used: it cannot be read: it is a pipe, not a file" in printed
    shutil.rmtree(faces)
    faces.symlink_to("nowhere")
    code, printed, _ = check(write_site(folder), capsys)
    assert "faces cannot be read, so nobody is enrolled: No such file or directory" in printed


def test_of_a_bundle_nothing_is_said_that_is_on_another_machine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No path of the broker's machine, nor of a camera that is read elsewhere."""
    config = folder / "site.yaml"
    config.write_text(
        "site: test\n"
        "hosts: {gate: {address: 192.0.2.1}, front: {address: 192.0.2.2}}\n"
        "broker: {host: gate}\nkeys: {folder: keys}\n"
        "cameras: {door: {source: 0, host: front}, yard: {source: clip.mp4, host: gate}}\n"
    )
    there = folder / "there"
    there.mkdir()
    assert main(["keys", "init", "--config", str(config)]) == 0
    bundle = str(there / "front.bundle")
    assert main(["keys", "bundle", "--host", "front", "--to", bundle, "--config", str(config)]) == 0
    assert main(["keys", "unpack", bundle, "--into", str(there / "site")]) == 0
    capsys.readouterr()
    code, printed, _ = check(there / "site" / "site.yaml", capsys)
    assert code == 0
    assert printed.splitlines() == [
        f"{there}/site/site.yaml: valid, the part of a bundle",
        "site        test",
        "host        gate (192.0.2.1): broker, yard",
        "host        front (192.0.2.2): door",
        "broker      nodes send to tcp://192.0.2.1:5755 and hear tcp://192.0.2.1:5756",
        "camera      door: webcam 0 (on front)",
        "camera      yard: on another machine (on gate)",
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("rtps://camera.example/main", "an address starting with rtps://"),
        ("missing.mp4", "missing.mp4 does not exist"),
    ],
)
def test_a_camera_that_cannot_work_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], source: str, words: str
) -> None:
    """It is named with its setting, and the file is not called valid."""
    config = folder / "site.yaml"
    config.write_text(f"site: test\ncameras: {{door: {{source: '{source}'}}}}\n")
    code, printed, said = check(config, capsys)
    assert code == 78
    assert printed.startswith(f"{config}: not valid\n")
    assert said.startswith("error: cameras.door.source: ")
    assert words in said


def test_a_webhook_that_cannot_start_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told before the site is started, without the address's path, which may be a secret."""
    hook = "webhooks: {hook: {url: 'https://hooks.example/T0/s3cret', secret_file: key, state_file: state}}"
    config, secret = write_site(folder, hook), folder / "key"
    code, printed, said = check(config, capsys)
    assert code == 78
    assert "webhook     hook: https://hooks.example/…\n" in printed
    assert said.startswith("error: webhooks.hook: secret_file ")
    secret.write_text("x" * 32)
    secret.chmod(0o600)
    assert check(config, capsys)[0] == 0


def test_pages_that_cannot_start_are_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their address is told, and a certificate is looked at."""
    code, printed, _ = check(write_site(folder, "web: {}"), capsys)
    assert code == 0
    assert "pages at http://127.0.0.1:8470" in printed
    code, _, said = check(write_site(folder, "web: {tls: {certificate: none.pem, key: none.key}}"), capsys)
    assert code == 78
    assert "none.pem cannot be used" in said


def test_a_file_of_something_else_where_a_node_writes_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the site starts, and without a change to the file; what is not there yet is no error."""
    loggers = "loggers: {log: {file: log.txt, store: store.db, witness: heads}}"
    config = write_site(folder, loggers, "decision: {record: results}")
    assert check(config, capsys)[0] == 0
    for name in ("log.txt", "store.db", "heads", "results"):
        (folder / name).write_text("a letter to somebody\n")
    code, _, said = check(config, capsys)
    assert code == 78
    found = [line.split(":")[1].strip() for line in said.splitlines()]
    assert found == ["decision.record", "loggers.log.file", "loggers.log.store", "loggers.log.witness"]
    assert "log.txt holds something that is not an access log; name another file" in said
    assert "store.db holds something that is no database; name another file" in said
    assert (folder / "log.txt").read_text() == "a letter to somebody\n"
    with closing(sqlite3.connect(folder / "other.db")) as other:
        other.execute("CREATE TABLE songs (title)")
    code, _, said = check(write_site(folder, "loggers: {log: {file: new.txt, store: other.db}}"), capsys)
    assert (code, "other.db is a database of something else" in said) == (78, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_file_that_this_user_cannot_write_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nodes may run as another user, so the site is valid."""
    folder.parent.chmod(0o755)
    (folder / "var").mkdir(mode=0o755)
    (folder / "log.txt").touch(mode=0o444)
    folder.chmod(0o755)
    config = write_site(folder, "loggers: {log: {file: log.txt, store: var/log.db, witness: log.txt/heads}}")
    os.seteuid(65_534)
    try:
        code, printed, said = check(config, capsys)
    finally:
        os.seteuid(0)
    assert code == 1, said
    assert printed.startswith(f"{config}: valid\n")
    assert f"loggers.log.file: {folder}/log.txt cannot be written by this user: the file is read-only" in said
    assert (
        f"loggers.log.store: {folder}/var/log.db cannot be written by this user: it may make no file in"
        in said
    )
    assert (
        f"witness: {folder}/log.txt/heads cannot be written by this user: {folder}/log.txt is a file" in said
    )


def test_two_cameras_on_one_device_are_an_error_and_on_one_address_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And so is a port that is wanted twice."""
    config = folder / "site.yaml"
    config.write_text("site: test\ncameras: {a: {source: 'rtsp://cam/1'}, b: {source: 'rtsp://cam/1'}}\n")
    code, _, said = check(config, capsys)
    assert (code, said.startswith("warning: cameras.b.source: rtsp://cam/…")) == (1, True)
    config.write_text("site: test\ncameras: {a: {source: 0}, b: {source: /dev/video0}}\n")
    code, _, said = check(config, capsys)
    assert (code, said.startswith("error: cameras.b.source: /dev/video0 is the device")) == (78, True)
    config.write_text("site: test\ncameras: {a: {source: 0}}\nmetrics: {listen: '127.0.0.1:5756'}\n")
    code, _, said = check(config, capsys)
    assert code == 78
    assert "error: metrics.listen: 127.0.0.1:5756 is the port of broker.egress" in said


@pytest.mark.parametrize(("name", "read"), [("on", "true"), ("no", "false")])
def test_a_camera_whose_name_yaml_reads_as_a_truth_value_is_refused_with_what_to_write(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, read: str
) -> None:
    """Quotes make it a name."""
    config = folder / "site.yaml"
    config.write_text(f"site: test\ncameras: {{{name}: {{source: 0}}}}\n")
    code, _, said = check(config, capsys)
    assert code == 78
    assert f"not {read}, as a bare " in said
    assert said.endswith("is read; write it in quotes\n")
    config.write_text(f"site: test\ncameras: {{'{name}': {{source: 0}}}}\n")
    assert check(config, capsys)[0] == 0


def test_a_clip_on_another_host_is_not_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address of an unknown kind is wrong wherever it is."""
    config = folder / "site.yaml"
    hosts = (
        "hosts: {gate: {address: gate.invalid}, cellar: {address: cellar.invalid}}\nbroker: {host: gate}\n"
    )
    config.write_text(f"site: test\n{hosts}cameras: {{door: {{source: far.mp4, host: cellar}}}}\n")
    assert check(config, capsys)[0] == 0
    config.write_text(f"site: test\n{hosts}cameras: {{door: {{source: 'rtps://a', host: cellar}}}}\n")
    assert check(config, capsys)[0] == 78


def test_people_in_rules_who_are_not_enrolled_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the name that was meant; the exit code is 1."""
    (folder / "faces").mkdir()
    (folder / "faces" / "ann_lee.jpg").write_bytes(a_jpeg())
    (folder / "rules.yaml").write_text("blocked: [Anne Lee, ann lee]\n")
    code, _, said = check(write_site(folder), capsys)
    assert code == 1
    assert said == (
        "warning: the rules name 'Anne Lee', and nobody enrolled is called so; is it 'Ann Lee'?\n"
    )
