"""The access log as a logger keeps it: killed, full, rotated, rewritten, too old."""

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg
import pytest

from tests.support.builders import START_NS, a_deed, a_log, an_access, an_act, write_site
from tests.support.dying_logger import EVENTS, a_book, feed, missing
from tests.support.processes import Programs
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.errors import ConfigError
from turnstile.io.log.aging import Ages
from turnstile.io.log.book import Book
from turnstile.io.log.rewriting import log_files
from turnstile.io.log.verification import Report, inspect
from turnstile.io.site.file import load
from turnstile.io.store.opened import open_log
from turnstile.io.store.store import Store
from turnstile.log.lines import Event, event_of, is_remark
from turnstile.protocol.messages import Access, Log, Query

DAY_NS = 86_400 * 10**9
LOGGER = "loggers: {logger: {file: log/access_log.txt, witness: away/heads.txt}}"


@pytest.fixture
def config(folder: Path) -> Path:
    """Give a site with a logger."""
    return write_site(folder, LOGGER)


def text_of(config: Path) -> Path:
    """Return the text file."""
    return config.parent / "log" / "access_log.txt"


def asides(config: Path) -> list[Path]:
    """Return older text files."""
    return [file for file in log_files(text_of(config)) if file != text_of(config)]


def told(path: Path) -> list[int]:
    """Return the numbers of the events in a text."""
    lines = [line for line in path.read_text().splitlines() if not is_remark(line)]
    return [event.seq for event in map(event_of, lines) if event is not None]


def inspection(config: Path) -> Report:
    """Return what verify says."""
    opened = open_log(load(config), "logger")
    with closing(opened.store):
        return inspect(opened.store, opened.settings)


def log_of(*events: Access) -> Log:
    """Return events as the broker sends them."""
    return a_log(*events)


def logged(book: Book) -> list[str]:
    """Return the last lines as those who tail get them."""
    answer = book.answer(Query(asker="me", last=100))
    assert answer is not None
    return list(answer.lines)


TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""

ALL = [event.seq for event in EVENTS]


@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize("point", ["before commit", "after commit", "before text", "after text"])
@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_a_logger_killed_at_any_point_has_each_event_once(
    config: Path, request: pytest.FixtureRequest, database: str, point: str, call: int
) -> None:
    """In the store and in the text; the chain verifies though the broker's clock ran backwards."""
    if database == "PostgreSQL":
        address = request.getfixturevalue("empty_database")
        config.write_text(config.read_text().replace("witness:", f"store: '{address}', witness:"))
    with Programs() as programs:
        logger = programs.start("-m", "tests.support.dying_logger", str(config), point, str(call))
        _, said = logger.communicate(timeout=PATIENCE_S)
    assert logger.returncode == -signal.SIGKILL, said
    with closing(a_book(config)) as book:
        assert book.keep_open()
        committed = (call if point != "before commit" else call - 1) * 3
        assert len(missing(book)) == len(EVENTS) - committed
        assert told(text_of(config)) == ALL[:committed]
        feed(book)
        assert told(text_of(config)) == ALL
    assert inspection(config).whole


def test_a_server_that_drops_the_connection_costs_no_entry_and_doubles_none(
    config: Path, empty_database: str
) -> None:
    """As when PostgreSQL restarts: it is said, and the logger goes on a second later."""
    config.write_text(config.read_text().replace("witness:", f"store: '{empty_database}', witness:"))
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(TERMINATE)
        assert not book.append(log_of(*EVENTS[3:6]))
        assert "the broker keeps events" in book.trouble
        wait_until(lambda: not missing(book), lambda: book.trouble, between=lambda: feed(book))
        assert book.trouble == ""
    assert told(text_of(config)) == ALL
    assert inspection(config).whole


def test_a_server_that_goes_away_is_told_before_anybody_comes(config: Path, empty_database: str) -> None:
    """A logger without events asks its store every other second whether it is there."""
    config.write_text(config.read_text().replace("witness:", f"store: '{empty_database}', witness:"))
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(TERMINATE)
        wait_until(lambda: book.trouble, lambda: book.trouble, between=book.keep_open)
        assert "cannot be read" in book.trouble
        wait_until(lambda: not book.trouble, lambda: book.trouble, between=book.keep_open)


