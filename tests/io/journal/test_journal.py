"""The broker's journal: durable before it is told, numbered without gaps, never lost, never told twice."""

import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.builders import a_box, an_access
from tests.support.waiting import wait_until
from turnstile.access.door import Door, Visit
from turnstile.access.linking import Trail
from turnstile.errors import JournalError
from turnstile.io.journal.journal import DurableEvent, Fetched, Journal
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.reasons import Reason

CHILD = """
import os, signal, sys
from pathlib import Path
from tests.support.builders import an_access
from tests.io.journal.test_journal import outcomes
from turnstile.io.journal.journal import Journal
from turnstile.access.door import Door

point, after = sys.argv[2], int(sys.argv[3])
seen = 0

def fault(name):
    global seen
    seen += name == point
    if name == point and seen > after:
        os.kill(os.getpid(), signal.SIGKILL)

journal = Journal(path=Path(sys.argv[1]), loggers=["log"], fault_point=fault)
for number in range(int(sys.argv[4]), 1000):
    journal.record(an_access(visit=f"visit-{number}"), Door())
    for event in outcomes(journal, 1):
        print(event.seq, event.visit, flush=True)
"""


def outcomes(journal: Journal, count: int) -> list[Access | Fetched]:
    """Return the next `count` outcomes, waiting for them."""
    found: list[Access | Fetched] = []

    def take() -> None:
        select.select([journal.fileno], [], [], 0.1)
        for one in journal.outcomes():
            match one:
                case DurableEvent(Access() as event):
                    found.append(event)
                case Fetched():
                    found.append(one)

    wait_until(lambda: len(found) >= count, lambda: f"{count} outcomes; {found}", between=take)
    assert len(found) == count
    return found


def fetched(journal: Journal, *, source: str = "", after: int = 0, name: str = "log") -> list[Access]:
    """Return what a logger gets that has the events up to `after`."""
    log = answer_to(journal, source=source, after=after, name=name)
    return [event for event in log.events if isinstance(event, Access)]


def answer_to(
    journal: Journal,
    *,
    source: str = "",
    after: int = 0,
    name: str = "log",
    instance: str = "",
    visit: str | None = None,
) -> Log:
    """Return what a logger is told that has the events up to `after`, of visits numbered from 0."""
    if visit is None:
        visit = f"visit-{after - 1}" if after else ""
    fetch = Fetch(name=name, instance=instance or f"{name}-1", source=source, after_seq=after, visit=visit)
    journal.fetch(fetch)
    (answer,) = outcomes(journal, 1)
    assert isinstance(answer, Fetched)
    return answer.log


def decide(journal: Journal, *visits: str) -> list[Access]:
    """Record decisions, and return them as events."""
    for visit in visits:
        journal.record(an_access(visit=visit), Door())
    found = outcomes(journal, len(visits))
    return [event for event in found if isinstance(event, Access)]


