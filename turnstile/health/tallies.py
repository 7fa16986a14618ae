"""Tallies: what nodes counted, added up so that restarts do not reset it.

A node's counts start at 0 with each of its processes, and two processes may share a name for a while. A tally
adds what each process counted since this broker first heard it, or since its start if that was later. Rates
are therefore right across restarts of nodes. When the broker restarts, tallies start at 0, which monitoring
systems expect. Counts made while there was no broker are in no tally.

Pure: times are arguments.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from turnstile.health.roster import SILENT_AFTER_S
from turnstile.protocol.fields import MAX_LABELS
from turnstile.protocol.messages import Beat

FORGET_AFTER_S = 3600.0
MAX_TALLIES = 4096
MAX_PROCESSES = 16
"""Most processes of one tally: more at a time under one name, role and machine are an attack."""

MAX_NUMBERS = 100_000
"""Most counts and gauges of all tallies: some 20 MB. A site of 100 nodes has 10,000."""

MAX_HOST_CHARS = 64


class Who(NamedTuple):
    """The key of a tally: processes that share all three follow one another."""

    node: str
    role: str
    host: str


@dataclass(kw_only=True)
class Tally:
    """One node on one machine."""

    latest: Beat
    said_s: float
    totals: Counter[str] = field(default_factory=Counter)
    processes: dict[str, tuple[float, Mapping[str, int]]] = field(default_factory=dict)
    """Time and counts of each process's last beat; the process silent longest is first."""

    def is_silent(self, now_s: float) -> bool:
        """Tell whether no beat came for 3 s."""
        return now_s - self.said_s > SILENT_AFTER_S

    @property
    def numbers(self) -> int:
        """Return how many counts and gauges it holds."""
        of_processes = sum(len(counts) for _, counts in self.processes.values())
        return len(self.latest.counts) + len(self.latest.gauges) + len(self.totals) + of_processes

    def alive(self, now_s: float) -> int:
        """Return how many processes were heard in the last 3 s."""
        return sum(now_s - said_s <= SILENT_AFTER_S for said_s, _ in self.processes.values())


class Tallies:
    """The tallies of a site; the one silent longest is first."""

    def __init__(self, *, began_s: float) -> None:
        """Start; `began_s` is when this broker started."""
        self._began_s = began_s
        self._tallies: dict[Who, Tally] = {}
        self._numbers = 0

    def add(self, beat: Beat, now_s: float) -> None:
        """Add what a process counted since its previous beat."""
        who = Who(beat.node, beat.role, _plain(beat.host))
        tally = self._drop(who) or Tally(latest=beat, said_s=now_s)
        tally.latest, tally.said_s = beat, now_s
        known = tally.processes.pop(beat.instance, None)
        if known is None and len(tally.processes) >= MAX_PROCESSES:
            del tally.processes[next(iter(tally.processes))]
        before = self._first(beat, now_s) if known is None else known[1]
        for name, count in beat.counts.items():
            if name in tally.totals or len(tally.totals) < MAX_LABELS:
                tally.totals[name] += max(0, count - before.get(name, 0))
        tally.processes[beat.instance] = now_s, _higher(before, beat.counts)
        self._tallies[who] = tally
        self._numbers += tally.numbers
        while len(self._tallies) > MAX_TALLIES or self._numbers > MAX_NUMBERS:
            self._drop(next(iter(self._tallies)))

    def forget(self, now_s: float) -> None:
        """Forget processes that have been silent for an hour."""
        gone = [who for who, tally in self._tallies.items() if now_s - tally.said_s >= FORGET_AFTER_S]
        for who in gone:
            self._drop(who)

    def __iter__(self) -> Iterator[tuple[Who, Tally]]:
        return iter(self._tallies.items())

    def __len__(self) -> int:
        return len(self._tallies)

    def _drop(self, who: Who) -> Tally | None:
        tally = self._tallies.pop(who, None)
        self._numbers -= 0 if tally is None else tally.numbers
        return tally

    def _first(self, beat: Beat, now_s: float) -> Mapping[str, int]:
        """Return what a newly heard process had counted before this broker could hear it."""
        started_while_we_listened = beat.uptime_s <= now_s - self._began_s
        return {} if started_while_we_listened else beat.counts


def _higher(before: Mapping[str, int], counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the highest value of each count, so that one that goes down and up is not added twice."""
    if all(count >= before.get(name, 0) for name, count in counts.items()):
        return counts
    return {name: max(count, before.get(name, 0)) for name, count in counts.items()}


def _plain(host: str) -> str:
    """Return a machine's name as a label: short and printable."""
    return "".join(char if char.isprintable() else "?" for char in host[:MAX_HOST_CHARS])
