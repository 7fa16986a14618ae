"""A journal or a log that was put back from a copy, or is gone: nothing decided since is lost or doubled."""

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.io.journal.test_journal import answer_to, decide, outcomes
from tests.support.builders import a_box, an_access
from tests.support.journals import make_version_1
from tests.support.waiting import pause, wait_until
from turnstile.access.door import Door, Visit
from turnstile.access.linking import Trail
from turnstile.errors import JournalError
from turnstile.io.journal.journal import Fetched, Journal
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.reasons import Reason


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a journal that does not exist yet."""
    return tmp_path / "var" / "journal.db"


def opened(path: Path, *loggers: str) -> closing[Journal]:
    """Return a journal that forgets at once what its loggers have."""
    return closing(Journal(path=path, loggers=loggers or ("log",), trim_s=0.0))


@pytest.fixture
def put_back(path: Path) -> Iterator[tuple[Journal, str, str]]:
    """Give a journal with two events, put back after the log had three more; its source, the last visit."""
    with opened(path) as journal:
        decide(journal, "visit-0", "visit-1")
        answer_to(journal, source=journal.source, after=1)
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with opened(path) as journal:
        decide(journal, "visit-2", "visit-3", "visit-4")
        source = journal.source
    shutil.copy(copy, path)
    with opened(path) as journal:
        yield journal, source, "visit-4"


def test_a_reader_ahead_of_the_journal_shows_that_it_was_put_back(
    put_back: tuple[Journal, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A new source begins at once with what the reader is not known to have, and the broker says so."""
    journal, source, visit = put_back
    log = answer_to(journal, source=source, after=5, visit=visit)
    assert log.source not in {"", source}
    assert [(event.visit, event.source, event.seq) for event in log.events] == [("visit-1", log.source, 2)]
    assert (log.after_seq, log.next_seq, log.repeats_to) == (1, 2, 2)
    assert "put back from a copy" in log.reason
    assert "put back from a copy" in journal.notice
    assert journal.notice in caplog.text
    (event,) = decide(journal, "visit-new")
    assert (event.source, event.seq) == (log.source, 3)


def test_a_reader_is_not_taken_for_up_to_date_when_the_numbers_came_again(
    put_back: tuple[Journal, str, str],
) -> None:
    """The journal has numbered other visits up to the reader's number and beyond by then."""
    journal, source, visit = put_back
    decide(journal, *(f"later-{number}" for number in range(6)))
    log = answer_to(journal, source=source, after=5, visit=visit)
    assert log.source != source
    assert [event.visit for event in log.events] == ["visit-1", *(f"later-{number}" for number in range(6))]


def test_a_second_reader_finds_its_place_in_the_new_source_by_its_visit(
    put_back: tuple[Journal, str, str],
) -> None:
    """It has some of the events that were renumbered, and gets the others."""
    journal, source, visit = put_back
    decide(journal, "later-0", "later-1")
    answer_to(journal, source=source, after=5, visit=visit)
    log = answer_to(journal, source=source, after=3, visit="later-0", name="other")
    assert [event.visit for event in log.events] == ["later-1"]
    assert log.after_seq == 3


def test_the_same_copy_put_back_twice_hides_no_decision(path: Path) -> None:
    """The reader had other events under the numbers of the copy's source, and comes from a newer one."""
    with opened(path) as journal:
        decide(journal, "visit-0")
        copied = journal.source
        answer_to(journal, source=copied, after=1, visit="visit-0")
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with opened(path) as journal:
        decide(journal, "first-0", "first-1")
    shutil.copy(copy, path)
    with opened(path) as journal:
        newer = answer_to(journal, source=copied, after=3, visit="first-1").source
        answer_to(journal, source=newer, after=1)
    shutil.copy(copy, path)
    with opened(path) as journal:
        decide(journal, *(f"second-{number}" for number in range(3)))
        log = answer_to(journal, source=newer, after=1)
        assert log.source not in {copied, newer}
        assert [event.visit for event in log.events][-3:] == ["second-0", "second-1", "second-2"]
        assert log.repeats_to == 4
        assert answer_to(journal, source=newer, after=1, name="other").source == log.source


