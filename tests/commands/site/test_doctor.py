"""The doctor tells what is there, and of each thing that is wrong what to do about it."""

import io
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from tests.support.pth import write_network
from turnstile.commands.cli import main
from turnstile.commands.site import doctor, examination
from turnstile.commands.site.examination import ReportLine
from turnstile.errors import SetupError
from turnstile.io.bus.broker import BrokerSockets
from turnstile.protocol.messages import Beat, encode
from turnstile.protocol.permissions import BROKER_TOPIC
from turnstile.site.settings import BrokerSettings, DecisionSettings
from turnstile.vision.detect.haar import CASCADE

NOBODY = 65534


def printed(*findings: ReportLine) -> str:
    """Return the report on `findings`."""
    text = io.StringIO()
    doctor.report(findings, console=Console(file=text, width=100))
    return text.getvalue()


def a_broker_at(folder: Path) -> BrokerSettings:
    """Return the addresses of a broker that nothing else on this machine uses."""
    return BrokerSettings(ingress=f"ipc://{folder}/ingress", egress=f"ipc://{folder}/egress")


@pytest.fixture
def beating_broker(tmp_path: Path) -> Iterator[BrokerSettings]:
    """Give the addresses of something that beats as a broker does."""
    at, stop = a_broker_at(tmp_path), threading.Event()
    beat = Beat(node="broker", instance="b", role="broker", host="here", pid=1, version="0", uptime_s=3.0)

    def run() -> None:
        sockets = BrokerSockets(at)
        while not stop.wait(0.05):
            sockets.publish(BROKER_TOPIC, encode(beat))
        sockets.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield at
    stop.set()
    thread.join()


def test_a_set_up_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """After set-up nothing that is needed is missing, and the sample face is found and encoded."""
    code = main(["doctor"])
    text = capsys.readouterr().out
    assert code == 0, text
    assert "everything that is needed is here" in text
    assert "one face" in text
    assert CASCADE in text


def test_a_wrong_site_file_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the file, and the exit code says that something is wrong."""
    site = tmp_path / "site.yaml"
    site.write_text("site: test\ncameras: {}\n")
    assert main(["doctor", "--config", str(site)]) == 1
    assert "problem  site file" in capsys.readouterr().out


def test_what_cannot_be_looked_at_is_a_finding() -> None:
    """One broken part does not end the look at the others."""

    def broken() -> Iterator[ReportLine]:
        yield ReportLine(subject="numpy", found="2")
        raise ImportError("libfoo.so.1: cannot open")

    def missing() -> Iterator[ReportLine]:
        raise SetupError("sample faces are missing; run `make setup`")

    first, second = doctor.guarded("packages", broken)
    assert (first.level, second.level, second.found) == ("ok", "problem", "libfoo.so.1: cannot open")
    (third,) = doctor.guarded("recognition", missing)
    assert (third.level, third.subject) == ("problem", "recognition")


def test_the_report_says_what_to_do() -> None:
    """Advice stands below the table; brackets in what was found are text, not markup."""
    text = printed(
        ReportLine(subject="Python", found="[3.12]"),
        ReportLine(level="problem", subject="model", found="missing", advice="make distclean setup"),
    )
    assert "[3.12]" in text
    assert "problem: model: make distclean setup" in text
    assert text.endswith("problems: 1\n")


def test_notes_are_no_problems() -> None:
    """A machine without a camera is a fine recognizer."""
    assert "everything that is needed" in printed(ReportLine(level="note", subject="camera", found="none"))


def test_a_missing_or_empty_model_is_a_problem(tmp_path: Path) -> None:
    """Each model file is looked at by itself."""
    first, second, *_ = examination.MODELS
    (tmp_path / first).write_bytes(b"weights")
    (tmp_path / second).write_bytes(b"")
    levels = [finding.level for finding in examination.models(tmp_path)]
    assert levels == ["ok", "problem", "problem"]


def test_the_network_for_liveness_is_looked_at_where_the_site_names_one(tmp_path: Path) -> None:
    """A missing file would end each recognizer."""
    file = tmp_path / "net.pth"
    named = DecisionSettings(liveness_network=str(file))
    assert list(examination.liveness(DecisionSettings())) == []
    (missing,) = doctor.guarded("liveness", lambda: examination.liveness(named))
    assert missing.level == "problem"
    assert f"{file}, the network for liveness, cannot be read" in missing.found
    right = msgspec.structs.replace(named, liveness_sha256=write_network(file))
    assert [finding.found for finding in examination.liveness(right)] == [str(file)]


@pytest.mark.skipif(sys.platform != "linux", reason="webcams are files on Linux only")
def test_webcams_are_listed(tmp_path: Path) -> None:
    """Each device file is named; none at all is a note with what else can be a source."""
    (nothing,) = examination.cameras(tmp_path)
    assert (nothing.level, bool(nothing.advice)) == ("note", True)
    (tmp_path / "video1").touch()
    (tmp_path / "video0").touch()
    assert [finding.found for finding in examination.cameras(tmp_path)] == [
        f"{tmp_path}/video0",
        f"{tmp_path}/video1",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="webcams are files on Linux only")
def test_a_webcam_of_other_users_says_how_to_get_at_it(folder: Path) -> None:
    """The usual cause is a user outside the group `video`."""
    for reachable in (folder, folder.parent):
        reachable.chmod(0o755)
    (folder / "video0").touch(mode=0)
    with not_as_root():
        (finding,) = examination.cameras(folder)
    assert (finding.level, "usermod" in finding.advice) == ("note", True)


@contextmanager
def not_as_root() -> Iterator[None]:
    """Be nobody for a while, since root may open everything."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a screen without DISPLAY")
def test_without_a_screen_the_ways_around_it_are_named() -> None:
    """A server can record and take snapshots."""
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    (finding,) = examination.screen(environment)
    assert finding.level == "note"
    assert "--record" in finding.advice


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_screen_is_found(virtual_screen: str) -> None:
    """A window opens on a screen that is there."""
    (finding,) = examination.screen({**os.environ, "DISPLAY": virtual_screen})
    assert finding.level == "ok"


def test_a_running_broker_is_heard(beating_broker: BrokerSettings) -> None:
    """Its beat names the machine that it runs on."""
    finding = examination.broker(beating_broker)
    assert finding.level == "ok"
    assert "here, up 3 s" in finding.found


def test_free_addresses_are_fine_for_a_broker(tmp_path: Path) -> None:
    """A broker that is not running yet is no fault."""
    finding = examination.broker(a_broker_at(tmp_path))
    assert finding.level == "ok"
    assert "not running" in finding.found


def test_a_port_taken_by_something_else_is_a_problem(tmp_path: Path) -> None:
    """Something listens there that does not beat."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        at = BrokerSettings(ingress=f"ipc://{tmp_path}/ingress", egress=f"tcp://127.0.0.1:{port}")
        finding = examination.broker(at)
    assert finding.level == "problem"
    assert f"cannot bind tcp://127.0.0.1:{port}" in finding.found