def a_door(visit: str = "visit-1") -> Door:
    """Return a door at which one granted person stands."""
    open_visit = Visit(visit=visit, trail=Trail(box_px=a_box()), verdict="granted", person="Ada")
    return Door(visits=(open_visit,), newest_ns=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a journal that does not exist yet."""
    return tmp_path / "var" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """Give an open journal of a site with one logger."""
    opened = Journal(path=path, loggers=["log"])
    yield opened
    opened.close()


def test_events_come_back_numbered_from_one(journal: Journal) -> None:
    """What is recorded comes out in order, with this journal's source and numbers without gaps."""
    for number in range(5):
        journal.record(an_access(visit=f"visit-{number}"), Door())
    events = outcomes(journal, 5)
    assert [(event.seq, event.visit) for event in events if isinstance(event, Access)] == [
        (number + 1, f"visit-{number}") for number in range(5)
    ]
    assert {event.source for event in events if isinstance(event, Access)} == {journal.source}
    assert journal.waiting == 0


def test_a_journal_tells_whether_there_is_anything_to_publish(journal: Journal) -> None:
    """The broker asks at each turn of its loop."""
    assert not journal.has_outcomes
    journal.record(an_access(), Door())
    wait_until(lambda: journal.has_outcomes, "the journal to have recorded the event")
    outcomes(journal, 1)
    assert not journal.has_outcomes


def test_events_are_on_disk_when_they_come_back(journal: Journal, path: Path) -> None:
    """A copy of the files, taken when the event was told, holds it."""
    journal.record(an_access(visit="visit-1"), Door())
    outcomes(journal, 1)
    copy = path.parent / "copy.db"
    copy.write_bytes(path.read_bytes())
    copy.with_name("copy.db-wal").write_bytes(path.with_name("journal.db-wal").read_bytes())
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT seq, visit FROM events").fetchall() == [(1, "visit-1")]
    connection.close()


def test_a_logger_gets_what_it_lacks(journal: Journal) -> None:
    """Events after the number it names, or all of them if it comes from another source."""
    for number in range(3):
        journal.record(an_access(visit=f"visit-{number}"), Door())
    outcomes(journal, 3)
    assert [event.seq for event in fetched(journal, source=journal.source, after=1)] == [2, 3]
    other = answer_to(journal, source="0badc0de", after=1, visit="another-1")
    assert [event.seq for event in other.events] == [1, 2, 3]


def test_a_restart_keeps_source_numbers_and_open_visits(path: Path) -> None:
    """Opened again, it goes on where it stopped, and knows who stood at the door."""
    first = Journal(path=path, loggers=["log"])
    first.record(an_access(camera="front_door", visit="visit-1"), a_door())
    outcomes(first, 1)
    first.close()
    second = Journal(path=path, loggers=["log"])
    try:
        assert (second.source, second.last_seq) == (first.source, 1)
        assert second.doors == {"front_door": a_door()}
        second.record(an_access(visit="visit-2"), Door())
        (event,) = outcomes(second, 1)
        assert isinstance(event, Access)
        assert event.seq == 2
    finally:
        second.close()


def test_a_visit_that_ended_is_not_open_after_a_restart(path: Path) -> None:
    """Otherwise the person's next visit would be taken for the old one, and never logged."""
    first = Journal(path=path, loggers=["log"])
    first.record(an_access(camera="front_door", visit="visit-1"), a_door())
    outcomes(first, 1)
    first.keep_door("front_door", Door(newest_ns=9))
    first.close()
    second = Journal(path=path, loggers=["log"])
    try:
        assert second.doors["front_door"].visits == ()
    finally:
        second.close()


def test_a_wiped_journal_is_a_new_source(path: Path) -> None:
    """A logger can tell its events from the old ones, although their numbers are the same."""
    first = Journal(path=path, loggers=[])
    first.close()
    for file in path.parent.glob("journal.db*"):
        file.unlink()
    second = Journal(path=path, loggers=[])
    second.close()
    assert first.source != second.source


def test_only_what_every_logger_has_is_forgotten(path: Path) -> None:
    """Two loggers are named in the site file; one has fetched nothing yet, so nothing goes."""
    journal = Journal(path=path, loggers=["log", "other"], trim_s=0.0)
    try:
        for number in range(3):
            journal.record(an_access(visit=f"visit-{number}"), Door())
        outcomes(journal, 3)
        fetched(journal, source=journal.source, after=3)
        assert [event.seq for event in fetched(journal, name="other")] == [1, 2, 3]
        fetched(journal, source=journal.source, after=2, name="other")
        assert [event.seq for event in fetched(journal, name="newcomer")] == [3]
    finally:
        journal.close()


def test_two_brokers_cannot_share_a_journal(journal: Journal, path: Path) -> None:
    """The second is told that another one uses it."""
    with pytest.raises(JournalError, match="another broker uses it"):
        Journal(path=path, loggers=[])
    assert journal.problem == ""


def test_a_damaged_journal_is_refused(path: Path) -> None:
    """The message says what to do with it."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(JournalError, match="move it away"):
        Journal(path=path, loggers=[])


def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    """Rather than misread."""
    Journal(path=path, loggers=[]).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(path=path, loggers=[])


def test_others_cannot_read_it(journal: Journal, path: Path) -> None:
    """Names and thumbnails are in it."""
    journal.record(an_access(), Door())
    outcomes(journal, 1)
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


@pytest.mark.parametrize("point", ["before commit", "after commit"])
@pytest.mark.parametrize("after", [0, 3])
def test_a_kill_at_a_commit_loses_and_doubles_nothing(path: Path, point: str, after: int) -> None:
    """What was told is there after the restart; numbers go on without a gap; a visit is there once."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", CHILD, str(path), point]
    first = subprocess.run(
        [*command, str(after), "0"], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert first.returncode == -signal.SIGKILL, first.stderr
    told = [line.split() for line in first.stdout.splitlines()]
    assert len(told) == after
    journal = Journal(path=path, loggers=["log"])
    try:
        kept = fetched(journal)
        journal.record(an_access(visit=f"visit-{after}"), Door())
        (again,) = outcomes(journal, 1)
        assert isinstance(again, Access)
        everything = fetched(journal)
    finally:
        journal.close()
    assert [[str(event.seq), event.visit] for event in kept][: len(told)] == told
    assert len(kept) == after + (point == "after commit")
    assert [event.seq for event in everything] == list(range(1, after + 2))
    assert len({event.visit for event in everything}) == after + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root only")
def test_a_full_disk_refuses_entry_and_loses_no_record(tmp_path: Path) -> None:
    """Grants made meanwhile become denials for want of a record, and are on record once there is room."""
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=True)
    try:
        journal = Journal(path=tmp_path / "journal.db", loggers=["log"])
        filler = tmp_path / "filler"
        _fill(filler)
        journal.record(an_access(visit="visit-1", verdict="granted", thumbnail=b"x" * 16_000), a_door())
        wait_until(lambda: journal.problem, "the journal to notice")
        assert "journal cannot be written" in journal.problem
        assert journal.outcomes() == []
        filler.unlink()
        (event,) = outcomes(journal, 1)
        assert isinstance(event, Access)
        assert (event.verdict, event.reason, event.seq) == ("denied", Reason.NO_RECORD, 1)
        assert journal.problem == ""
        journal.close()
    finally:
        subprocess.run(["/bin/umount", "-l", str(tmp_path)], check=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * 4096)
        except OSError:
            return


