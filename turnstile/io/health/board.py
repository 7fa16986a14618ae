"""The board: the last beat of every process, and what the broker's own beat tells.

Times are arguments, monotonic nanoseconds. It returns what is to be published and publishes nothing itself.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from turnstile.dispatch.incumbents import Rivalry
from turnstile.dispatch.refusals import keep_counting
from turnstile.errors import WireError
from turnstile.health.last_beats import LastBeats
from turnstile.io.metrics.hops import Meter
from turnstile.io.metrics.nodes import REFUSED_FROM
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import Beat, Rivals
from turnstile.protocol.roles import is_instance_of
from turnstile.protocol.state import BUSY_SHARE
from turnstile.protocol.topics import Outgoing, topic

MAX_NAMES_REFUSED = 64
"""Most names listed with refusal counts in one beat."""

SAY_EVERY_NS = 60_000_000_000
"""How often the warning is repeated that the site cannot keep up."""

log = logging.getLogger("turnstile")


class BrokerDesk(Protocol):
    """What each desk of the broker tells of itself."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return its totals since the start."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """Return its present values."""
        ...


@dataclass(kw_only=True)
class Board:
    """The last beats of all nodes, and the broker's own heart."""

    heart: Heart
    meter: Meter
    desks: Sequence[BrokerDesk]
    beats: LastBeats = field(default_factory=LastBeats)
    rivalries: Sequence[Rivalry] = ()
    """Who has a camera's name besides the process that is served."""
    _say_costly_ns: int = 0
    _overload: str = ""

    def hear(self, beat: Beat, now_ns: int) -> None:
        """Take a beat that came from a node.

        Raises:
            WireError: it is in the name of the broker, or its instance is not one of its node's.
        """
        if "broker" in (beat.node, beat.role):
            raise WireError(f"a beat of {beat.role} {beat.node}: only the broker sends those")
        if not is_instance_of(beat.node, beat.instance):
            raise WireError(
                f"a beat of {beat.node} as {beat.instance}: an instance begins with its node's name"
            )
        self.take(beat, now_ns)

    def take(self, beat: Beat, now_ns: int) -> None:
        """Keep a node's beat for newcomers, and add up what it counts."""
        self.beats.keep(beat, now_ns / 1e9)
        self.meter.heard(beat)

    def due(self, now_ns: int, *, refused_subscriptions: int, refused: Mapping[str, int]) -> list[Outgoing]:
        """Return the broker's beat if it is time for one.

        Args:
            now_ns: the time.
            refused_subscriptions: how many so far.
            refused: totals of the names whose messages were refused most often.
        """
        for desk in self.desks:
            self.heart.set_counts(desk.counts)
        self.heart.counts["refused_subscriptions"] = refused_subscriptions
        keep_counting(self.heart.counts, refused, start=REFUSED_FROM, at_most=MAX_NAMES_REFUSED)
        for name in [name for name in self.heart.gauges if "." in name]:
            del self.heart.gauges[name]  # a camera's, which may be gone
        loads = self.meter.loads.tell(now_ns)
        self._name_the_costly(loads, now_ns)
        for gauges in (*(desk.gauges() for desk in self.desks), loads):
            for name, value in gauges.items():
                self.heart.gauge(name, value)
        beat = self.heart.beat_if_due()
        if beat is None:
            return []
        self.take(beat, now_ns)
        self.beats.forget(now_ns / 1e9)
        return [Outgoing(self.heart.topic, beat)]

    @property
    def notice(self) -> str:
        """Return what people should know of the site's cameras; empty if there is nothing."""
        one = self.rivalries[0].name if self.rivalries else ""
        twice = f"two capture nodes are called {one}; one is refused" if one else ""
        return "; ".join(filter(None, (twice, self._overload)))

    def _name_the_costly(self, loads: Mapping[str, float], now_ns: int) -> None:
        """Say which cameras take most of the recognizers' time while cameras wait for it."""
        waited_ms = loads["queue_age_ms"]
        costly = ", ".join(
            f"{name.removeprefix(BUSY_SHARE)} takes {100 * share:.0f} %"
            for name, share in loads.items()
            if name.startswith(BUSY_SHARE)
        )
        self._overload = costly and f"cameras wait for a recognizer; of the recognizers' time {costly}"
        if costly and now_ns >= self._say_costly_ns:
            self._say_costly_ns = now_ns + SAY_EVERY_NS
            log.warning(
                "cameras wait %.1f s for a recognizer; of the recognizers' time %s: lower their size_px or "
                "max_fps, or start more recognizers",
                *(waited_ms / 1000, costly),
            )

    def rivals(self, found: Sequence[Rivalry]) -> list[Outgoing]:
        """Return what tells two capture nodes of one name of each other; log it once."""
        for rivalry in found:
            if rivalry not in self.rivalries:
                log.warning(
                    "two capture nodes are called %s: the frames of %s are taken, those of %s are refused",
                    *rivalry,
                )
        self.rivalries = found
        return [
            Outgoing(topic("status", one.name), Rivals(node=one.name, served=one.served, refused=one.refused))
            for one in found
        ]

    def last_beats(self, prefix: str, now_ns: int) -> list[Outgoing]:
        """Return the last beats whose topics begin with what a newcomer subscribed to."""
        return [Outgoing(topic("status", beat.node), beat) for beat in self.beats.under(prefix, now_ns / 1e9)]