def test_a_store_that_was_put_back_is_noticed_before_anybody_comes(config: Path) -> None:
    """A copy written over the open file: what it lacks is fetched again."""
    store = config.parent / "log" / "access_log.db"
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        older = store.read_bytes()
        book.append(log_of(*EVENTS[3:6]))
        store.write_bytes(older)
        wait_until(lambda: book.fetch_after == Event("aaaa", 3), lambda: book.trouble, between=book.keep_open)


def test_a_log_that_was_removed_notes_what_the_journal_has_forgotten(config: Path) -> None:
    """Also one that was put back from before its first entry: `verify` lists it, and the rest is logged."""
    with closing(a_book(config)) as book:
        book.append(a_log(*EVENTS[2:4]))
        assert "2 events, aaaa:1 to 2, are missing; the journal has them no more" in book.trouble
        assert told(text_of(config)) == ALL[2:4]
    found = inspection(config)
    assert found.whole, found.lines
    assert any("aaaa:1 to 2, are missing" in line for line in found.lines)


def test_a_text_that_is_rotated_after_a_note_goes_on_and_verifies(config: Path) -> None:
    """The new file names the last event before the note."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        book.append(msgspec.structs.replace(a_log(after_seq=3), next_seq=6))
        text_of(config).rename(text_of(config).with_suffix(".txt.1"))
        book.append(log_of(*EVENTS[5:7]))
    assert told(text_of(config)) == ALL[5:7]
    found = inspection(config)
    assert found.whole, found.lines


@pytest.mark.parametrize("cut", [1, 30, 95, 300])
def test_a_torn_text_is_repaired_from_the_store(config: Path, cut: int) -> None:
    """Whatever a crash took of its end comes again, as it was."""
    with closing(a_book(config)) as book:
        feed(book)
    whole = text_of(config).read_text()
    text_of(config).write_text(whole[:-cut])
    with closing(a_book(config)) as book:
        assert book.keep_open()
    assert text_of(config).read_text() == whole


def test_a_text_that_cannot_be_written_holds_up_no_entry(config: Path) -> None:
    """It is said, and its lines follow when it can be written again."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        text_of(config).rename(text_of(config).with_suffix(".1"))
        text_of(config).mkdir()
        assert book.append(log_of(*EVENTS[3:6]))
        assert "Is a directory" in book.trouble
        assert len(logged(book)) == 6
        text_of(config).rmdir()
        wait_until(lambda: not book.trouble, lambda: book.trouble, between=book.keep_open)
        assert told(text_of(config)) == ALL[3:6]
        assert book.trouble == ""


