"""The store: the same in SQLite and in PostgreSQL."""

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import an_access
from tests.support.stores import make_version_1, seal_as_version_1
from turnstile.errors import ConfigError, LogError
from turnstile.io.log.retention import erase_person, forget_entries, forget_pictures
from turnstile.io.store.database import Database, StoreAbsentError
from turnstile.io.store.store import PAGE, LogName, Store
from turnstile.io.store.tables import entries, erasures, personal
from turnstile.log.chain import START, Personal
from turnstile.log.inspection import Inspection, KeptHead
from turnstile.log.lines import Event
from turnstile.log.notes import EventsMissing, Fact, NameErased, OperatorActed
from turnstile.protocol.messages import Access

NAME = LogName("site", "logger")
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a store may be made: a file, or a database of a real server."""
    if request.param == SQLITE:
        return str(tmp_path / "log" / "access_log.db")
    return str(request.getfixturevalue("empty_database"))


@pytest.fixture
def stores(address: str) -> Iterator[Callable[..., Store]]:
    """Give what opens stores at one address; they are closed at the end."""
    opened: list[Store] = []

    def open_store(name: LogName = NAME, *, create: bool = True) -> Store:
        opened.append(Store(Database(address), name))
        opened[-1].open(create=create)
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def some_accesses(*seqs: int, source: str = "aaaa", person: str | None = "Ann") -> list[Access]:
    """Return events with a picture."""
    return [an_access(seq, source=source, person=person, thumbnail=b"jpeg %d" % seq) for seq in seqs]


def numbers(store: Store) -> list[tuple[int, str, int]]:
    """Return number, source and seq of each entry."""
    return [(link.record.number, link.record.source, link.record.seq) for link in store.links()]


def findings(store: Store) -> list[str]:
    """Return what an inspection of the whole log finds."""
    inspection = Inspection(store.floor)
    inspection.expect([KeptHead(store.head, "the store has")])
    for link in store.chain(after=store.floor.number, pictures=True):
        inspection.take(link)
    return [finding.words for finding in inspection.finish(store.progress.last_seqs)]


def facts(store: Store) -> list[Fact]:
    """Return what the notes of a log say."""
    return [link.note.fact for link in store.notes(up_to=store.head.number)]


def test_what_is_stored_is_given_back_as_it_was(stores: Callable[..., Store]) -> None:
    """Every field survives, so that the chain verifies."""
    store = stores()
    written = store.append(some_accesses(1, 2, 3), text_number=0)
    assert list(store.links(pictures=True)) == written
    assert [link.personal.thumbnail for link in store.links()] == [None, None, None]
    assert store.newest(2) == list(store.links())[1:]
    assert findings(store) == []


def test_extreme_values_survive(stores: Callable[..., Store]) -> None:
    """The largest numbers, no box, no distance, no person, and text that no name forbids."""
    most = 2**63 - 1
    access = Access(
        source="f" * 32,
        seq=most,
        camera="c" * 63,
        verdict="denied",
        reason=an_access(verdict="denied").reason,
        person=None,
        distance=None,
        margin=-0.0,
        votes=most,
        of=most,
        visit="ünïcode \0 '\"; DROP TABLE entries;--",
        decided_ns=most,
        captured_ns=0,
        frame_seq=most,
        recognizer="r",
    )
    store = stores()
    written = store.append([access], text_number=0)
    assert list(store.links(pictures=True)) == written
    assert findings(store) == []


def test_a_store_opened_again_goes_on_where_it_was(stores: Callable[..., Store]) -> None:
    """Head, progress of each journal, and the place of the text."""
    first = stores()
    first.append(some_accesses(1, 2), text_number=0)
    first.append(some_accesses(7, source="bbbb"), text_number=2)
    first.append(some_accesses(3), text_number=3)
    second = stores()
    assert (second.head, second.text_number) == (first.head, 3)
    assert second.progress.fetch_after == Event("aaaa", 3)
    assert second.progress.has(Event("bbbb", 7))
    second.append(some_accesses(8, source="bbbb"), text_number=4)
    assert stores().progress.fetch_after == Event("bbbb", 8)
    assert numbers(second) == [(1, "aaaa", 1), (2, "aaaa", 2), (3, "bbbb", 7), (4, "aaaa", 3), (5, "bbbb", 8)]
    assert findings(second) == []


def test_several_sites_share_one_store(stores: Callable[..., Store]) -> None:
    """Each has its own numbers, its own chain, and events of the same journal if it likes."""
    logs = [stores(LogName(site, "logger")) for site in ("north", "south")]
    for log in logs:
        log.append(some_accesses(1), text_number=0)
    logs[0].append(some_accesses(2), text_number=0)
    assert [numbers(log) for log in logs] == [[(1, "aaaa", 1), (2, "aaaa", 2)], [(1, "aaaa", 1)]]
    assert logs[0].head.hash != logs[1].head.hash
    assert findings(logs[0]) == findings(logs[1]) == []


def test_two_writers_of_one_log_cannot_fork_it(stores: Callable[..., Store]) -> None:
    """The one that comes second is refused whole, and goes on properly once it has looked again."""
    first, second = stores(), stores()
    first.append(some_accesses(1, 2), text_number=0)
    with pytest.raises(LogError, match="put back or written by somebody else"):
        second.append(some_accesses(1, 2), text_number=0)
    again = stores()
    again.append(some_accesses(3), text_number=0)
    assert numbers(again) == [(1, "aaaa", 1), (2, "aaaa", 2), (3, "aaaa", 3)]
    assert findings(again) == []


def test_an_event_is_never_stored_twice(stores: Callable[..., Store]) -> None:
    """The database itself refuses, whatever the program believes."""
    store = stores()
    store.append(some_accesses(1), text_number=0)
    with pytest.raises(LogError):
        store.append(some_accesses(1), text_number=0)
    assert numbers(stores()) == [(1, "aaaa", 1)]


def test_a_place_is_found_by_its_event(stores: Callable[..., Store]) -> None:
    """Or by the one before it in the same journal."""
    store = stores()
    store.append(some_accesses(5, 6), text_number=0)
    store.append(some_accesses(1, source="bbbb"), text_number=0)
    assert [store.number_at(Event("aaaa", seq)) for seq in (4, 5, 6, 99)] == [None, 1, 2, 2]
    assert store.number_at(Event("cccc", 1)) is None
    assert (store.first_of("bbbb"), store.first_of("cccc")) == (3, None)


def test_long_logs_come_in_pages(stores: Callable[..., Store]) -> None:
    """Nobody holds the store for longer than a page."""
    store = stores()
    store.append(some_accesses(*range(1, PAGE + 3)), text_number=0)
    assert [link.record.number for link in store.links()] == list(range(1, PAGE + 3))
    assert len(store.page()) == PAGE
    assert [link.record.number for link in store.page(after=PAGE)] == [PAGE + 1, PAGE + 2]


def test_an_absent_store_is_not_made_by_reading(address: str) -> None:
    """A wrong path in a command leaves nothing behind."""
    with pytest.raises(StoreAbsentError):
        Store(Database(address), NAME).open(create=False)
    assert "://" in address or not Path(address).exists()


def test_a_log_that_was_never_written_is_absent(stores: Callable[..., Store]) -> None:
    """The store is there, but has no log of that name."""
    stores()
    with pytest.raises(StoreAbsentError, match="no log of site/other"):
        stores(LogName("site", "other"), create=False)


def test_a_store_of_another_version_is_refused(stores: Callable[..., Store]) -> None:
    """It is not guessed at."""
    store = stores()
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE turnstile_schema SET version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        stores()


def test_an_erased_person_has_a_pseudonym_and_nothing_else(stores: Callable[..., Store]) -> None:
    """The chain verifies; other people keep their names, also in other logs of the store."""
    store, other = stores(), stores(LogName("other", "logger"))
    for log in (store, other):
        log.append([*some_accesses(1, 2), *some_accesses(3, person="Bob")], text_number=0)
    assert erase_person(store, "Ann", "erased-1") == 2
    gone = Personal(None, None, None, None, "erased-1")
    assert [link.personal for link in store.links(pictures=True)][:2] == [gone, gone]
    assert [link.personal.person for link in store.links()] == [None, None, "Bob"]
    assert [link.personal.person for link in other.links()] == ["Ann", "Ann", "Bob"]
    assert facts(store) == [NameErased(pseudonym="erased-1", entries=2)]
    assert findings(store) == findings(other) == []
    assert erase_person(store, "Ann", "erased-2") == 0
    store.database.clean()
    store.append(some_accesses(4, person="Ann"), text_number=0)
    assert erase_person(store, "Ann", "erased-1") == 1
    assert facts(store)[1:] == [NameErased(pseudonym="erased-1", entries=1)]
    assert findings(store) == []


def test_pictures_are_forgotten_up_to_an_entry(stores: Callable[..., Store]) -> None:
    """Names and entries stay."""
    store = stores()
    store.append([an_access(seq, thumbnail=b"x") for seq in (1, 2, 3)], text_number=0)
    assert forget_pictures(store, up_to=2, before_ns=30) == 2
    assert forget_pictures(store, up_to=2, before_ns=30) == 0
    assert [link.personal.thumbnail for link in store.links(pictures=True)] == [None, None, b"x"]
    assert findings(store) == []


def test_entries_are_forgotten_from_the_oldest_on(stores: Callable[..., Store]) -> None:
    """The chain starts after them; the newest stays."""
    store = stores()
    store.append([an_access(seq) for seq in range(1, 6)], text_number=0)
    assert forget_entries(store, up_to=2, before_ns=40) == 2
    assert forget_entries(store, up_to=2, before_ns=40) == 0
    assert [link.record.number for link in store.links()] == [3, 4, 5]
    assert store.floor.number == stores().floor.number == 2
    assert findings(store) == []
    assert forget_entries(store, up_to=9, before_ns=1000) == 2
    assert [link.record.number for link in stores().links()] == [5]
    store.append(some_accesses(6), text_number=0)
    assert findings(store) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entries SET verdict = 'denied' WHERE number = 2", "entry 2 was changed"),
        ("UPDATE personal SET person = 'Eve' WHERE number = 3", "the name of entry 3 was changed"),
        ("DELETE FROM entries WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM personal WHERE number = 2", "the name of entry 2 is missing"),
        ("DELETE FROM entries WHERE number = 4", "the end of the log is cut off"),
    ],
)
def test_tampering_with_the_tables_is_found(stores: Callable[..., Store], statement: str, found: str) -> None:
    """Whoever can write the database cannot do so unseen."""
    store = stores()
    store.append(some_accesses(1, 2, 3, 4), text_number=0)
    with store.database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert any(found in words for words in findings(store))


def test_a_command_and_the_logger_may_write_one_log_in_turn(stores: Callable[..., Store]) -> None:
    """Each reads the head again in the transaction that extends it, so the chain does not fork."""
    logger, command = stores(), stores()
    logger.append(some_accesses(1, 2), text_number=0)
    assert erase_person(command, "Ann", "erased-1") == 2
    logger.append(some_accesses(3, person="Bob"), text_number=0)
    assert [link.record.number for link in logger.links()] == [1, 2, 4]
    assert findings(logger) == []


def test_a_gap_is_passed_with_a_note(stores: Callable[..., Store]) -> None:
    """Events go on after it, also after a restart, and an inspection accounts for it."""
    store = stores()
    store.append(some_accesses(1), text_number=0)
    gap = EventsMissing(source="aaaa", first_seq=2, last_seq=7)
    store.note(gap, at_ns=5)
    assert stores().progress.fetch_after == Event("aaaa", 7)
    store.append(some_accesses(8), text_number=0)
    assert (facts(store), findings(store)) == ([gap], [])


def test_a_store_of_version_1_is_brought_up_to_date(stores: Callable[..., Store]) -> None:
    """What it erased and removed before there were notes is noted; a reader asks for that first."""
    store = stores()
    store.append([*some_accesses(1, 2), *some_accesses(3, person="Bob")], text_number=0)
    seal_as_version_1(store)
    erase_person(store, "Ann", "erased-1")
    make_version_1(store)
    with store.database.writing() as connection:
        row = {"log_id": store.id, "pseudonym": "erased-1", "erased_ns": 1, "entries": 2}
        connection.execute(erasures.insert().values(**row))
    with pytest.raises(LogError, match="start its logger once"):
        stores(create=False)
    upgraded = stores()
    assert facts(upgraded) == [NameErased(pseudonym="erased-1", entries=2)]
    assert findings(upgraded) == []


def test_a_store_of_version_2_is_brought_up_to_date(stores: Callable[..., Store]) -> None:
    """It had no acts of accounts; those that an operator had are as they were."""
    store = stores()
    store.append(some_accesses(1), text_number=0)
    act = OperatorActed(source="aaaa", seq=2, act="act-2", camera="front_door", asker="operator-1", at_ns=5)
    store.note(act, at_ns=5)
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE act_words")
        connection.exec_driver_sql("UPDATE turnstile_schema SET version = 2")
    with pytest.raises(LogError, match="of version 2; start its logger once"):
        stores(create=False)
    upgraded = stores()
    assert (facts(upgraded), findings(upgraded)) == ([act], [])


def test_the_nearest_person_of_somebody_unknown_is_kept_and_can_be_erased(
    stores: Callable[..., Store],
) -> None:
    """The entry has the name for operators, and an erasure replaces it without breaking the chain."""
    store = stores()
    unknown = an_access(1, verdict="denied", person=None)
    store.append([msgspec.structs.replace(unknown, nearest="Ann", max_distance=0.3)], text_number=0)
    (link,) = store.links()
    assert (link.personal.person, link.personal.nearest, link.record.max_distance) == (None, "Ann", 0.3)
    assert store.spellings("ann") == ["Ann"]
    assert erase_person(store, "Ann", "erased-1") == 1
    assert [one.personal.nearest for one in store.links()] == ["erased-1"]
    assert findings(store) == []


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        ({"nearest": "Bob"}, "the nearest person of entry 1 was changed"),
        ({"nearest": None, "nearest_salt": None}, "the nearest person of entry 1 is missing"),
        ({"nearest_salt": None}, "the name of entry 1 was replaced, but no erasure is on record"),
    ],
)
def test_a_nearest_person_that_was_changed_is_found(
    stores: Callable[..., Store], forged: dict[str, object], words: str
) -> None:
    """Whoever can write the database cannot put another name there unseen."""
    store = stores()
    unknown = an_access(1, verdict="denied", person=None)
    store.append([msgspec.structs.replace(unknown, nearest="Ann")], text_number=0)
    with store.database.writing() as connection:
        connection.execute(personal.update().values(**forged))
    assert findings(store) == [words]


def test_swapped_rows_are_found(stores: Callable[..., Store]) -> None:
    """Both are named, each with the place of the other."""
    store = stores()
    store.append(some_accesses(1, 2, 3, 4), text_number=0)
    with store.database.writing() as connection:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            connection.execute(entries.update().where(entries.c.number == old).values(number=new))
    assert findings(store) == [
        "entry 2 was moved: it is what was written as entry 3",
        "entry 3 was moved: it is what was written as entry 2",
    ]


def test_a_sqlite_store_is_its_owners_only(tmp_path: Path) -> None:
    """Also one that was not."""
    path = tmp_path / "new" / "access_log.db"
    for _ in range(2):
        with closing(Store(Database(str(path)), NAME)) as store:
            store.open()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)


def test_sqlite_commits_survive_a_power_cut_and_deletions_are_overwritten(tmp_path: Path) -> None:
    """The settings that this rests on are in force."""
    database = Database(str(tmp_path / "access_log.db"))
    with closing(Store(database, NAME)) as store:
        store.open()
        with database.reading() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "secure_delete")
            }
    assert found == {"journal_mode": "truncate", "synchronous": 2, "secure_delete": 1}


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    """Neither text nor somebody else's database is written to."""
    diary, other = tmp_path / "diary", tmp_path / "other.db"
    diary.write_text("my diary, long enough to be taken for a database's first page\n" * 20)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = diary.read_bytes(), other.read_bytes()
    for path, words in ((diary, "is no database"), (other, "something else")):
        with pytest.raises(ConfigError, match=words):
            Store(Database(str(path)), NAME).open()
    assert (diary.read_bytes(), other.read_bytes()) == before


