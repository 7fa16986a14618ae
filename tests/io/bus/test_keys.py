"""The keys folder: what `turnstile keys` makes, hands over and takes away."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml
import zmq

from tests.support.rights import shut_out_of
from turnstile.commands.cli import main
from turnstile.errors import ConfigError
from turnstile.io.bus import bundle
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.site.file import load
from turnstile.protocol.roles import ROLES, Identity
from turnstile.site.plan import processes_on

SITE = """
site: test
broker: {ingress: "tcp://192.0.2.1:5755", egress: "tcp://192.0.2.1:5756"}
cameras:
  front_door: {source: "rtsp://admin:secret@192.0.2.7/1", max_fps: 10, host: a}
  back_door: {source: 0, host: b}
recognizers: {pool: {host: c}}
loggers: {log: {}}
displays: {porter: {cameras: [front_door]}}
decision: {votes_needed: 2}
"""


@pytest.fixture
def site_file(folder: Path) -> Path:
    """Give the file of a site whose broker other machines reach; there are no keys yet."""
    (folder / "configs").mkdir()
    file = folder / "configs" / "site.yaml"
    file.write_text(SITE)
    return file


@pytest.fixture
def keys(folder: Path) -> KeyFolder:
    """Give a folder with the broker's key and nobody else's."""
    keys = KeyFolder(folder / "keys")
    assert keys.create()
    return keys


def mode_of(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_a_key_for_every_node_of_the_site(
    site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And for the operator; a second time it makes none anew."""
    assert main(["keys", "init", "--config", str(site_file)]) == 0
    keys = KeyFolder(site_file.parent.parent / "keys")
    registry = keys.registry()
    assert sorted(map(str, registry.values())) == [
        *("capture:back_door", "capture:front_door", "display:porter"),
        *("logger:log", "observer:operator", "recognizer:pool"),
    ]
    assert "made a key for display:porter" in capsys.readouterr().out
    assert main(["keys", "init", "--config", str(site_file)]) == 0
    assert capsys.readouterr().out == ""
    assert keys.registry() == registry


def test_keys_are_their_owners_alone(keys: KeyFolder) -> None:
    """Every file and folder, whatever the umask."""
    keys.add(Identity("capture", "front_door"))
    paths = [keys.path, *keys.path.rglob("*")]
    assert {path.name for path in paths} == {
        *("keys", "broker.key", "broker.key_secret", "capture", "front_door.key", "front_door.key_secret")
    }
    assert not [path for path in paths if mode_of(path) & 0o077]


