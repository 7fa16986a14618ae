"""When each person was granted entry last, remembered so that only new entries are read."""

from sqlalchemy import and_, func, select

from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, personal
from turnstile.log.notes import EntriesRemoved, NameErased
from turnstile.protocol.names import name_key

ENTRIES_AT_ONCE = 20_000

Seen = tuple[int, str, str]
"""When, at which camera, and which event."""


class LastSeen:
    """Who was granted entry last, by person and camera. Belongs to the store's thread."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._up_to = 0
        self._found: dict[tuple[str, str], Seen] = {}

    def people(self, store: Store, *, doors: tuple[str, ...]) -> dict[str, Seen]:
        """Return by name when and where everybody was granted entry last, at some doors or at all.

        Raises:
            LogError: the store cannot be read.
        """
        self._keep_up(store)
        spelt: dict[str, tuple[str, Seen]] = {}
        for (person, camera), seen in self._found.items():
            if doors and camera not in doors:
                continue
            key = name_key(person)
            if key not in spelt or spelt[key][1] < seen:
                spelt[key] = (person, seen)
        return dict(spelt.values())

    def _keep_up(self, store: Store) -> None:
        head = store.head.number
        if head < self._up_to or self._has_forgotten(store):
            self._up_to, self._found = 0, {}
        while self._up_to < head:
            after = max(self._up_to, store.floor.number)
            self._read(store, after=after, up_to=min(head, after + ENTRIES_AT_ONCE))

    def _read(self, store: Store, *, after: int, up_to: int) -> None:
        """Take in some entries, in one transaction that holds up no writer."""
        there = entries.join(
            personal, and_(personal.c.log_id == entries.c.log_id, personal.c.number == entries.c.number)
        )
        mine = entries.c.log_id == store.id
        granted = (
            mine,
            entries.c.number > after,
            entries.c.number <= up_to,
            entries.c.verdict == "granted",
            personal.c.person.is_not(None),
        )
        by_both = (personal.c.person, entries.c.camera)
        newest = select(func.max(entries.c.number)).select_from(there).where(*granted).group_by(*by_both)
        shown = (*by_both, entries.c.decided_ns, entries.c.source, entries.c.seq)
        query = select(*shown).select_from(there).where(mine, entries.c.number.in_(newest))
        with store.database.reading() as connection:
            for person, camera, at_ns, source, seq in connection.execute(query):
                self._found[person, camera] = (at_ns, camera, f"{source}:{seq}")
        self._up_to = up_to

    def _has_forgotten(self, store: Store) -> bool:
        """Tell whether names or entries that were read may be gone."""
        since = store.notes(after=self._up_to, up_to=store.head.number)
        return any(isinstance(link.note.fact, NameErased | EntriesRemoved) for link in since)
