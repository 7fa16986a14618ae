"""Which entries of a log are old enough: marks of how many there were, on `turnstile.log.age`'s clock."""

import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, func, select

from turnstile.io.runner.clock import running_ns
from turnstile.io.store.store import Store
from turnstile.io.store.tables import age_clocks, marks
from turnstile.log.age import AgeClock, Look, look


class Ages:
    """How old the entries of one log are.

    Attributes:
        clock: as of the latest look; `None` before the first.
        running_ns: the clock that runs.
    """

    def __init__(
        self,
        store: Store,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        running_ns: Callable[[], int] = running_ns,
    ) -> None:
        """Prepare; the clocks are arguments for tests."""
        self.clock: AgeClock | None = None
        self._store, self._wall_ns, self.running_ns = store, wall_ns, running_ns
        self._looked_ns: int | None = None

    def look(self) -> None:
        """Mark how many entries there are now, and move the marks if the clock was set.

        Raises:
            LogError: the store failed.
        """
        store, now_ns = self._store, self.running_ns()
        ran_ns = None if self._looked_ns is None else now_ns - self._looked_ns
        with store.database.writing() as connection:
            before = _read(connection, store.id)
            marked = _newest_mark(connection, store.id)
            seen = look(before, wall_ns=self._wall_ns(), ran_ns=ran_ns, newest=marked)
            _move(connection, store.id, before, seen)
            _write(connection, store.id, seen.clock)
            _mark(connection, store, seen.clock.at_ns)
        self.clock, self._looked_ns = seen.clock, now_ns

    def older_than(self, before_ns: int) -> int:
        """Return the number of the newest entry that was there before a time; 0 if none was.

        Raises:
            LogError: the store failed.
        """
        mine = (marks.c.log_id == self._store.id, marks.c.at_ns < before_ns)
        with self._store.database.reading() as connection:
            found = connection.execute(select(func.max(marks.c.number)).where(*mine)).scalar_one()
        return int(found or 0)


def _read(connection: Connection, log_id: int) -> AgeClock | None:
    row = connection.execute(select(age_clocks).where(age_clocks.c.log_id == log_id)).mappings().one_or_none()
    return None if row is None else AgeClock(**{name: row[name] for name in AgeClock.__struct_fields__})


def _write(connection: Connection, log_id: int, clock: AgeClock) -> None:
    values = msgspec.structs.asdict(clock)
    update = age_clocks.update().where(age_clocks.c.log_id == log_id).values(**values)
    if not connection.execute(update).rowcount:
        connection.execute(age_clocks.insert().values(log_id=log_id, **values))


def _move(connection: Connection, log_id: int, before: AgeClock | None, seen: Look) -> None:
    mine = marks.c.log_id == log_id
    if seen.set_by_ns:
        moved = marks.update().where(mine).values(at_ns=marks.c.at_ns + seen.set_by_ns)
        connection.execute(moved)
    if seen.aged_ns and before is not None:
        older = marks.update().where(mine, marks.c.number <= before.withheld_up_to)
        connection.execute(older.values(at_ns=marks.c.at_ns - seen.aged_ns))


def _newest_mark(connection: Connection, log_id: int) -> int:
    newest = select(func.max(marks.c.number)).where(marks.c.log_id == log_id)
    return int(connection.execute(newest).scalar_one() or 0)


def _mark(connection: Connection, store: Store, at_ns: int) -> None:
    """Note when there were so many entries; marks of entries that are gone go too."""
    mine = marks.c.log_id == store.id
    connection.execute(marks.delete().where(mine, marks.c.number <= store.floor.number))
    if store.head.number > max(_newest_mark(connection, store.id), store.floor.number):
        connection.execute(marks.insert().values(log_id=store.id, number=store.head.number, at_ns=at_ns))
