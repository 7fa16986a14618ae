"""`turnstile up`: real nodes kept by a real supervisor, and the commands that change what runs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.builders import a_jpeg
from tests.support.processes import ROOT
from tests.support.screens import a_screen
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.system


class Upstairs:
    """A site whose nodes `turnstile up` keeps, and what they say."""

    def __init__(self, folder: Path) -> None:
        """Write the site file: a camera, a logger, and a display that has no screen."""
        self.folder = folder
        self.config = folder / "site.yaml"
        self.config.write_text(
            "site: test\n"
            "broker: {ingress: 'ipc://in', egress: 'ipc://out', journal: journal.db}\n"
            "gallery: {faces: faces, cache: cache}\n"
            "cameras: {door: {source: [door.jpg], max_fps: 5, loop: true}}\n"
            "recognizers: {pool: {}}\n"
            "loggers: {log: {file: log.txt}}\n"
            "displays: {screen: {}}\n"
        )
        (folder / "door.jpg").write_bytes(a_jpeg())
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def up(self, *options: str) -> None:
        """Start it."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "turnstile", "up", str(self.config), *options],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def turnstile(self, *arguments: str) -> tuple[int, str]:
        """Run another command for this site, and return its exit code and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "turnstile", *arguments, "--config", str(self.config)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def ask(self, line: bytes) -> dict[str, object]:
        """Send a line to the command socket and return the answer."""
        (path,) = (self.folder / "run").rglob("*.sock")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(line + b"\n")
            answer: dict[str, object] = json.loads(connection.makefile("rb").readline())
            return answer

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """End it and return its exit code."""
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(PATIENCE_S)

    def wait_for(self, pattern: str, *, times: int = 1) -> None:
        """Return when so many lines match a pattern."""
        wait_until(lambda: len(re.findall(pattern, self.said)) >= times, lambda: f"{pattern}:\n{self.said}")

    @property
    def said(self) -> str:
        """Return all that was said."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def nodes(self) -> dict[str, int]:
        """Return the processes of this site's nodes: their numbers by name."""
        found = {}
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with suppress(OSError):
                    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    if str(self.config) in words and "--name" in words:
                        found[words[words.index("--name") + 1]] = int(process.name)
        return found


@pytest.fixture
def site(folder: Path) -> Iterator[Upstairs]:
    """Give a site; nothing of it is left afterwards."""
    site = Upstairs(folder)
    yield site
    if site.process is not None:
        site.process.kill()
        site.process.wait()
    for pid in site.nodes().values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_all_are_started_and_stopped_in_order(site: Upstairs) -> None:
    """Cameras before the logger before the broker; asked to by Ctrl-C, that is no failure."""
    site.up("--only", "broker", "--only", "loggers", "--only", "cameras")
    site.wait_for(r"door +\|.* door: live")
    site.wait_for(r"log +\|.* broker found")
    assert set(site.nodes()) == {"broker", "log", "door"}
    assert site.end() == 0
    ends = [site.said.index(f"{who} stopped") for who in ("capture door", "logger log", "broker broker")]
    assert ends == sorted(ends)
    assert not site.nodes()


def test_who_dies_is_started_again_and_at_last_given_up(site: Upstairs) -> None:
    """The others go on; the exit code tells of it."""
    site.up("--only", "broker", "--only", "door", "--attempts", "2")
    site.wait_for(r"door: live")
    os.kill(site.nodes()["door"], signal.SIGKILL)
    site.wait_for(r"up +\|.* door was killed by signal 9; it is started again in 0.5 s")
    site.wait_for(r"door: live", times=2)
    os.kill(site.nodes()["door"], signal.SIGKILL)
    site.wait_for(r"up +\|.* door was killed by signal 9, and is given up after 2 failures in a row")
    assert set(site.nodes()) == {"broker"}
    assert site.turnstile("start", "door") == (0, "started door\n")
    site.wait_for(r"door: live", times=3)
    os.kill(site.nodes()["door"], signal.SIGKILL)
    site.wait_for(r"started again in 0.5 s", times=2)
    assert site.turnstile("stop", "door") == (0, "stopped door\n")
    assert site.end(signal.SIGTERM) == 0


def test_a_display_without_a_screen_is_given_up_at_once(site: Upstairs) -> None:
    """In clear words; when nothing else is to run, that is the end."""
    site.up("--only", "displays")
    assert site.process is not None
    assert site.process.wait(PATIENCE_S) == 1
    assert re.search(r"screen \|.* no screen: \$DISPLAY is not set", site.said)
    assert re.search(r"up +\|.* screen is given up: this machine lacks what it needs", site.said)
    assert "given up: screen" in site.said


def test_a_display_is_tried_again_until_its_screen_is_there(site: Upstairs) -> None:
    """The X server starts after the site, as on a machine that has just been switched on."""
    with a_screen() as display:
        if not display:
            pytest.skip("Xvfb is not installed")
    site.environment["DISPLAY"] = display
    site.up("--only", "displays", "--attempts", "1")
    site.wait_for(rf"screen \|.* no display at {display} yet")
    site.wait_for(
        r"up +\|.* screen waits for what this machine does not have yet, see above; it is tried again"
    )
    with a_screen(display):
        site.wait_for(r"screen \|.* door: ")
        assert site.end() == 0


