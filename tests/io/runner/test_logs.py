"""Log lines: nobody's words forge one, and none is lost."""

import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import ROOT
from turnstile.io.runner.logs import LineFormatter, in_one_line


def logged(message: str, *values: object, **more: object) -> str:
    """Return what is written of a message."""
    record = logging.makeLogRecord({"msg": message, "args": values, "levelname": "ERROR", **more})
    return LineFormatter().format(record)


@given(st.text())
def test_a_message_is_one_line_that_steers_no_terminal(words: str) -> None:
    """Whoever sent the words in it."""
    line = logged("faces/%s is not used", words)
    assert line.isprintable()


def test_what_does_not_print_is_shown_escaped() -> None:
    """So one sees that somebody tried."""
    line = logged("faces/%s is not used", "a.jpg\n2026-11-25 12:00:00,000 INFO    all is well\x1b[2J\u202e")
    assert "faces/a.jpg\\n2026-11-25 12:00:00,000 INFO    all is well\\x1b[2J\\u202e is not used" in line


def test_what_is_given_as_extra_is_said() -> None:
    """The standard library's format leaves it out."""
    assert logged("not cached", file="/a\n", why="full").endswith("not cached (file: /a\\n, why: full)")


def test_a_traceback_is_indented_and_tells_no_secret() -> None:
    """An error's own words may hold line breaks and addresses."""
    error = ValueError("rtsp://admin:s3cret@10.0.0.7/1\n2026-11-25 12:00:00,000 INFO all is well")
    said = logged("crashed", exc_info=(ValueError, error, None))
    first, *others = said.split("\n")
    assert len(others) == 2
    assert first.endswith("crashed")
    assert all(line.startswith("    ") for line in others)
    assert "s3cret" not in said


@pytest.mark.parametrize("text", ["plain", "Zoë Müller", "ingress tcp://127.0.0.1:5755, 100 %"])
def test_plain_text_stays(text: str) -> None:
    """Letters of all alphabets print."""
    assert in_one_line(text) == text


def test_a_node_logs_so() -> None:
    """To standard error, from its first line on."""
    code = (
        "import logging\nfrom turnstile.io.runner.node import configure_logging\n"
        "configure_logging('info')\nlogging.getLogger('turnstile').info('a\\nb')\n"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stderr.endswith(" INFO    a\\nb\n")