def test_a_store_in_use_is_said_so_and_waited_for(tmp_path: Path) -> None:
    """Somebody who holds the file for long delays entries and loses none."""
    path = tmp_path / "access_log.db"
    with closing(Store(Database(str(path), patience_s=0.05), NAME)) as store:
        store.open()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LogError, match="another program uses it"):
                store.append(some_accesses(1), text_number=0)
        store.open()
        assert store.head == START
        store.append(some_accesses(1), text_number=0)
        assert store.head.number == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://host/db", "mysql"),
        ("postgresql://user:secret@host/db", "password"),
        ("postgresql://user@host:port/db", "not an address"),
    ],
)
def test_wrong_addresses_are_refused(address: str, words: str) -> None:
    """With what is wrong, and never with the password."""
    with pytest.raises(ConfigError, match=words) as refused:
        Database(address)
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_an_error_that_passes(tmp_path: Path) -> None:
    """The logger tries again; the words are the server's."""
    store = Store(Database(f"postgresql://nobody@/nothing?host={tmp_path}"), NAME)
    with pytest.raises(LogError, match="cannot be opened"):
        store.open()


def test_loggers_that_start_at_once_make_the_tables_once(empty_database: str) -> None:
    """Four new connections to an empty database."""
    together = threading.Barrier(4)

    def begin(name: str) -> int:
        with closing(Store(Database(empty_database), LogName("site", name))) as store:
            together.wait()
            store.open()
            store.append(some_accesses(1), text_number=0)
            return store.id

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(begin, "abcd"))
    assert len(set(ids)) == 4
