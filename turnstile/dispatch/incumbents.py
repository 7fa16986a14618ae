"""Which process of a camera is served when two have its name, as with a site file copied to another machine.

Frames of two cameras under one name cannot be told apart later: people at the second would be linked to those
at the first, and never logged. So the process that came first is served, for as long as it says anything.

Pure: times are arguments, monotonic nanoseconds.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

SILENT_NS = 3_000_000_000
"""A process that says nothing for so long gives way to the next; beats come each second."""

MAX_PROCESSES = 4
"""Remembered of one name."""


class Rivalry(NamedTuple):
    """Two processes of one name: the one that is served, and one that is not."""

    name: str
    served: str
    refused: str


@dataclass(kw_only=True)
class _Claim:
    since_ns: int
    heard_ns: int
    refused_ns: int | None = None


@dataclass(kw_only=True)
class Incumbents:
    """The processes of each name, the one that came first in front."""

    _names: dict[str, dict[str, _Claim]] = field(default_factory=dict)

    def hear(self, name: str, instance: str, now_ns: int) -> bool:
        """Note that a process says something; tell whether it is the one that is served.

        An older process stands before it only if it was heard since this one came: then it is not a process
        that this one replaces.
        """
        known = self._names.setdefault(name, {})
        own = known.get(instance)
        if own is not None and len(known) == 1:
            own.heard_ns, own.refused_ns = now_ns, None
            return True
        for gone in [one for one, process in known.items() if now_ns - process.heard_ns > SILENT_NS]:
            del known[gone]
        if instance not in known and len(known) >= MAX_PROCESSES:
            return False
        own = known.setdefault(instance, _Claim(since_ns=now_ns, heard_ns=now_ns))
        own.heard_ns = now_ns
        older = [one for one in known.values() if one.since_ns < own.since_ns]
        served = all(one.heard_ns <= own.since_ns for one in older)
        own.refused_ns = None if served else now_ns
        return served

    def rivalries(self, now_ns: int) -> list[Rivalry]:
        """Return who is refused at present, and for whom."""
        return [
            Rivalry(name, next(iter(known)), instance)
            for name, known in self._names.items()
            for instance, process in known.items()
            if process.refused_ns is not None and now_ns - process.refused_ns <= SILENT_NS
        ]

    def forget(self, name: str) -> None:
        """Drop what is held for a name that is gone."""
        self._names.pop(name, None)