def test_a_rotated_text_goes_on_in_a_new_file(config: Path) -> None:
    """Each line is in one of the files, and the new one names the event before it."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        text_of(config).rename(text_of(config).with_suffix(".1"))
        book.append(log_of(*EVENTS[3:5]))
    assert told(text_of(config).with_suffix(".1")) == ALL[:3]
    assert text_of(config).read_text().startswith("# continues after event=aaaa:3\n")
    assert told(text_of(config)) == ALL[3:5]


def test_a_text_rotated_while_no_logger_ran_is_not_filled_again(config: Path) -> None:
    """The store knows how far the old one was."""
    for begin in (0, 3, 6):
        with closing(a_book(config)) as book:
            book.append(log_of(*EVENTS[begin : begin + 3]))
    text_of(config).unlink()
    with closing(a_book(config)) as book:
        feed(book)
    assert told(text_of(config))[-3:] == ALL[-3:]
    assert len(told(text_of(config))) <= 6


def test_a_lost_store_is_said_and_the_text_doubles_nothing(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the broker still has goes into the new store, and only what is new into the text."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:6]))
    (config.parent / "log" / "access_log.db").unlink()
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[4:9]))
    assert "was the store lost" in caplog.text
    assert told(text_of(config)) == ALL[:9]
    assert not inspection(config).whole


def test_a_store_written_over_while_its_logger_runs_is_read_again(config: Path) -> None:
    """What it lacks then is fetched again instead of being skipped without a gap on record."""
    store, copy = text_of(config).with_suffix(".db"), config.with_name("copy.db")
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:2]))
    shutil.copy(store, copy)
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[2:4]))
        shutil.copy(copy, store)
        assert not book.append(log_of(*EVENTS[4:5]))
        assert "put back or written by somebody else" in book.trouble
        wait_until(book.keep_open, bool)
        assert book.fetch_after.seq == EVENTS[1].seq
        assert book.append(log_of(*EVENTS[2:5]))
    assert told(text_of(config)) == [event.seq for event in EVENTS[2:5]]
    assert [told(file) for file in asides(config)] == [[event.seq for event in EVENTS[:4]]]
    assert inspection(config).whole


def test_a_wrong_file_is_a_configuration_error(config: Path) -> None:
    """Neither is written to."""
    text_of(config).parent.mkdir()
    for name in ("access_log.txt", "access_log.db"):
        wrong = text_of(config).with_name(name)
        wrong.write_text("my diary, which is long enough for a header of a database\n" * 20)
        with closing(a_book(config)) as book, pytest.raises(ConfigError):
            book.keep_open()
        assert wrong.read_text().startswith("my diary")
        wrong.unlink()


@contextlib.contextmanager
def a_small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 512 kB."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "turnstile-test", str(folder)],  # noqa: S607 - in PATH
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_loses_nothing(config: Path) -> None:
    """Entries wait in the broker until there is room; then all are there once and the chain verifies."""
    with a_small_disk(config.parent / "log") as disk, closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        fat = [msgspec.structs.replace(event, thumbnail=bytes(16_000)) for event in EVENTS[3:]]
        assert not book.append(log_of(*fat))
        assert "the broker keeps events" in book.trouble
        ballast.unlink()
        wait_until(book.keep_open, lambda: book.trouble)
        assert book.fetch_after == Event("aaaa", 3)
        assert book.append(log_of(*fat))
        assert told(text_of(config)) == ALL
        assert book.trouble == ""
        assert inspection(config).whole


def test_heads_are_kept_elsewhere_at_once_and_at_the_end(config: Path) -> None:
    """A line each; a restarted logger adds to them."""
    for count in (3, 6):
        with closing(a_book(config)) as book:
            book.append(log_of(*EVENTS[:count]))
    heads = [
        line.split("  ")[1:3] for line in (config.parent / "away" / "heads.txt").read_text().splitlines()
    ]
    assert [number for _, number in heads][-1] == "6"
    assert {log for log, _ in heads} == {"test/logger"}


def test_a_witness_that_cannot_be_reached_is_said_and_holds_up_nothing(config: Path) -> None:
    """A network disk may be away for a while."""
    (config.parent / "away").write_text("a file in the folder's place")
    with closing(a_book(config)) as book:
        assert book.append(log_of(*EVENTS[:3]))
        book.keep_open()
        assert "witness" in book.trouble


class Calendar:
    """The clocks of a logger's machine, as a test moves them; a witness goes by the real one."""

    def __init__(self) -> None:
        self.wall_ns, self.running_ns = time.time_ns(), 0

    def ages(self, store: Store) -> Ages:
        """Return the ages of a log's entries by these clocks."""
        return Ages(store, wall_ns=lambda: self.wall_ns, running_ns=lambda: self.running_ns)

    def run(self, book: Book, days: float) -> None:
        """Let time pass, and the logger do what is due."""
        self.wall_ns += round(days * DAY_NS)
        self.running_ns += round(days * DAY_NS)
        assert book.keep_open()

    def set(self, book: Book, days: float) -> None:
        """Set the clock of the day, and let the logger look an hour later."""
        self.wall_ns += round(days * DAY_NS)
        self.run(book, 1.01 / 24)


def seqs_in(book: Book) -> list[int]:
    """Return the events that the log tells of."""
    return [event.seq for event in map(event_of, logged(book)) if event is not None]


def allow(config: Path, **days: float) -> None:
    """Let pictures or entries be kept for so many days only."""
    keys = "".join(f"{key}: {value}, " for key, value in days.items())
    config.write_text(config.read_text().replace("witness:", f"{keys}witness:"))


