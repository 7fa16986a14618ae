"""Unknown people on disk: kept for some days, for their owner only, one group a face."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.strangers.test_groups import UNIT, near
from tests.support.rights import shut_out_of
from turnstile.errors import TurnstileError
from turnstile.io.strangers.store import DAY_NS, UnknownStore, UnknownVisit

NOW_NS = 1_700_000_000 * 10**9


def a_visit(seq: int, *, face: int = 1, at_ns: int = NOW_NS, nearest: str | None = None) -> UnknownVisit:
    """Return a visit of somebody unknown."""
    return UnknownVisit(f"aa:{seq}", "door", at_ns, nearest, 0.5, near(face), b"jpeg")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where the file is to be."""
    return tmp_path / "var" / "unknowns.db"


@pytest.fixture
def store(path: Path) -> Iterator[UnknownStore]:
    """Give an empty store."""
    with closing(UnknownStore(path, UNIT, keep_days=7)) as store:
        yield store


def events(store: UnknownStore, now_ns: int = NOW_NS) -> list[list[str]]:
    """Return the events of each face."""
    return [[visit.event for visit in visits] for visits, _ in store.groups(now_ns)]


def test_visits_of_one_face_are_together_also_after_a_restart(store: UnknownStore, path: Path) -> None:
    """The file is its owner's only."""
    for seq, face in ((1, 1), (2, 2), (3, 1)):
        store.keep(a_visit(seq, face=face), NOW_NS)
    assert events(store) == [["aa:1", "aa:3"], ["aa:2"]]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(UnknownStore(path, UNIT, keep_days=7)) as again:
        assert events(again) == [["aa:1", "aa:3"], ["aa:2"]]


def test_what_is_too_old_is_deleted(store: UnknownStore, path: Path) -> None:
    """From the file, too."""
    store.keep(a_visit(1, at_ns=NOW_NS - 6 * DAY_NS), NOW_NS)
    store.keep(a_visit(2, face=2), NOW_NS)
    assert events(store, NOW_NS + 2 * DAY_NS) == [["aa:2"]]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT event FROM visits").fetchall() == [("aa:2",)]


def test_with_no_days_nothing_is_kept(path: Path) -> None:
    """Not even a file."""
    with closing(UnknownStore(path, UNIT, keep_days=0)) as store:
        store.keep(a_visit(1), NOW_NS)
        assert events(store) == []
    assert not path.exists()


def test_an_ignored_face_stays_ignored_when_it_comes_again(store: UnknownStore, path: Path) -> None:
    """Also once its earlier visits are discarded, and after a restart; until that is taken back."""
    store.keep(a_visit(1), NOW_NS)
    store.keep(a_visit(2, face=2), NOW_NS)
    assert store.ignore(["aa:1"], undo=False) == 1
    store.discard(["aa:1"])
    with closing(UnknownStore(path, UNIT, keep_days=7)) as again:
        again.keep(a_visit(3), NOW_NS)
        assert [ignored for _, ignored in again.groups(NOW_NS)] == [False, True]
        again.ignore(["aa:3"], undo=True)
        assert [ignored for _, ignored in again.groups(NOW_NS)] == [False, False]


def test_who_is_erased_is_forgotten_by_all_who_have_the_file(store: UnknownStore, path: Path) -> None:
    """A command may do it while the broker runs."""
    store.keep(a_visit(1, nearest="Ann Lee"), NOW_NS)
    store.keep(a_visit(2, face=2, nearest="Bob"), NOW_NS)
    with closing(UnknownStore(path, UNIT, keep_days=7)) as command:
        assert command.forget_person("ann LEE") == 1
    assert events(store) == [["aa:2"]]
    assert b"Ann" not in path.read_bytes()


def test_faces_of_another_engine_are_dropped(store: UnknownStore, path: Path) -> None:
    """Their encodings cannot be compared."""
    store.keep(a_visit(1), NOW_NS)
    with closing(UnknownStore(path, "another/mirror", keep_days=7)) as other:
        assert events(other) == []


def test_of_what_is_gone_nothing_is_done(store: UnknownStore) -> None:
    """It is said."""
    with pytest.raises(TurnstileError, match="nothing is kept"):
        store.visits_of(["aa:1"])


def test_a_damaged_file_is_said_and_heals_when_it_is_removed(store: UnknownStore, path: Path) -> None:
    """The broker goes on meanwhile."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all, only some text that is long enough" * 100)
    with pytest.raises(TurnstileError, match="cannot be used"):
        store.keep(a_visit(1), NOW_NS)
    path.unlink()
    store.keep(a_visit(1), NOW_NS)
    assert events(store) == [["aa:1"]]


def test_what_was_kept_before_nothing_is_to_be_kept_goes(store: UnknownStore, path: Path) -> None:
    """Without anybody asking for it."""
    store.keep(a_visit(1), NOW_NS)
    with closing(UnknownStore(path, UNIT, keep_days=0)) as other:
        other.trim(NOW_NS + 1)
    assert events(store) == []


def test_where_nobody_was_kept_there_is_no_file(store: UnknownStore, path: Path) -> None:
    """Looking makes none."""
    store.trim(NOW_NS)
    assert not path.exists()


def test_who_is_erased_is_not_among_the_faces_to_ignore_either(store: UnknownStore, path: Path) -> None:
    """An encoding is a face as much as a picture is."""
    store.keep(a_visit(1, nearest="Ann Lee"), NOW_NS)
    store.keep(a_visit(2, face=2, nearest="Bob"), NOW_NS)
    store.ignore(["aa:1"], undo=False)
    store.ignore(["aa:2"], undo=False)
    with closing(UnknownStore(path, UNIT, keep_days=0)) as command:
        assert command.forget_person("ann lee") == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT event FROM ignored").fetchall() == [("aa:2",)]


def test_what_was_kept_while_the_clock_was_ahead_is_kept_no_longer_than_the_rest(
    store: UnknownStore,
) -> None:
    """Its days are counted from when the clock is right again."""
    store.keep(a_visit(1, at_ns=NOW_NS + 3650 * DAY_NS), NOW_NS)
    assert events(store, NOW_NS) == [["aa:1"]]
    assert events(store, NOW_NS + 6 * DAY_NS) == [["aa:1"]]
    assert events(store, NOW_NS + 8 * DAY_NS) == []


def test_a_file_that_is_put_in_its_place_counts(store: UnknownStore, path: Path) -> None:
    """What is erased there is not shown any more, and what comes is kept there."""
    store.keep(a_visit(1, nearest="Ann"), NOW_NS)
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    with closing(UnknownStore(path, UNIT, keep_days=0)) as command:
        assert command.forget_person("Ann") == 1
    store.keep(a_visit(2), NOW_NS)
    assert events(store) == [["aa:2"]]


def test_a_folder_that_cannot_be_looked_into_is_not_an_empty_one(store: UnknownStore, path: Path) -> None:
    """Who is erased may be in it."""
    store.keep(a_visit(1, nearest="Ann"), NOW_NS)
    with (
        closing(UnknownStore(path, UNIT, keep_days=0)) as command,
        shut_out_of(path.parent),
        pytest.raises(TurnstileError, match="Permission denied"),
    ):
        command.forget_person("Ann")