def test_a_progress_that_was_raised_by_hand_loses_nothing(path: Path) -> None:
    """Neither beyond the journal's last event nor below it."""
    for raised in (2, 100):
        file = path.with_name(f"{raised}.db")
        with opened(file) as journal:
            decide(journal, "visit-0", "visit-1", "visit-2")
            source = journal.source
            answer_to(journal, source=source, after=1)
        with opened(file) as journal:
            log = answer_to(journal, source=source, after=raised, visit="")
            assert log.source != source
            assert [event.visit for event in log.events] == ["visit-1", "visit-2"]


def test_a_reader_that_was_put_back_is_told_what_will_never_come(path: Path) -> None:
    """The journal has forgotten those events, since the log had them."""
    with opened(path) as journal:
        decide(journal, *(f"visit-{number}" for number in range(5)))
        answer_to(journal, source=journal.source, after=4)
        decide(journal, "visit-5")
        log = answer_to(journal, source=journal.source, after=2)
        assert (log.after_seq, log.next_seq) == (2, 5)
        assert [event.seq for event in log.events] == [5, 6]
        log = answer_to(journal, source=journal.source, after=6)
        assert (log.after_seq, log.next_seq, log.events) == (6, 7, ())
        assert journal.notice == ""


def test_a_log_of_another_journal_is_told_aloud(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty file beside a log that has entries is not silently new."""
    path.parent.mkdir()
    path.touch()
    with opened(path) as journal:
        assert "the journal was an empty file; a new one begins" in journal.notice
        log = answer_to(journal, source="0badc0de", after=7)
        assert (log.after_seq, log.next_seq) == (0, 1)
        assert "log has events of the journal 0badc0de" in journal.notice
    assert "log has events of the journal 0badc0de" in caplog.text


def do_harm(harm: str, path: Path, older: Path) -> None:
    """Change the files of a journal that a broker uses."""
    match harm:
        case "removed":
            path.unlink()
        case "replaced":
            older.replace(path)
        case "written over":
            shutil.copyfile(older, path)
        case _:
            path.with_name("journal.db-wal").unlink()


@pytest.mark.parametrize("harm", ["removed", "replaced", "written over", "without -wal"])
def test_a_journal_changed_under_a_running_broker_lets_nobody_enter_and_loses_nothing(
    path: Path, harm: str
) -> None:
    """It is noticed within a second; what was recorded goes into the next file, under a new source."""
    with opened(path) as journal:
        decide(journal, "visit-0", "visit-1")
    older = path.with_name("older.db")
    shutil.copy(path, older)
    with opened(path) as journal:
        source = journal.source
        decide(journal, "visit-2", "visit-3")
        do_harm(harm, path, older)
        wait_until(lambda: f"the journal {path}" in journal.notice, "the journal to notice")
        decide(journal, "visit-4")
        wait_until(lambda: not journal.problem, "a sound journal")
        log = answer_to(journal, source=source, after=2)
        assert [one.visit for one in log.events] == ["visit-2", "visit-3", "visit-4"]
        assert log.source == journal.source != source
        assert log.next_seq == log.after_seq + 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(DISTINCT visit), count(*) FROM events").fetchone() == (3, 3)


def test_a_journal_written_over_while_the_broker_commits_is_noticed_too(path: Path) -> None:
    """A commit writes the -wal alone, so the database file must be as it was."""
    with opened(path) as journal:
        decide(journal, "visit-0")
    older = path.with_name("older.db")
    shutil.copy(path, older)
    harmed: list[str] = []

    def write_over(point: str) -> None:
        if point == "before commit" and harmed == ["now"]:
            harmed.append("done")
            shutil.copyfile(older, path)

    with closing(Journal(path=path, loggers=["log"], trim_s=0.0, fault_point=write_over)) as journal:
        decide(journal, "visit-1")
        source = journal.source
        harmed.append("now")
        decide(journal, "visit-2")
        wait_until(lambda: "was written by somebody else" in journal.notice, lambda: journal.notice)
        wait_until(lambda: not journal.problem and journal.source != source, lambda: journal.problem)
        log = answer_to(journal, source=source, after=1)
        assert [one.visit for one in log.events] == ["visit-1", "visit-2"]


def test_a_large_wal_is_moved_into_the_database_and_nobody_is_alarmed(path: Path) -> None:
    """By the broker itself, so its file may be another afterwards."""
    with opened(path) as journal:
        for number in range(300):
            journal.record(an_access(visit=f"visit-{number}", thumbnail=bytes(16_000)), Door())
        assert len(outcomes(journal, 300)) == 300
        wal = path.with_name("journal.db-wal")
        wait_until(lambda: path.stat().st_size > 4 * 2**20 > wal.stat().st_size, "the -wal to be moved")
        assert len(decide(journal, "visit-new")) == 1
        assert (journal.notice, journal.problem) == ("", "")


def test_nobody_enters_before_there_is_a_sound_journal_again(path: Path) -> None:
    """Here a folder has taken the place of the file."""
    with opened(path) as journal:
        decide(journal, "visit-0")
        path.unlink()
        path.mkdir()
        wait_until(lambda: journal.problem, "the journal to notice")
        journal.record(an_access(visit="visit-1", verdict="granted"), Door())
        wait_until(lambda: "cannot be opened" in journal.problem, lambda: journal.problem)
        path.rmdir()
        (event,) = outcomes(journal, 1)
        assert isinstance(event, Access)
        assert (event.verdict, event.reason) == ("denied", Reason.NO_RECORD)


def test_a_second_process_of_one_name_is_refused_while_the_first_is_heard(path: Path) -> None:
    """It is told which one is served, and so is the broker's operator."""
    with opened(path) as journal:
        decide(journal, "visit-0")
        told = dict[str, Log]()

        def fetch(*instances: str) -> None:
            for instance in instances:
                journal.fetch(Fetch(name="log", instance=instance, source="", after_seq=0))
            pause()
            for one in journal.outcomes():
                if isinstance(one, Fetched):
                    told[one.fetch.instance] = one.log

        fetch("log-aaaa")
        wait_until(lambda: "log-bbbb" in told, "a refusal", between=lambda: fetch("log-aaaa", "log-bbbb"))
        refused = told["log-bbbb"]
        assert "another process, log-aaaa, is called log too" in refused.refused
        assert refused.events == ()
        assert told["log-aaaa"].events
        assert "log-aaaa is served, log-bbbb is not" in journal.notice
        path.unlink()
        wait_until(lambda: "was removed" in journal.notice, lambda: journal.notice)
        assert "log-aaaa is served, log-bbbb is not" in journal.notice


def test_a_process_that_started_again_is_served_soon_and_nobody_is_alarmed(path: Path) -> None:
    """The one before it was killed, which looks like silence."""
    with opened(path) as journal:
        decide(journal, "visit-0")
        assert answer_to(journal, instance="log-aaaa").events
        answers = list[Log]()

        def fetch() -> None:
            journal.fetch(Fetch(name="log", instance="log-bbbb", source="", after_seq=0))
            pause()
            answers.extend(one.log for one in journal.outcomes() if isinstance(one, Fetched))

        wait_until(lambda: answers, "to be served", between=fetch)
        assert (answers[0].refused, len(answers[0].events)) == ("", 1)
        assert journal.notice == ""


def test_a_reader_that_was_given_what_it_has_is_not_taken_for_put_back(
    put_back: tuple[Journal, str, str],
) -> None:
    """It has noted the repeated event, and may have forgotten of which visit that was."""
    journal, source, visit = put_back
    log = answer_to(journal, source=source, after=5, visit=visit)
    again = answer_to(journal, source=log.source, after=2, visit="")
    assert (again.source, again.events) == (log.source, ())


def test_the_backlog_of_each_reader_is_known(path: Path) -> None:
    """Also of one that never came."""
    with opened(path, "log", "hook") as journal:
        decide(journal, "visit-0", "visit-1", "visit-2")
        answer_to(journal, source=journal.source, after=2)
        wait_until(lambda: journal.backlog == {"log": 1, "hook": 3}, lambda: f"{journal.backlog}")


def test_a_journal_of_version_1_is_brought_up_to_date(path: Path) -> None:
    """Its source and events stay."""
    with opened(path) as journal:
        decide(journal, "visit-0")
        source = journal.source
    make_version_1(path)
    with opened(path) as journal:
        assert journal.source == source
        assert [event.seq for event in answer_to(journal).events] == [1]


def test_two_sites_with_one_journal_are_told_who_has_it(path: Path) -> None:
    """The path, and the process that uses it."""
    path.parent.mkdir()
    program = (
        "import sys; from pathlib import Path; from turnstile.io.journal.journal import Journal;"
        "journal = Journal(path=Path(sys.argv[1]), loggers=[]); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(JournalError) as refused:
            Journal(path=path, loggers=[])
        other.kill()
    said = str(refused.value)
    assert said.startswith(f"journal {path} cannot be used: another broker uses it (process {other.pid}: ")
    assert said.endswith("; name another one under broker.journal if that is another site's")


def test_who_was_undecided_when_a_copy_was_made_is_not_decided_again(path: Path) -> None:
    """The log may have that visit from before the copy was put back."""
    undecided = Visit(visit="visit-1", trail=Trail(box_px=a_box()))
    decided = Visit(visit="visit-0", trail=Trail(box_px=a_box()), verdict="granted", person="Ada")
    with opened(path) as journal:
        journal.record(an_access(visit="visit-0"), Door(visits=(decided, undecided)))
        outcomes(journal, 1)
    with opened(path) as journal:
        assert journal.doors["front_door"].visits == (decided,)


def test_a_logger_that_makes_up_numbers_is_not_renumbered_for_each_time(path: Path) -> None:
    """It gets what it is known not to have, and no decision is lost to it or to others."""
    with opened(path, "log", "other") as journal:
        decide(journal, "visit-0")
        sources = set[str]()
        for _ in range(5):
            log = answer_to(journal, source=journal.source, after=2**63 - 1, visit="made-up")
            sources.add(log.source)
            assert [event.visit for event in log.events] == ["visit-0"]
        assert len(sources) == 1
        assert [event.visit for event in answer_to(journal, name="other").events] == ["visit-0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
@pytest.mark.parametrize("harm", ["removed", "written over"])
def test_what_a_changed_journal_had_outlives_a_full_disk(tmp_path: Path, harm: str) -> None:
    """It waits in memory until there is room, and a try that failed holds no lock."""
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=True)
    gc.disable()
    try:
        path, filler = tmp_path / "var" / "journal.db", tmp_path / "filler"
        with opened(path) as journal:
            decide(journal, "visit-0")
        with opened(path) as journal:
            decide(journal, "visit-1")
            source = journal.source
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            if harm == "removed":
                path.unlink()
                wait_until(lambda: "full" in journal.problem, lambda: journal.problem)
            else:
                wait_until(lambda: journal.notice, lambda: journal.problem, between=lambda: os.utime(path))
            filler.unlink()
            wait_until(lambda: not journal.problem and journal.source != source, lambda: journal.problem)
            log = answer_to(journal, source=source, after=1, visit="visit-0")
            assert [event.visit for event in log.events] == ["visit-1"]
    finally:
        gc.enable()
        subprocess.run(["/bin/umount", "-l", str(tmp_path)], check=True)