def test_pictures_and_entries_are_kept_for_the_days_allowed(config: Path) -> None:
    """In the store, in the text, and in what rotation made of it; the chain starts after them."""
    allow(config, keep_thumbnails_days=1, keep_entries_days=10)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        for seqs, days in (((1, 2, 3), 5.0), ((4, 5), 5.5), ((6,), 0.0)):
            book.append(log_of(*(an_access(seq, thumbnail=b"x") for seq in seqs)))
            calendar.run(book, 0.1)
            calendar.run(book, days)
        archive = text_of(config).with_name("access_log.txt.1.gz")
        archive.write_bytes(gzip.compress(text_of(config).read_bytes()))
        calendar.run(book, 0.1)
        assert len([line for line in logged(book) if not is_remark(line)]) == 3
    assert told(text_of(config)) == [4, 5, 6]
    opened = open_log(load(config), "logger")
    with closing(opened.store):
        links = list(opened.store.links(pictures=True))
    assert [(link.record.seq, link.personal.thumbnail) for link in links] == [(4, None), (5, None), (6, b"x")]
    assert inspection(config).whole


def test_rotated_lines_of_removed_entries_go_too(config: Path) -> None:
    """Whatever time they state."""
    allow(config, keep_entries_days=10)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        book.append(log_of(*(an_access(seq, decided_ns=2 * START_NS) for seq in (1, 2, 3))))
        calendar.run(book, 0.1)
        archive = text_of(config).with_name("access_log.txt.1.gz")
        archive.write_bytes(gzip.compress(text_of(config).read_bytes()))
        calendar.run(book, 11)
    assert (told(text_of(config)), b"aaaa:2" in gzip.decompress(archive.read_bytes())) == ([3], False)


@pytest.mark.parametrize("days", [3650, -3650, 1 / 24])
def test_a_loggers_clock_that_is_set_removes_nothing(config: Path, days: float) -> None:
    """Not for one visit, and not for good; nor when the logger is started anew meanwhile."""
    allow(config, keep_entries_days=30)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        book.append(log_of(*EVENTS[:-1]))
        calendar.run(book, 1)
        calendar.set(book, days)
        book.append(log_of(EVENTS[-1]))
        calendar.set(book, -days)
        calendar.set(book, days)
        assert seqs_in(book) == ALL
    with closing(a_book(config, ages=calendar.ages)) as book:
        calendar.run(book, 27)
        assert seqs_in(book) == ALL
        calendar.run(book, 3)
        assert seqs_in(book) == ALL[-1:]


@pytest.mark.parametrize("years", [-50, -10, 10])
def test_the_brokers_clock_makes_no_entry_older(config: Path, years: int) -> None:
    """Its times stand in the entries; their age is counted from when the logger had them."""
    allow(config, keep_entries_days=30)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        at_ns = START_NS + years * 365 * DAY_NS
        book.append(log_of(*(an_access(seq, decided_ns=at_ns) for seq in (1, 2)), an_access(3)))
        calendar.run(book, 1)
        calendar.run(book, 28)
        assert seqs_in(book) == [1, 2, 3]
        calendar.run(book, 3)
        assert seqs_in(book) == [3]


def test_a_logger_that_starts_with_its_clock_far_ahead_says_so_and_removes_nothing(config: Path) -> None:
    """Until the date has stood for three days, as it would after a long time without a logger."""
    allow(config, keep_entries_days=30)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        book.append(log_of(*EVENTS))
        calendar.run(book, 1)
    calendar.wall_ns += 3650 * DAY_NS
    with closing(a_book(config, ages=calendar.ages)) as book:
        calendar.run(book, 0)
        assert book.trouble.startswith(
            "the clock went 3650 days ahead while the logger did not run; this counts"
        )
        calendar.run(book, 2)
        assert seqs_in(book) == ALL
        calendar.run(book, 1.1)
        calendar.run(book, 1)
        assert (seqs_in(book), book.trouble) == (ALL[-1:], "")


