"""A site's access log, written as its logger writes it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.builders import START_NS, a_log, an_access
from turnstile.io.log.book import Book
from turnstile.io.site.file import load
from turnstile.io.store.store import LogName
from turnstile.protocol.messages import Access
from turnstile.protocol.requests import Act

HOUR_NS = 3600 * 10**9
LOGGER = "loggers: {logger: {file: access_log.txt, witness: away/heads.txt}}"
EVENTS = (
    an_access(1, person="Ann", decided_ns=START_NS, thumbnail=b"jpeg"),
    an_access(2, person="Bob", camera="back_door", decided_ns=START_NS + HOUR_NS),
    an_access(3, verdict="denied", person=None, decided_ns=START_NS + 2 * HOUR_NS),
    an_access(4, person="Ann", decided_ns=START_NS + 48 * HOUR_NS),
)


def write_log(config: Path, *events: Access | Act) -> Book:
    """Return the book of a site's logger after it took events."""
    site = load(config)
    book = Book(site.loggers["logger"], LogName(site.site, "logger"), max_page_bytes=10_000)
    book.append(a_log(*events))
    return book


def tamper(config: Path, statement: str) -> None:
    """Change the store behind the logger's back."""
    with closing(sqlite3.connect(config.parent / "access_log.db")) as connection:
        connection.execute(statement)
        connection.commit()
