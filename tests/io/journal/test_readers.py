"""Who holds up the journal, and for how long: days in which the broker ran count, and no date."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.io.journal.test_journal import decide
from turnstile.io.journal.file import open_journal
from turnstile.io.journal.journal import Journal
from turnstile.io.journal.readers import LOGGER_FORGOTTEN_NS, Readers
from turnstile.protocol.messages import Fetch

DAY_NS = 86_400 * 10**9


class Site:
    """A journal with three events, one named logger that has all, and one that is not named and has one."""

    def __init__(self, path: Path) -> None:
        with closing(Journal(path=path, loggers=["log"])) as journal:
            decide(journal, "visit-0", "visit-1", "visit-2")
            self.source = journal.source
        self.connection = open_journal(path)
        self.now_ns = 0
        self.readers = self.start_broker()
        self.fetch("log", 3)
        self.fetch("elsewhere", 1)
        self.readers.trim(self.connection)

    def start_broker(self) -> Readers:
        """Return what a broker knows at its start."""
        self.readers = Readers(named=["log"], running_ns=lambda: self.now_ns)
        return self.readers

    def fetch(self, name: str, after: int) -> None:
        """Ask for what comes after an event."""
        visit = f"visit-{after - 1}"
        fetch = Fetch(name=name, instance=f"{name}-1", source=self.source, after_seq=after, visit=visit)
        self.readers.answer(self.connection, fetch)

    def run(self, days: float) -> int:
        """Let the broker run for so long, looking once a day; return how many events are kept."""
        for _ in range(int(days)):
            self.now_ns += DAY_NS
            self.readers.trim(self.connection)
        (kept,) = self.connection.execute("SELECT count(*) FROM events").fetchone()
        return int(kept)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a site whose second logger was heard a moment ago."""
    site = Site(tmp_path / "journal.db")
    with closing(site.connection):
        yield site


def test_a_logger_that_is_not_named_holds_up_the_journal_for_30_days_of_running(site: Site) -> None:
    """Days between two brokers do not count: nobody could have been heard."""
    assert site.run(20) == 2
    site.start_broker()
    site.now_ns += 400 * DAY_NS
    site.readers.trim(site.connection)
    assert site.run(9) == 2
    assert site.run(2) == 0


def test_a_logger_that_is_heard_again_holds_it_up_anew(site: Site) -> None:
    """Whether it was forgotten or not."""
    site.run(29)
    site.fetch("elsewhere", 1)
    assert site.run(29) == 2
    assert LOGGER_FORGOTTEN_NS == 30 * DAY_NS


def test_a_source_that_could_not_begin_at_once_still_says_why_it_began(site: Site) -> None:
    """The disk was full when a logger came that has another journal's events."""
    fetch = Fetch(name="log", instance="log-1", source="another", after_seq=7, visit="visit-6")
    site.connection.execute("PRAGMA query_only=ON")
    with pytest.raises(sqlite3.OperationalError):
        site.readers.answer(site.connection, fetch)
    site.connection.execute("PRAGMA query_only=OFF")
    answer = site.readers.answer(site.connection, fetch)
    assert answer.log is not None
    assert answer.log.reason.startswith("log has events of the journal another, which this one does not know")
    assert answer.news == answer.log.reason


def test_a_named_logger_is_never_forgotten(site: Site) -> None:
    """However long it is away."""
    site.readers.named = ["log", "elsewhere"]
    assert site.run(400) == 2