def test_events_that_will_never_come_are_noted_and_passed(config: Path) -> None:
    """The log was put back from a copy, and the journal has forgotten what the log had since."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        assert book.append(a_log(*EVENTS[5:], after_seq=3))
        assert book.trouble == "2 events, aaaa:4 to 5, are missing; the journal has them no more"
        assert book.fetch_after == Event("aaaa", len(EVENTS))
        assert "2 events, aaaa:4 to 5, are missing; the journal has them no more" in "\n".join(logged(book))
    report = inspection(config)
    assert report.whole
    assert any("2 events, aaaa:4 to 5, are missing" in line for line in report.lines)
    assert "2 events, aaaa:4 to 5, are missing" in text_of(config).read_text()


def test_a_new_source_is_noted_with_its_reason_and_no_visit_is_logged_twice(config: Path) -> None:
    """The journal was put back from a copy: it gives again what the log has, and then what is new."""
    again = [msgspec.structs.replace(event, source="bbbb") for event in EVENTS[1:3]]
    new = [an_access(4, source="bbbb", visit="new-4"), an_access(5, source="bbbb", visit="new-5")]
    answer = a_log(*again, *new, source="bbbb", reason="the journal was put back")
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS))
        assert book.append(msgspec.structs.replace(answer, repeats_to=5))
        assert book.fetch_after == Event("bbbb", 5)
        assert book.fetch(name="log", instance="log-1").visit == "new-5"
        lines = logged(book)
    assert told(text_of(config)) == [*ALL, 4, 5]
    after = f"events come from journal bbbb after event aaaa:{len(EVENTS)}: the journal was put back"
    assert any(after in line for line in lines)
    assert any("events bbbb:2 to 3 are in the log already" in line for line in lines)
    assert inspection(config).whole


def test_a_new_journal_without_events_is_noted_once(config: Path) -> None:
    """Also when the logger starts again before the first event comes."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        assert book.append(a_log(source="bbbb", after_seq=0))
        assert not book.append(a_log(source="bbbb", after_seq=0))
    with closing(a_book(config)) as book:
        assert book.keep_open()
        assert book.fetch_after == Event("bbbb", 0)
        book.append(a_log(an_access(1, source="bbbb", visit="new"), source="bbbb"))
    assert inspection(config).whole
    assert text_of(config).read_text().count("events come from journal bbbb") == 1


def test_a_logger_that_is_refused_says_so_until_it_is_served(config: Path) -> None:
    """Another process has its name, and its log is the one that is asked."""
    with closing(a_book(config)) as book:
        book.append(msgspec.structs.replace(a_log(), refused="another process, log-1, is called log too"))
        assert (book.trouble, book.is_refused) == ("another process, log-1, is called log too", True)
        book.append(log_of(*EVENTS[:3]))
        assert (book.trouble, book.is_refused) == ("", False)


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_store_that_vanishes_under_its_logger_is_said_and_begun_anew(
    config: Path, caplog: pytest.LogCaptureFixture, *, replaced: bool
) -> None:
    """What is logged afterwards is in the new store and in the text, not in a file without a name."""
    store = config.parent / "log" / "access_log.db"
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        store.unlink()
        if replaced:
            store.touch()
        assert book.append(log_of(*EVENTS[3:6]))
    assert [words for words in caplog.messages if "was removed or replaced while it was in use" in words]
    assert told(text_of(config)) == ALL[:6]
    with closing(a_book(config)) as book:
        assert book.keep_open()
        assert len(logged(book)) == 3


@pytest.mark.parametrize("forgotten", [0, 2])
def test_a_server_that_lost_its_last_commits_is_filled_again(
    config: Path, empty_database: str, forgotten: int
) -> None:
    """As after a failover: what the journal still has comes again, and the rest is noted as missing."""
    config.write_text(config.read_text().replace("witness:", f"store: '{empty_database}', witness:"))
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:6]))
        with psycopg.connect(empty_database, autocommit=True) as connection:
            for statement in (
                "DELETE FROM personal WHERE number > 3",
                "DELETE FROM entries WHERE number > 3",
                "UPDATE logs SET head_number = 3, head_hash = (SELECT hash FROM entries WHERE number = 3)",
                "UPDATE progress SET last_seq = 3",
                TERMINATE,
            ):
                connection.execute(statement)
        assert not book.append(log_of(*EVENTS[6:9]))
        wait_until(book.keep_open, lambda: book.trouble)
        assert book.fetch_after == Event("aaaa", 3)
        assert book.append(a_log(*EVENTS[3 + forgotten : 9], after_seq=3))
        assert book.fetch_after == Event("aaaa", 9)
        lines = "\n".join(logged(book))
    assert ("2 events, aaaa:4 to 5, are missing" in lines) == bool(forgotten)
    assert [told(file) for file in asides(config)] == [ALL[:6]]
    assert told(text_of(config)) == ALL[3 + forgotten : 9]
    found = inspection(config)
    assert found.whole, found.lines


