"""The output of several processes on one terminal."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnstile.io.supervise.output import MAX_LINE_BYTES, MAX_LINES, Output


class Screen:
    """A file to write to, and what was written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)

    def shows(self, output: Output) -> str:
        """Return all that was written, once that is all."""
        output.close()
        return self.file.read_text()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """Give a screen."""
    screen = Screen(tmp_path / "screen")
    yield screen
    os.close(screen.descriptor)


def copy(output: Output, name: str, *pieces: bytes) -> None:
    """Copy what a process says, to its end."""

    async def said() -> None:
        stream = asyncio.StreamReader(MAX_LINE_BYTES)
        copying = asyncio.create_task(output.copy(name, stream))
        for piece in pieces:
            stream.feed_data(piece)
            await asyncio.sleep(0)
        stream.feed_eof()
        await copying

    asyncio.run(said())


def test_each_line_bears_the_name_of_whose_it_is(screen: Screen) -> None:
    """In columns, whatever the pieces in which it came."""
    output = Output(screen.descriptor, ["broker"])
    copy(output, "broker", b"one\ntw", b"o\n\n")
    copy(output, "log", b"three\n")
    assert screen.shows(output).splitlines() == [
        "broker | one",
        "broker | two",
        "broker | ",
        "log    | three",
    ]


def test_last_words_without_an_end_are_shown(screen: Screen) -> None:
    """What was begun when the process died is a line."""
    output = Output(screen.descriptor)
    copy(output, "log", b"half a li")
    assert screen.shows(output) == "log | half a li\n"


def test_a_line_without_end_is_shown_in_parts(screen: Screen) -> None:
    """It does not fill the memory, and nothing of it is lost."""
    output = Output(screen.descriptor)
    copy(output, "log", b"x" * (2 * MAX_LINE_BYTES), b"xxxxx\nshort\n")
    *parts, short = screen.shows(output).splitlines()
    assert [len(line) - len("log | ") for line in parts] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 5]
    assert short == "log | short"


def test_names_have_colours_on_a_terminal(screen: Screen) -> None:
    """One each, and the text keeps its own."""
    output = Output(screen.descriptor, colour=True)
    for name in ("a", "b"):
        output.write(name, b"text\n")
    assert screen.shows(output) == "\x1b[36ma |\x1b[0m text\n\x1b[33mb |\x1b[0m text\n"


def test_a_paused_terminal_holds_up_nobody() -> None:
    """What does not fit is left out; when somebody reads again, it is said how much."""
    reader, writer = os.pipe()
    output = Output(writer)
    shown = 20_000
    for _ in range(shown):
        output.write("log", b"a line of forty characters and some more")
    with os.fdopen(reader, "rb") as reading:
        read = [reading.readline() for _ in range(MAX_LINES)]
        output.write("log", b"the last")
        while not read[-1].startswith(b"log | the last"):
            read.append(reading.readline())
    notes = [line for line in read if b"left out" in line]
    left_out = sum(int(line.strip(b"(").split()[0]) for line in notes)
    assert len(read) - 1 - len(notes) + left_out == shown
    assert left_out > 0
    output.close()
    os.close(writer)


def test_a_reader_who_leaves_ends_nothing() -> None:
    """As in `turnstile up … | head`: what the thread had raised, the next line would raise."""
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer)
    output.write("log", b"to nobody")
    output.close()
    output.write("log", b"to nobody, either")
    os.close(writer)