def test_a_secret_that_others_can_read_is_closed_to_them(
    keys: KeyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that it may have been read."""
    who = Identity("capture", "front_door")
    keys.add(who)
    secret = keys.path / "capture" / "front_door.key_secret"
    secret.chmod(0o644)
    keys.node_key(who)
    assert mode_of(secret) == 0o600
    assert f"{secret} could be read or changed by others (mode 644)" in caplog.text
    caplog.clear()
    keys.path.chmod(0o775)
    keys.broker_pair()
    assert mode_of(keys.path) == 0o700
    assert f"{keys.path} could be read or changed by others (mode 775)" in caplog.text


@pytest.mark.parametrize("role", ROLES)
def test_a_revoked_key_is_gone_and_its_name_free(keys: KeyFolder, role: str) -> None:
    """The next key of that name is another one."""
    who = next(Identity(known, "somebody") for known in ROLES if known == role)
    keys.add(who)
    first, stamp = keys.registry(), keys.stamp()
    assert keys.revoke("somebody") == who
    assert keys.registry() == {}
    assert keys.stamp() != stamp
    assert [name for name, _ in keys.revoked()] == ["somebody"]
    with pytest.raises(ConfigError, match="no key for the"):
        keys.node_key(who)
    keys.add(who)
    assert list(keys.registry().values()) == [who]
    assert keys.registry() != first


def test_a_name_has_one_key(keys: KeyFolder) -> None:
    """In whatever role; a recognizer's numbered names are taken with it."""
    keys.add(Identity("recognizer", "pool"))
    for role, name in (
        ("capture", "pool"),
        ("recognizer", "pool"),
        ("recognizer", "pool-1"),
        ("logger", "broker"),
    ):
        with pytest.raises(ConfigError, match=r"already|speak for each other|own"):
            keys.add(next(Identity(known, name) for known in ROLES if known == role))
    keys.add(Identity("recognizer", "lab-1"))
    with pytest.raises(ConfigError, match="speak for each other"):
        keys.add(Identity("recognizer", "lab"))


@pytest.mark.parametrize("text", ["", "curve\n", 'curve\n    public-key = "short"\n', "\x00\xff" * 50])
def test_a_file_that_is_no_key_lets_nobody_in(
    keys: KeyFolder, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in a warning, and stops nobody else."""
    keys.add(Identity("capture", "front_door"))
    (keys.path / "capture" / "broken.key").write_text(text)
    assert [who.name for who in keys.registry().values()] == ["front_door"]
    assert "broken.key" in caplog.text


def test_a_bundle_is_all_that_a_machine_needs(site_file: Path, folder: Path) -> None:
    """Its keys, the broker's public one, and its part of the site; no other camera's password."""
    main(["keys", "init", "--config", str(site_file)])
    packed = folder / "front_door.bundle"
    assert (
        main(["keys", "bundle", "front_door", "pool", "--config", str(site_file), "--to", str(packed)]) == 0
    )
    assert mode_of(packed) == 0o600
    there = folder / "there"
    assert main(["keys", "unpack", str(packed), "--into", str(there)]) == 0
    site = load(there / "site.yaml")
    assert site.cameras["front_door"].source == "rtsp://admin:secret@192.0.2.7/1"
    assert site.keys is not None
    assert site.keys.folder == str(there / "keys")
    assert (set(site.recognizers), set(site.loggers), set(site.displays)) == ({"pool"}, set(), set())
    keys, home = KeyFolder(there / "keys"), KeyFolder(folder / "keys")
    for who in (Identity("capture", "front_door"), Identity("recognizer", "pool")):
        assert keys.node_key(who) == home.node_key(who)
    assert (
        keys.node_key(Identity("recognizer", "pool-7")).own
        == home.node_key(Identity("recognizer", "pool")).own
    )
    assert keys.registry() == {}
    assert not [path for path in there.rglob("*") if mode_of(path) & 0o077]


def test_a_bundle_does_not_tell_of_other_machines(site_file: Path, folder: Path) -> None:
    """An address of a camera may hold a password."""
    main(["keys", "init", "--config", str(site_file)])
    packed = folder / "pool.bundle"
    main(["keys", "bundle", "pool", "--config", str(site_file), "--to", str(packed)])
    assert "secret@" not in packed.read_text()
    assert "votes_needed" not in packed.read_text()
    assert set(load_cameras(packed, folder / "there")) == {"front_door", "back_door"}


def test_a_bundle_names_the_network_for_liveness(site_file: Path, folder: Path) -> None:
    """Recognizers read it, wherever they run; its path is relative to the site file there, too."""
    document = yaml.safe_load(site_file.read_text())
    document["decision"] |= {"liveness_network": "net.pth", "liveness_sha256": "ab" * 32}
    site_file.write_text(yaml.safe_dump(document))
    main(["keys", "init", "--config", str(site_file)])
    packed = folder / "pool.bundle"
    main(["keys", "bundle", "pool", "--config", str(site_file), "--to", str(packed)])
    bundle.unpack(packed, folder / "there")
    decision = load(folder / "there" / "site.yaml").decision
    assert decision.liveness_network == str(folder / "there" / "net.pth")
    assert decision.liveness_sha256 == "ab" * 32
    assert "votes_needed" not in packed.read_text()


def load_cameras(packed: Path, into: Path) -> list[str]:
    """Return the names of the cameras in a bundle."""
    bundle.unpack(packed, into)
    return list(load(into / "site.yaml").cameras)


PLACED = """
site: test
hosts: {gate: {address: 192.0.2.1}, front: {address: 192.0.2.2}, cellar: {address: 192.0.2.3}}
broker: {host: gate}
cameras: {front_door: {source: 0, host: front}}
recognizers: {pool: {host: cellar, count: auto}}
loggers: {log: {host: gate}}
displays: {porter: {host: front}}
"""


def test_a_bundle_for_the_web_node_names_all_loggers(site_file: Path, folder: Path) -> None:
    """It asks each; what they write where is not told, and others get nothing of the pages."""
    document = yaml.safe_load(site_file.read_text())
    document["web"] = {}
    document["loggers"] = {"log": {"file": "a.txt"}, "spare": {"file": "b.txt"}}
    site_file.write_text(yaml.safe_dump(document))
    main(["keys", "init", "--config", str(site_file)])
    for name in ("web", "front_door"):
        packed = folder / f"{name}.bundle"
        assert main(["keys", "bundle", name, "--config", str(site_file), "--to", str(packed)]) == 0
        bundle.unpack(packed, folder / name)
    theirs = yaml.safe_load((folder / "web" / "site.yaml").read_text())
    assert theirs["loggers"] == {"log": {"file": "log.txt"}, "spare": {"file": "spare.txt"}}
    assert theirs["web"] == {}
    assert "web" not in yaml.safe_load((folder / "front_door" / "site.yaml").read_text())


def test_a_bundle_for_a_host_is_all_that_it_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once each key, whatever the number of processes; the broker's machine keeps the folder itself."""
    (folder / "configs").mkdir()
    file = folder / "configs" / "site.yaml"
    file.write_text(PLACED)
    main(["keys", "init", "--config", str(file)])
    packed = folder / "some.bundle"
    for host, names in (("front", ["front_door", "porter"]), ("cellar", ["pool"])):
        assert main(["keys", "bundle", "--host", host, "--config", str(file), "--to", str(packed)]) == 0
        assert [one.name for one in bundle.unpack(packed, folder / host).holders] == names
        assert [one.name for one in processes_on(load(folder / host / "site.yaml"), host, cores=1)] == names
    assert main(["keys", "bundle", "--host", "gate", "--config", str(file)]) == 78
    assert "hosts.gate: it runs the broker" in capsys.readouterr().err
    assert main(["keys", "bundle", "--config", str(file)]) == 78
    assert "--host HOST" in capsys.readouterr().err


def test_a_bundle_for_a_machine_that_the_site_does_not_name(folder: Path) -> None:
    """It has a key and no place: its recognizers are started by name."""
    (folder / "configs").mkdir()
    file = folder / "configs" / "site.yaml"
    file.write_text(PLACED)
    main(["keys", "init", "--config", str(file)])
    main(["keys", "add", "lab", "--role", "recognizer", "--config", str(file)])
    packed = folder / "lab.bundle"
    assert main(["keys", "bundle", "lab", "--config", str(file), "--to", str(packed)]) == 0
    assert [one.name for one in bundle.unpack(packed, folder / "lab").holders] == ["lab"]
    assert load(folder / "lab" / "site.yaml").recognizers == {}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"turnstile": "bundle/2"}', "\x00", "[" * 100_000, '{"holders": [{"name": "../x"}]}'],
)
def test_what_is_no_bundle_is_refused(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 78, and nothing is written."""
    file = folder / "some.bundle"
    file.write_text(text)
    assert main(["keys", "unpack", str(file), "--into", str(folder / "there")]) == 78
    assert "not a bundle" in capsys.readouterr().err
    assert not (folder / "there").exists()


def test_a_missing_key_is_explained(keys: KeyFolder) -> None:
    """With the names that there are, and what would make the missing one."""
    keys.add(Identity("capture", "front_door"))
    with pytest.raises(ConfigError, match=r"front_door.*keys add back_door --role capture"):
        keys.node_key(Identity("capture", "back_door"))
    with pytest.raises(ConfigError, match=r"keys init .*keys bundle"):
        KeyFolder(keys.path / "nothing").broker_pair()


def test_key_files_are_those_of_other_zeromq_tools(keys: KeyFolder) -> None:
    """What is made here is a pair that libzmq accepts, and its public half is the one in the registry."""
    who = Identity("capture", "front_door")
    keys.add(who)
    own = keys.node_key(who).own
    assert zmq.curve_public(own.secret) == own.public
    assert keys.registry() == {own.public.decode(): who}


def test_one_bad_entry_among_the_keys_stops_nobody_else(
    keys: KeyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe, a link that leads nowhere, a folder, and a copy of a key, which takes nothing from anybody."""
    keys.add(Identity("capture", "front_door"))
    folder = keys.path / "capture"
    os.mkfifo(folder / "a.key")
    (folder / "b.key").symlink_to("nowhere")
    (folder / "c.key").mkdir()
    (folder / "d.key").symlink_to("d.key")
    shutil.copy(folder / "front_door.key", folder / "front_door copy.key")
    shutil.rmtree(keys.path / "display", ignore_errors=True)
    (keys.path / "display").touch()
    assert list(keys.registry().values()) == [Identity("capture", "front_door")]
    for name in ("a.key", "b.key", "c.key", "d.key", "front_door copy.key", "display"):
        assert f"{name}: " in caplog.text


def test_a_key_that_cannot_be_looked_at_is_not_taken_for_none(keys: KeyFolder) -> None:
    """No second key of the broker is made, and nobody is told to make one."""
    (keys.path / "broker.key").unlink()
    (keys.path / "broker.key").symlink_to("broker.key")
    (keys.path / "broker.key_secret").unlink()
    (keys.path / "broker.key_secret").symlink_to("nowhere")
    assert not keys.create()
    with pytest.raises(ConfigError, match=r"broker\.key: not a key file: .*Too many levels"):
        keys.broker_public()
    with shut_out_of(keys.path), pytest.raises(ConfigError, match="cannot be looked at: Permission denied"):
        keys.broker_public()
    assert not keys.has(Identity("capture", "nobody"))
    assert keys.revoked() == []
    (keys.path / "revoked").touch()
    with pytest.raises(ConfigError, match="revoked: cannot be read: Not a directory"):
        keys.revoked()