def test_a_text_that_is_back_after_the_store_lost_its_end_is_left(config: Path) -> None:
    """The store has noted what is missing by then, under the numbers that the text tells."""
    store, text = text_of(config).with_suffix(".db"), text_of(config)
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
        older = store.read_bytes()
        book.append(log_of(*EVENTS[3:6]))
        aside = text.rename(config.with_name("text"))
        text.mkdir()
        store.write_bytes(older)
        wait_until(lambda: book.fetch_after.seq == 3, lambda: book.trouble, between=book.keep_open)
        assert book.append(a_log(*EVENTS[6:8], after_seq=3))
        text.rmdir()
        aside.rename(text)
        wait_until(lambda: asides(config), lambda: book.trouble, between=book.keep_open)
    assert [told(file) for file in asides(config)] == [ALL[:6]]
    assert told(text) == ALL[6:8]
    found = inspection(config)
    assert found.whole, found.lines


def test_a_text_whose_last_line_is_a_forged_note_is_left(config: Path) -> None:
    """A logger that starts moves it away, whatever the line says."""
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[:3]))
    with text_of(config).open("a") as file:
        file.write("# yesterday  note 2: nothing happened\n")
    with closing(a_book(config)) as book:
        book.append(log_of(*EVENTS[3:6]))
    assert [told(file) for file in asides(config)] == [ALL[:3]]
    assert told(text_of(config)) == ALL[3:6]


def test_what_the_operator_did_is_a_note_between_the_entries_and_is_there_once(config: Path) -> None:
    """Also when the journal gives it again under another source; a logger that starts again knows it."""
    act = an_act(2)
    with closing(a_book(config)) as book:
        book.append(a_log(an_access(1), act, an_access(3)))
        assert next(line.partition("; ")[0] for line in logged(book) if is_remark(line)).endswith(
            "operator-1 unlocked front_door at 2023-11-14 22:13:20 UTC"
        )
    with closing(a_book(config)) as book:
        assert book.keep_open()
        assert book.fetch_after == Event("aaaa", 3)
        again = [msgspec.structs.replace(one, source="bbbb") for one in (act, an_access(3))]
        log = a_log(*again, an_access(4, source="bbbb"), source="bbbb", after_seq=1)
        book.append(msgspec.structs.replace(log, repeats_to=3))
        book.append(a_log(an_act(5, source="bbbb"), source="bbbb"))
    with closing(a_book(config)) as book:
        assert book.keep_open()
        fetch = book.fetch(name="log", instance="log-1")
        assert (fetch.source, fetch.after_seq, fetch.visit) == ("bbbb", 5, "act-5")
    report = inspection(config)
    assert report.whole, report.lines
    assert sum("unlocked front_door" in line for line in report.lines) == 2
    assert told(text_of(config)) == [1, 3, 4]


def test_an_act_that_the_journal_has_twice_is_on_record_once(config: Path) -> None:
    """A web node that got no answer asked again, when the journal had forgotten the first."""
    with closing(a_book(config)) as book:
        book.append(a_log(a_deed("signed in", 1), an_access(2)))
        book.append(a_log(msgspec.structs.replace(a_deed("signed in", 3), visit="act-1")))
    remarks = [line for line in text_of(config).read_text().splitlines() if is_remark(line)]
    assert [("signed in" in line, "aaaa:3 to 3 are in the log already" in line) for line in remarks] == [
        (True, False),
        (False, True),
    ]
    assert inspection(config).whole


def test_what_accounts_did_goes_from_the_text_with_its_note(config: Path) -> None:
    """It has names as entries have."""
    allow(config, keep_entries_days=10)
    calendar = Calendar()
    with closing(a_book(config, ages=calendar.ages)) as book:
        book.append(a_log(an_access(1), a_deed('enrolled "Ann"', 2), an_access(3)))
        calendar.run(book, 0.1)
        calendar.run(book, 11)
        book.append(a_log(an_access(4), a_deed('enrolled "Bob"', 5)))
        calendar.run(book, 0.1)
    text = text_of(config).read_text()
    assert ("Ann" in text, "Bob" in text) == (False, True)
    report = inspection(config)
    assert report.whole, report.lines
