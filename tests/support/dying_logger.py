"""A logger without a bus that kills itself at a point.

    python -m tests.support.dying_logger SITE POINT CALL

It takes the events of `EVENTS` in batches of three, as a broker would send them.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.support.builders import START_NS, a_log, an_access
from turnstile.io.log.aging import Ages
from turnstile.io.log.book import Book
from turnstile.io.site.file import load
from turnstile.io.store.store import LogName, Store
from turnstile.protocol.messages import Access

BATCH = 3
EVENTS = tuple(
    an_access(seq, decided_ns=START_NS - seq * 10**9, thumbnail=b"jpeg %d" % seq) for seq in range(1, 13)
)
"""Twelve, from a broker whose clock runs backwards."""


def a_book(
    config: Path, fault_point: Callable[[str], None] | None = None, *, ages: Callable[[Store], Ages] = Ages
) -> Book:
    """Return the book of a site's logger."""
    site = load(config)
    name = LogName(site.site, "logger")
    return Book(site.loggers["logger"], name, max_page_bytes=10_000, fault_point=fault_point, ages=ages)


def feed(book: Book) -> None:
    """Give what the book has not, until it has all."""
    while book.keep_open() and (rest := missing(book)):
        book.append(a_log(*rest[:BATCH]))


def missing(book: Book) -> tuple[Access, ...]:
    """Return the events after the one that the book fetches after."""
    return tuple(event for event in EVENTS if event.seq > book.fetch_after.seq)


def main(config: Path, point: str, call: int) -> None:
    """Feed a book whose process dies when a point is reached for the nth time."""
    calls = count(1)

    def die(reached: str) -> None:
        if reached == point and next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    feed(a_book(config, die))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
