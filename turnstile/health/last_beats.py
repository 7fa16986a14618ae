"""The last beat of every process, which the broker repeats to newcomers; else they would wait a second.

Pure: times are arguments. When there are too many, the process that was silent longest is forgotten. A peer
that invents names therefore pushes out its own, not those that beat every second.
"""

from collections.abc import Iterator

import msgspec

from turnstile.protocol.messages import Beat
from turnstile.protocol.topics import topic

FORGET_AFTER_S = 3600.0
MAX_PROCESSES = 4096


class LastBeats:
    """Beats by process; the process silent longest is first."""

    def __init__(self, *, at_most: int = MAX_PROCESSES) -> None:
        self._at_most = at_most
        self._beats: dict[str, tuple[float, Beat]] = {}

    def __len__(self) -> int:
        return len(self._beats)

    def keep(self, beat: Beat, now_s: float) -> None:
        """Replace the process's previous beat."""
        if self._beats.pop(beat.instance, None) is None and len(self._beats) >= self._at_most:
            del self._beats[next(iter(self._beats))]
        self._beats[beat.instance] = now_s, beat

    def under(self, prefix: str, now_s: float) -> Iterator[Beat]:
        """Yield the beats whose topics start with `prefix`, each with its age."""
        for at_s, beat in self._beats.values():
            if topic("status", beat.node).startswith(prefix):
                yield msgspec.structs.replace(beat, age_s=now_s - at_s)

    def forget(self, now_s: float) -> None:
        """Forget processes that have been silent for an hour."""
        gone = [instance for instance, (at_s, _) in self._beats.items() if now_s - at_s >= FORGET_AFTER_S]
        for instance in gone:
            del self._beats[instance]
