"""The output of several processes on one terminal."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnstile.io.supervise.output import MAX_LINE_BYTES, MAX_LINES, Prefixes


class Screen:
    """A file to write to, and what was written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)

    def shows(self, prefixes: Prefixes) -> str:
        """Return all that was written, once that is all."""
        prefixes.close()
        return self.file.read_text()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """Give a screen."""
    screen = Screen(tmp_path / "screen")
    yield screen
    os.close(screen.descriptor)


def test_each_line_bears_the_name_of_whose_it_is(screen: Screen) -> None:
    """In columns, whatever the pieces in which it came."""
    prefixes = Prefixes(screen.descriptor)
    prefixes.make_room(6)
    broker, log = prefixes.lines_of("broker"), prefixes.lines_of("log")
    broker({"name": "stderr", "data": b"one\ntw"})
    log({"name": "stderr", "data": b"three\n"})
    broker({"name": "stdout", "data": b"four\n"})
    broker({"name": "stderr", "data": b"o\n\n"})
    assert screen.shows(prefixes).splitlines() == [
        *("broker | one", "log    | three", "broker | four", "broker | two", "broker | "),
    ]


def test_last_words_without_an_end_are_shown(screen: Screen) -> None:
    """What was begun when the process died is a line."""
    prefixes = Prefixes(screen.descriptor)
    lines = prefixes.lines_of("log")
    lines({"name": "stderr", "data": b"half a li"})
    lines.finish()
    lines.finish()
    assert screen.shows(prefixes) == "log | half a li\n"


def test_a_line_without_end_is_shown_in_parts(screen: Screen) -> None:
    """And does not fill the memory."""
    prefixes = Prefixes(screen.descriptor)
    prefixes.lines_of("log")({"name": "stderr", "data": b"x" * (2 * MAX_LINE_BYTES + 5)})
    assert [len(line) for line in screen.shows(prefixes).splitlines()] == [MAX_LINE_BYTES + len("log | ")] * 2


def test_names_have_colours_on_a_terminal(screen: Screen) -> None:
    """One each, and the text keeps its own."""
    prefixes = Prefixes(screen.descriptor, colour=True)
    for name in ("a", "b"):
        prefixes.lines_of(name)({"name": "stderr", "data": b"text\n"})
    assert screen.shows(prefixes) == "\x1b[36ma |\x1b[0m text\n\x1b[33mb |\x1b[0m text\n"


def test_a_paused_terminal_holds_up_nobody() -> None:
    """What does not fit is left out; when somebody reads again, it is said how much."""
    reader, writer = os.pipe()
    prefixes = Prefixes(writer)
    lines = prefixes.lines_of("log")
    shown = 20_000
    for _ in range(shown):
        lines({"name": "stderr", "data": b"a line of forty characters and some more\n"})
    with os.fdopen(reader, "rb") as reading:
        read = [reading.readline() for _ in range(MAX_LINES)]
        lines({"name": "stderr", "data": b"the last\n"})
        while not read[-1].startswith(b"log | the last"):
            read.append(reading.readline())
    notes = [line for line in read if b"left out" in line]
    left_out = sum(int(line.strip(b"(").split()[0]) for line in notes)
    assert len(read) - 1 - len(notes) + left_out == shown
    assert left_out > 0
    prefixes.close()
    os.close(writer)
