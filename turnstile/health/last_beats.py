"""The last beat of every process, which the broker repeats to newcomers; else they would wait a second.

Pure: times are arguments. Beats are kept as they came on the wire, which takes a tenth of the memory. When
there are too many, or too many bytes of them, the process that was silent longest is forgotten. A peer that
invents names therefore pushes out its own, not those that beat every second.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Beat, decode, encode
from turnstile.protocol.topics import topic

FORGET_AFTER_S = 3600.0
MAX_PROCESSES = 4096
MAX_PROCESSES_OF_A_NODE = 16
MAX_BYTES = 16 * 2**20
"""Of all that is kept: 800 beats of the largest size. Most are of 1 kB."""


class _KeptBeat(NamedTuple):
    at_s: float
    node: str
    body: bytes


class LastBeats:
    """Beats by process; the process silent longest is first."""

    def __init__(self, *, at_most: int = MAX_PROCESSES, max_bytes: int = MAX_BYTES) -> None:
        self._at_most, self._max_bytes = at_most, max_bytes
        self._beats: dict[str, _KeptBeat] = {}
        self._bytes = 0
        self._of_node: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._beats)

    def keep(self, beat: Beat, now_s: float) -> None:
        """Replace the process's previous beat."""
        self._drop(beat.instance)
        body = encode(beat)
        if self._of_node[beat.node] >= MAX_PROCESSES_OF_A_NODE:
            self._drop(next(instance for instance, kept in self._beats.items() if kept.node == beat.node))
        while self._beats and (
            len(self._beats) >= self._at_most or self._bytes + len(body) > self._max_bytes
        ):
            self._drop(next(iter(self._beats)))
        self._beats[beat.instance] = _KeptBeat(now_s, beat.node, body)
        self._bytes += len(body)
        self._of_node[beat.node] += 1

    def under(self, prefix: str, now_s: float) -> Iterator[Beat]:
        """Yield the beats whose topics start with `prefix`, each with its age."""
        for kept in self._beats.values():
            if topic("status", kept.node).startswith(prefix):
                beat = decode(kept.body)
                assert isinstance(beat, Beat)  # noqa: S101 - it was kept as one
                yield msgspec.structs.replace(beat, age_s=now_s - kept.at_s)

    def forget(self, now_s: float) -> None:
        """Forget processes that have been silent for an hour."""
        for instance in [one for one, kept in self._beats.items() if now_s - kept.at_s >= FORGET_AFTER_S]:
            self._drop(instance)

    def _drop(self, instance: str) -> None:
        kept = self._beats.pop(instance, None)
        if kept is not None:
            self._bytes -= len(kept.body)
            self._of_node[kept.node] -= 1
            if not self._of_node[kept.node]:
                del self._of_node[kept.node]
