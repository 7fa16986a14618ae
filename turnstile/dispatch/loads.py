"""How each camera is served: results a second, how long it waits for its turn, how old a result's frame is.

A slot holds only a camera's newest frame, which is never old. Its age therefore does not show a lack of
recognizers. The wait of the camera does: the time since its first frame after the last handed-out one.
Without recognizers it grows for ever. This is `queue age`.

Pure: times are arguments, monotonic nanoseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from turnstile.protocol.state import BUSY_SHARE

MAX_TOLD = 24
"""Most cameras in one beat, which has room for 128 values."""

MAX_LABEL_CHARS = 64

LONG_WAIT_MS = 1000.0
"""The site cannot keep up when a camera waits longer for a recognizer."""

MIN_SHARE, MAX_COSTLY = 0.1, 8
"""A camera is costly if it takes as much of the recognizers' time, or the most; at most so many are told."""


@dataclass(kw_only=True)
class _Camera:
    waiting_since_ns: int = 0
    """When the first frame after the last handed-out one came; 0 if none waits."""
    longest_wait_ns: int = 0
    """Of those that ended in this period."""
    results: int = 0
    oldest_ns: int = 0
    busy_ms: float = 0.0
    """How long recognizers worked on its frames."""


class Loads:
    """The cameras' turns and results, in periods that end with each beat."""

    def __init__(self, *, first: Sequence[str] = ()) -> None:
        """Start; the cameras in `first` are told of before others."""
        self._first = tuple(first)
        self._cameras: dict[str, _Camera] = {}
        self._period_began_ns = 0
        self._longest_of_last_period_ns = 0

    def came(self, camera: str, now_ns: int) -> None:
        """Note that a frame came, and waits."""
        one = self._cameras.setdefault(camera, _Camera())
        one.waiting_since_ns = one.waiting_since_ns or now_ns

    def handed_out(self, camera: str, now_ns: int) -> int:
        """Note that a frame was handed out; return for how long the camera waited for its turn."""
        one = self._cameras.setdefault(camera, _Camera())
        waited_ns = now_ns - (one.waiting_since_ns or now_ns)
        one.waiting_since_ns = 0
        one.longest_wait_ns = max(one.longest_wait_ns, waited_ns)
        return waited_ns

    def answered(self, camera: str, age_ns: int, busy_ms: float = 0.0) -> None:
        """Note a result whose frame came so long ago, and how long its recognizer worked on it."""
        one = self._cameras.setdefault(camera, _Camera())
        one.results += 1
        one.oldest_ns = max(one.oldest_ns, age_ns)
        one.busy_ms += busy_ms

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._cameras.pop(camera, None)

    def queue_age_ns(self, now_ns: int) -> int:
        """Return the longest wait of any camera, now or in the last period. May be called from any thread."""
        since = (one.waiting_since_ns for one in list(self._cameras.values()))
        return max(self._longest_of_last_period_ns, *(now_ns - at_ns for at_ns in since if at_ns), 0)

    def tell(self, now_ns: int) -> dict[str, float]:
        """Return the period's values as gauges of a beat, and begin the next.

        ``queue_age_ms`` is the longest wait of any camera; ``results_per_s.<camera>``, ``wait_ms.<camera>``
        and, if there were results, ``age_ms.<camera>`` of the oldest frame, are of the first 24 cameras.
        ``busy_share.<camera>`` is told of the costly ones when the site cannot keep up, the costliest first.
        """
        elapsed_s = max(now_ns - self._period_began_ns, 1_000_000) / 1e9 if self._period_began_ns else 0.0
        self._period_began_ns = now_ns
        waits = {camera: self._longest_wait_ns(one, now_ns) for camera, one in self._cameras.items()}
        self._longest_of_last_period_ns = max(waits.values(), default=0)
        told = {"queue_age_ms": _ms(self._longest_of_last_period_ns)}
        for camera in self._told():
            one = self._cameras[camera]
            rate = round(one.results / elapsed_s, 2) if elapsed_s else 0.0
            values = {"results_per_s": rate, "wait_ms": _ms(waits[camera])}
            if one.results:
                values["age_ms"] = _ms(one.oldest_ns)
            told |= {f"{name}.{camera}"[:MAX_LABEL_CHARS]: value for name, value in values.items()}
        if told["queue_age_ms"] > LONG_WAIT_MS:
            told |= self._costly()
        for one in self._cameras.values():
            one.longest_wait_ns = one.results = one.oldest_ns = 0
            one.busy_ms = 0.0
        return told

    def _costly(self) -> dict[str, float]:
        all_ms = sum(one.busy_ms for one in self._cameras.values())
        shares = [(one.busy_ms / all_ms, camera) for camera, one in self._cameras.items() if all_ms]
        shares.sort(reverse=True)
        costly = [*shares[:1], *(one for one in shares[1:MAX_COSTLY] if one[0] >= MIN_SHARE)]
        return {f"{BUSY_SHARE}{camera}"[:MAX_LABEL_CHARS]: round(share, 3) for share, camera in costly}

    def _longest_wait_ns(self, one: _Camera, now_ns: int) -> int:
        return max(one.longest_wait_ns, now_ns - one.waiting_since_ns if one.waiting_since_ns else 0)

    def _told(self) -> list[str]:
        named = [camera for camera in self._first if camera in self._cameras]
        others = sorted(self._cameras.keys() - set(named))
        return [*named, *others][:MAX_TOLD]


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 2)
