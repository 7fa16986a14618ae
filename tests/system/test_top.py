"""`turnstile top` against a real broker, in a terminal and without one."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builders import a_beat, write_site
from tests.support.monitored import MonitoredSite
from tests.support.processes import ROOT, Programs
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system

COMMAND = ("-m", "turnstile", "top", "--config")


def test_without_a_terminal_it_is_printed_once(folder: Path) -> None:
    """Every node, every camera, and who is missing."""
    with MonitoredSite(folder) as site:
        site.decide_once()
        site.beat(a_beat(uptime_s=0.0))
        process = site.programs.start(*COMMAND, str(site.file))
        printed, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (0, "")
    assert re.match(r"broker live, up \d+ s, 1 camera, 1 recognizer, .* 0 granted, 1 denied\n", printed)
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    assert rows["broker"][1] == "broker"
    assert rows["log"][1] == "logger"
    assert rows["CAMERA"][:5] == ["CAMERA", "SENT/S", "RESULTS/S", "WAIT", "AGE"]
    assert "not heard: recognizers.recognizer-1, which the site file names" in printed


def test_where_no_broker_runs_that_is_said(folder: Path) -> None:
    """Exit code 1, as `turnstile status`."""
    with Programs() as programs:
        process = programs.start(*COMMAND, str(write_site(folder)), "--once")
        printed, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, printed) == (1, "")
    assert "no broker answers at" in said


def test_in_a_terminal_it_goes_on_until_q(folder: Path) -> None:
    """And leaves the terminal as it was."""
    with MonitoredSite(folder) as site:
        ours, theirs = pty.openpty()
        command = [sys.executable, *COMMAND, str(site.file)]
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
        with subprocess.Popen(
            command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        ) as process:
            os.close(theirs)
            seen = b""
            while not (b"broker live" in seen and seen.count(b"NODE") >= 3):
                seen += os.read(ours, 65536)
            os.write(ours, b"q")
            try:
                while more := os.read(ours, 65536):
                    seen += more
            except OSError:
                pass  # the terminal's other end is closed
            assert process.wait(PATIENCE_S) == 0
        os.close(ours)
    assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"\x1b[?1049h")
