"""A node's counters, state and beat. The work loop calls it, so a beat means that the loop turns."""

import logging
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from turnstile import __version__
from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import State, in_words
from turnstile.protocol.topics import topic

PERIOD_S = 1.0
BROKER_PERIOD_S = 0.5
MAX_DETAIL_CHARS = 300
"""A path in an error may be longer than the detail of a beat."""

log = logging.getLogger("turnstile")


class Port(Protocol):
    """Where a beat is sent: the node's bus."""

    @property
    def broker_lost(self) -> bool:
        """Tell whether the broker is silent."""
        ...

    @property
    def trouble(self) -> str:
        """Return why the broker and the node do not reach each other; empty when they do."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the port's own totals, such as refused messages; they go into each beat."""
        ...

    def send(self, topic: str, beat: Beat, /) -> object:
        """Send without waiting."""
        ...


SAY_TROUBLE_AFTER_S, SAY_TROUBLE_EVERY_S = 3.0, 60.0
"""When a node says that it does not reach the broker, and how often it repeats that."""


class Heart:
    """Counts what a node does, keeps its state, and sends its beat when one is due.

    While the broker is silent a live node is starting or lost, and a live camera is degraded: a camera is
    lost only if the camera itself is.
    """

    def __init__(
        self,
        *,
        node: str,
        instance: str,
        role: NodeRole,
        rates: Sequence[str] = (),
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start counting; `rates` names the counts whose change a second is sent as ``<name>_per_s``."""
        self.state, self.detail = State.STARTING, ""
        self.notice = ""
        """What people should know besides, whatever the state is."""
        self._port: Port | None = None
        self._broker_lost = True
        self._broker_was_found = False
        self._clock = clock
        self._trouble, self._say_trouble_at, self._trouble_said = "", 0.0, False
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.gauges: dict[str, float] = {}
        self._node, self._instance, self._role = node, instance, role
        self._rates = dict.fromkeys(rates, 0)
        self._period_s = period_s
        self._started_at = self._beat_at = self._clock()
        self._due_at = self._started_at

    def count(self, name: str, by: int = 1) -> None:
        """Add to a total."""
        self.counts[name] += by

    def gauge(self, name: str, value: float) -> None:
        """Set a value that goes up and down."""
        self.gauges[name] = float(value)

    def set_counts(self, totals: Mapping[str, int]) -> None:
        """Set totals that somebody else counts."""
        self.counts.update(totals)

    def report(self, state: State, detail: str = "") -> None:
        """Say how the node is; `detail` is for people."""
        self.state, self.detail = state, detail[:MAX_DETAIL_CHARS]

    @property
    def words(self) -> str:
        """Return the state as people read it."""
        return in_words(self.state, self._details)

    @property
    def _details(self) -> str:
        return "; ".join(filter(None, (self.detail, self.notice)))[:MAX_DETAIL_CHARS]

    @property
    def topic(self) -> str:
        """Return the topic of this node's beats."""
        return topic("status", self._node)

    @property
    def is_due(self) -> bool:
        """Tell whether it is time for a beat."""
        return self._clock() >= self._due_at

    def beat(self, port: Port) -> bool:
        """Send a beat if one is due, and return whether it was; call this at the end of each step."""
        self._port = port
        if self.is_due or port.broker_lost != self._broker_lost:
            self._note_trouble(port.trouble)
        self._note_broker(lost=port.broker_lost)
        self.set_counts(port.counts)
        beat = self.beat_if_due()
        if beat is not None:
            port.send(self.topic, beat)
        return beat is not None

    def end(self) -> None:
        """Send the last beat of a node that stops as asked, so that nobody takes it for one that died."""
        self.report(State.ENDED)
        self.notice = ""
        self._due_at = self._clock()
        beat = self.beat_if_due()
        if self._port is not None and beat is not None:
            self._port.send(self.topic, beat)

    def beat_if_due(self) -> Beat | None:
        """Return the beat to send now; `None` when the last one is younger than the period."""
        now = self._clock()
        if now < self._due_at:
            return None
        elapsed_s = max(now - self._beat_at, 1e-3)
        for name, before in self._rates.items():
            self.gauges[f"{name}_per_s"] = round((self.counts[name] - before) / elapsed_s, 2)
            self._rates[name] = self.counts[name]
        self._beat_at = now
        self._due_at = now + self._period_s
        return Beat(
            node=self._node,
            instance=self._instance,
            role=self._role,
            host=platform.node(),
            pid=os.getpid(),
            version=__version__,
            uptime_s=now - self._started_at,
            state=self.state,
            detail=self._details,
            counts=dict(self.counts),
            gauges=dict(self.gauges),
        )

    def _note_trouble(self, trouble: str) -> None:
        """Say why node and broker do not reach each other: soon, and again each minute while it lasts."""
        now_s = self._clock()
        if not trouble:
            if self._trouble_said:
                log.info("node and broker reach each other again")
            self._trouble_said = False
        elif not self._trouble:
            self._say_trouble_at = now_s + SAY_TROUBLE_AFTER_S
        elif now_s >= self._say_trouble_at:
            log.warning("%s", trouble)
            self._say_trouble_at, self._trouble_said = now_s + SAY_TROUBLE_EVERY_S, True
        self._trouble = trouble

    def _note_broker(self, *, lost: bool) -> None:
        if self.state is State.LIVE and lost:
            state = State.LOST if self._broker_was_found else State.STARTING
            state = State.DEGRADED if self._role == "capture" else state
            what = "broker lost" if self._broker_was_found else "waiting for the broker"
            self.report(state, f"{what}: {self._trouble}" if self._trouble else what)
        elif self.state is State.LIVE and self._trouble_said:
            self.report(State.DEGRADED, self._trouble)
        if lost != self._broker_lost:
            self._broker_lost = lost
            self._broker_was_found = True
            log.log(logging.WARNING if lost else logging.INFO, "broker %s", "lost" if lost else "found")
