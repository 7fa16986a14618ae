"""Reading the site file: plain YAML of bounded size, its paths made absolute."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from turnstile.errors import ConfigError
from turnstile.io.site.file import load
from turnstile.io.site.yaml_file import MAX_BYTES
from turnstile.site.settings import Site

ROOT = Path(__file__).parents[3]
PLAIN = "site: office\ncameras: {front_door: {source: 0}}\n"


def a_file(folder: Path, text: str | bytes) -> Path:
    """Write a site file."""
    file = folder / "site.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def refusal(file: Path) -> str:
    """Return why a file is refused; it is named first."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    text = str(caught.value)
    assert text.startswith(f"{file}:")
    assert "\n" not in text
    return text.removeprefix(f"{file}:").lstrip()


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda file: file.name)
def test_the_files_that_come_with_turnstile_are_valid(file: Path) -> None:
    """Every one of them."""
    assert load(file).cameras


@pytest.mark.parametrize("name", ["local.yaml", "demo.yaml", "two_doors.yaml", "two_machines.yaml"])
def test_the_site_files_are_there(name: str) -> None:
    """The README names them."""
    assert (ROOT / "configs" / name).is_file()


def test_paths_count_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the node was started; addresses and webcam numbers stay as they are."""
    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path / "configs")
    a_file(
        tmp_path / "configs",
        """
