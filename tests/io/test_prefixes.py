"""The output of several processes on one terminal."""

import io

from turnstile.io.prefixes import MAX_LINE_BYTES, Prefixes


def test_each_line_bears_the_name_of_whose_it_is() -> None:
    """In columns, whatever the pieces in which it came."""
    out = io.BytesIO()
    prefixes = Prefixes(out)
    prefixes.make_room(6)
    broker, log = prefixes.lines_of("broker"), prefixes.lines_of("log")
    broker({"name": "stderr", "data": b"one\ntw"})
    log({"name": "stderr", "data": b"three\n"})
    broker({"name": "stdout", "data": b"four\n"})
    broker({"name": "stderr", "data": b"o\n\n"})
    assert out.getvalue().decode().splitlines() == [
        *("broker | one", "log    | three", "broker | four", "broker | two", "broker | "),
    ]


def test_last_words_without_an_end_are_shown() -> None:
    """What was begun when the process died is a line."""
    out = io.BytesIO()
    lines = Prefixes(out).lines_of("log")
    lines({"name": "stderr", "data": b"half a li"})
    lines.finish()
    lines.finish()
    assert out.getvalue() == b"log | half a li\n"


def test_a_line_without_end_is_shown_in_parts() -> None:
    """And does not fill the memory."""
    out = io.BytesIO()
    lines = Prefixes(out).lines_of("log")
    lines({"name": "stderr", "data": b"x" * (2 * MAX_LINE_BYTES + 5)})
    assert [len(line) for line in out.getvalue().splitlines()] == [MAX_LINE_BYTES + len("log | ")] * 2


def test_names_have_colours_on_a_terminal() -> None:
    """One each, and the text keeps its own."""
    out = io.BytesIO()
    prefixes = Prefixes(out, colour=True)
    for name in ("a", "b"):
        prefixes.lines_of(name)({"name": "stderr", "data": b"text\n"})
    assert out.getvalue() == b"\x1b[36ma |\x1b[0m text\n\x1b[33mb |\x1b[0m text\n"