def test_recognizers_come_and_go_while_it_runs(site: Upstairs) -> None:
    """Under names of their own; a stopped node stays stopped until it is started."""
    site.up("--only", "broker", "--only", "recognizers")
    site.wait_for(r"pool +\|.* recognizer pool starts")
    assert site.turnstile("scale", "3") == (0, "started pool-2, pool-3\n")
    site.wait_for(r"pool-3 +\|.* recognizer pool-3 starts")
    assert site.turnstile("stop", "pool-2") == (0, "stopped pool-2\n")
    assert set(site.nodes()) == {"broker", "pool", "pool-3"}
    assert site.turnstile("scale", "2") == (0, "2 run already\n")
    assert site.turnstile("scale", "1") == (0, "stopped pool-3\n")
    code, said = site.turnstile("stop", "pool-3")
    assert (code, said) == (1, "error: there is no such node here; there are: broker, pool\n")
    assert set(site.nodes()) == {"broker", "pool"}
    code, said = site.turnstile("scale", "1000")
    assert (code, "from 0 to 256" in said) == (2, True)
    assert site.turnstile("scale", "0") == (0, "stopped pool\n")
    assert set(site.nodes()) == {"broker"}
    assert site.turnstile("scale", "0") == (0, "0 run already\n")
    assert site.turnstile("scale", "1") == (0, "started pool-1\n")
    site.wait_for(r"pool-1 +\|.* recognizer pool-1 starts")
    assert site.end() == 0


def test_a_node_that_hangs_is_killed(site: Upstairs) -> None:
    """After 10 s; a closed terminal ends the others in order."""
    site.up("--only", "broker", "--only", "cameras")
    site.wait_for(r"door: live")
    os.kill(site.nodes()["door"], signal.SIGSTOP)
    assert site.turnstile("stop", "door") == (0, "stopped door\n")
    site.wait_for(r"up +\|.* door is killed: it did not stop within 10 s")
    assert set(site.nodes()) == {"broker"}
    assert site.end(signal.SIGHUP) == 0
    assert "broker broker stopped" in site.said


def test_a_second_signal_kills_what_still_runs(site: Upstairs) -> None:
    """Meanwhile commands are refused in plain words."""
    site.up("--only", "broker", "--only", "cameras")
    site.wait_for(r"door: live")
    os.kill(site.nodes()["door"], signal.SIGSTOP)
    assert site.process is not None
    site.process.send_signal(signal.SIGINT)
    site.wait_for(r"up +\|.* stopping door")
    assert site.turnstile("scale", "2") == (1, "error: scale: everything here is stopping\n")
    assert site.end() == 0
    assert "killing what still runs" in site.said
    assert "did not stop within" not in site.said
    assert not site.nodes()


def test_the_command_socket_tells_states_and_refuses_what_is_no_command(site: Upstairs) -> None:
    """One line of JSON is asked, one is answered."""
    site.up("--only", "broker")
    site.wait_for("egress")
    answer = site.ask(b'{"command": "nodes"}')
    assert answer == {
        "nodes": [{"name": "broker", "kind": "broker", "state": "running", "pid": site.nodes()["broker"]}]
    }
    for nonsense in (b"", b"reboot", b'{"command": "reboot"}', b'{"command": "scale", "count": -1}'):
        assert set(site.ask(nonsense)) == {"error"}
    assert site.end() == 0


def test_nobody_is_left_when_the_supervisor_is_killed(site: Upstairs) -> None:
    """They would hold ports and cameras against the next one."""
    site.up("--only", "broker", "--only", "cameras")
    site.wait_for(r"door: live")
    assert site.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not site.nodes(), "the nodes to end")


def test_a_site_runs_once(site: Upstairs) -> None:
    """A second one is refused, and harms nothing; without any, commands say so."""
    code, said = site.turnstile("scale", "2")
    assert (code, "nothing runs here" in said) == (1, True)
    site.up("--only", "broker")
    site.wait_for("egress")
    again = [sys.executable, "-m", "turnstile", "up", str(site.config)]
    done = subprocess.run(
        again, cwd=ROOT, env=site.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 78
    assert "runs here already" in done.stderr
    assert site.end() == 0


def test_an_edited_site_file_is_said_once_and_reload_applies_it_where_it_differs(site: Upstairs) -> None:
    """A file that is not valid changes nothing; who is not concerned runs on."""
    site.up("--only", "broker", "--only", "cameras", "--only", "recognizers")
    for read_the_file in (r"door: live", r"broker +\|.* ingress", r"pool +\|.* starts"):
        site.wait_for(read_the_file)
    before = site.nodes()
    good = site.config.read_text()
    site.config.write_text(good.replace("max_fps: 5", "max_fsp: 5"))
    code, said = site.turnstile("reload")
    assert (code, "max_fsp" in said, site.nodes()) == (78, True, before)
    cameras = "{door: {source: [door.jpg], max_fps: 4, loop: true}, back: {source: [door.jpg], loop: true}}"
    edited = re.sub(r"cameras: .*", f"cameras: {cameras}", good).replace("pool: {}", "pool: {}, second: {}")
    site.config.write_text(edited)
    site.wait_for(r"up +\|.* site.yaml changed; `turnstile reload` or a restart applies it")
    assert site.turnstile("reload") == (0, "restarted broker, door; started second, back\n")
    site.wait_for(r"back +\|.* back: live")
    after = site.nodes()
    assert set(after) == {"broker", "pool", "second", "door", "back"}
    assert (after["pool"] == before["pool"], after["door"] == before["door"]) == (True, False)
    assert site.said.count("site.yaml changed;") == 1
    site.config.write_text(good)
    assert site.turnstile("reload") == (0, "restarted broker, door; stopped second, back\n")
    assert site.turnstile("reload") == (0, "nothing here is affected\n")
    assert set(site.nodes()) == set(before)
    assert site.end() == 0