def damage(path: Path, visit: str, at: int) -> None:
    """Flip one bit of an event in a journal that nobody has open."""
    with closing(sqlite3.connect(path)) as connection:
        (body,) = connection.execute("SELECT body FROM events WHERE visit = ?", (visit,)).fetchone()
        flipped = bytearray(body)
        flipped[at] ^= 4
        connection.execute("UPDATE events SET body = ? WHERE visit = ?", (bytes(flipped), visit))
        connection.commit()


@pytest.mark.parametrize("flip", [0, 5, 30, -1])
def test_an_event_that_was_damaged_becomes_a_gap(path: Path, flip: int) -> None:
    """One flipped bit in it is seen; it holds up no later event, and the broker says which one is missing."""
    journal = Journal(path=path, loggers=["log"])
    decide(journal, "visit-1", "visit-2", "visit-3")
    journal.close()
    damage(path, "visit-2", flip)
    journal = Journal(path=path, loggers=["log"])
    try:
        first = answer_to(journal)
        assert [event.seq for event in first.events] == [1]
        rest = answer_to(journal, source=journal.source, after=1, visit="visit-1")
        assert (rest.next_seq, [event.seq for event in rest.events]) == (3, [3])
        assert "event 2 is damaged and cannot be logged" in journal.notice
        assert [event.verdict for event in decide(journal, "visit-4")] == ["granted"]
        assert journal.problem == ""
    finally:
        journal.close()


def test_open_visits_that_were_damaged_begin_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Those of the other doors stay."""
    journal = Journal(path=path, loggers=["log"])
    journal.record(an_access(camera="front_door", visit="visit-1"), a_door())
    journal.record(an_access(camera="back_door", visit="visit-2"), a_door("visit-2"))
    outcomes(journal, 2)
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE doors SET body = CAST(body || x'00' AS BLOB) WHERE camera = 'front_door'")
        connection.commit()
    journal = Journal(path=path, loggers=["log"])
    journal.close()
    assert list(journal.doors) == ["back_door"]
    assert "the open visits of front_door cannot be read, they start anew" in caplog.text


def test_a_journal_whose_columns_are_damaged_is_refused_in_words(path: Path) -> None:
    """One flipped bit in a column's name is no traceback."""
    Journal(path=path, loggers=["log"]).close()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"repeats_to", b"repeats_tn"))
    with pytest.raises(JournalError, match="no such column: repeats_to; if it is damaged, move it away"):
        Journal(path=path, loggers=["log"])


def test_what_else_ends_the_thread_reaches_the_loop(path: Path) -> None:
    """A broker whose journal's thread is gone must not look live."""

    def fault(_: str) -> None:
        raise KeyError("something unheard of")

    journal = Journal(path=path, loggers=["log"], fault_point=fault)
    journal.record(an_access(), Door())
    with pytest.raises(KeyError, match="unheard of"):
        outcomes(journal, 1)
    journal.close()