site: office
broker: {ingress: ipc://run/in, egress: "ipc://@out"}
gallery: {faces: ../faces, cache: /var/cache/encodings}
cameras:
  webcam: {source: 0}
  stream: {source: "rtsp://10.0.0.1/1"}
  clip: {source: clips/visit.mp4}
  pictures: {source: [a.jpg, /b.jpg]}
loggers:
  log: {file: ~/access_log.txt}
  other: {file: other.txt, store: ../log.db, witness: /mnt/heads.txt}
  third: {file: third.txt, store: "postgresql://turnstile@db/log"}
""",
    )
    site = load(Path("site.yaml"))
    assert site.broker.ingress == f"ipc://{tmp_path}/configs/run/in"
    assert site.broker.egress == "ipc://@out"
    assert (site.gallery.faces, site.gallery.cache) == (f"{tmp_path}/faces", "/var/cache/encodings")
    assert [camera.source for camera in site.cameras.values()] == [
        0,
        "rtsp://10.0.0.1/1",
        f"{tmp_path}/configs/clips/visit.mp4",
        (f"{tmp_path}/configs/a.jpg", "/b.jpg"),
    ]
    log, other, third = site.loggers.values()
    assert (log.file, log.witness) == (str(Path.home() / "access_log.txt"), "")
    assert log.store_address == str(Path.home() / "access_log.db")
    assert (other.store_address, other.witness) == (f"{tmp_path}/log.db", "/mnt/heads.txt")
    assert third.store_address == "postgresql://turnstile@db/log"


def test_links_are_kept(tmp_path: Path) -> None:
    """A camera's link in /dev/v4l/by-id leads elsewhere when it is plugged in again."""
    (tmp_path / "by-id").symlink_to(tmp_path / "video0")
    site = load(a_file(tmp_path, "site: office\ncameras: {front_door: {source: by-id}}\n"))
    assert site.cameras["front_door"].source == str(tmp_path / "by-id")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file must be keys with values"),
        ("site: a\nsite: b\n", "the key 'site' stands twice"),
        (PLAIN + "gallery: {faces: a, faces: b}\n", "the key 'faces' stands twice"),
        ("a: &x 1\nb: *x\n", "aliases (*name) are not allowed"),
        ("site: !!python/object/apply:os.system [id]\n", "not plain YAML"),
        ("site: a\n---\nsite: b\n", "not plain YAML"),
        ("site:\t- a\n\t c", "not plain YAML"),
        (b"site: \xff\n", "not plain YAML"),
        (b"\x00", "not plain YAML"),
        ("[" * 1000, "not plain YAML"),
        ("site: a\ncameras: {a: {source: " + "9" * 5000 + "}}\n", "not plain YAML"),
        (PLAIN + "#" * MAX_BYTES, "larger than 256 kB"),
        (PLAIN + "gallery: {faces: ~nobody_of_that_name/faces}\n", "leads nowhere"),
        (PLAIN + "decision: {max_distance: 0.6, tolerance: 1}\n", "decision.tolerance: there is no such key"),
    ],
)
def test_a_file_that_describes_no_site_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    """In one line that begins with the file's name."""
    assert words in refusal(a_file(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (PLAIN + "broker:\n  lease_s: 3\n  journal: a\n  port: 1\n", 6, "broker.port: there is no such key"),
        (
            "site: office\n\ncameras:\n  front:\n    max_fps: 3\n",
            4,
            "cameras.front: the key source",
        ),
        ("cameras: {}\nsite: office\n", 1, "cameras: must be"),
        (
            PLAIN + "# people\ndisplays:\n  porter:\n    cameras: [back]\n",
            6,
            "displays.porter.cameras: no ",
        ),
        (PLAIN + "loggers:\n  log:\n    store: mysql://a\n", 5, "loggers.log.store: an address looks like"),
        (PLAIN + "decision:\n  votes_of: 1\n  votes_needed: 2\n", 5, "decision.votes_needed: must not"),
        (PLAIN + "metrics:\n  listen: 0.0.0.0:1\n", 4, "metrics.listen: others can reach 0.0.0.0:1"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Of the key, or of what lacks one."""
    assert refusal(a_file(tmp_path, text)).startswith(f"{line}: {words}")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("loggers: {a: {file: l}, b: {file: l}}\n", "loggers.b.file: "),
        ("loggers: {a: {file: l.txt}, b: {file: l.log}}\n", "loggers.b.store: "),
        ("loggers: {a: {file: l.db}}\n", "loggers.a.store: "),
        ("loggers: {a: {file: l, witness: ./l}}\n", "loggers.a.witness: "),
        ("loggers: {a: {file: ../var/journal.db}}\n", "loggers.a.file: "),
        ("loggers: {a: {file: site.yaml}}\n", "loggers.a.file: "),
        ("loggers: {a: {file: /}}\n", "loggers.a.file: must be a file, not /"),
        ("decision: {record: ../var/journal.db}\n", "decision.record: "),
        ("decision: {record: a, rules: a}\n", "decision.record: "),
        (
            "webhooks: {a: {url: 'http://h', secret_file: k, state_file: ../rules.yaml}}\n",
            "webhooks.a.state_f",
        ),
    ],
)
def test_a_file_that_two_settings_name_is_refused(tmp_path: Path, sections: str, words: str) -> None:
    """One would write over the other's."""
    assert words in refusal(a_file(tmp_path, PLAIN + sections))


def test_loggers_on_two_machines_may_have_files_of_one_name(tmp_path: Path) -> None:
    """Each has its own."""
    hosts = "hosts: {a: {address: a}, b: {address: b}}\nbroker: {host: a}\n"
    loggers = "loggers: {one: {file: l.txt, host: a}, two: {file: l.txt, host: b}}\n"
    cameras = "site: office\ncameras: {front_door: {source: 0, host: a}}\n"
    assert len(load(a_file(tmp_path, cameras + hosts + loggers)).loggers) == 2


def test_the_former_name_of_the_lockout_is_still_read(tmp_path: Path) -> None:
    """Site files of before stay valid; both names at once are refused."""
    before = PLAIN + "decision:\n  throttle: {max_denials: 3}\n"
    assert load(a_file(tmp_path, before)).decision.lockout.max_denials == 3
    assert "decision.throttle: there is no such key" in refusal(
        a_file(tmp_path, before + "  lockout: {max_denials: 4}\n")
    )


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, or a folder."""
    assert "No such file" in refusal(tmp_path / "nowhere.yaml")
    assert "it is a folder, not a file" in refusal(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(b"? {a: b}\n: c\n")
@example(b"{[1]: 2}")
@example(b"=: 1")
@example(b"2001-13-45: 1")
def test_any_file_is_a_site_or_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever its bytes: one way out besides a site."""
    with suppress(ConfigError):
        assert isinstance(load(a_file(tmp_path, content)), Site)
