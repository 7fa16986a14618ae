"""A node's counters and its beat. The work loop calls it, so a beat means that the loop turns."""

import os
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from turnstile import __version__
from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.topics import topic

PERIOD_S = 1.0
BROKER_PERIOD_S = 0.5


class Heart:
    """Counts what a node does, and makes its beat when one is due.

    Attributes:
        state: what to tell people about this node, in a few words.
    """

    def __init__(
        self,
        *,
        node: str,
        instance: str,
        role: NodeRole,
        rates: Sequence[str] = (),
        period_s: float = PERIOD_S,
    ) -> None:
        """Start counting; `rates` names the counts whose change a second is sent as ``<name>_per_s``."""
        self.state = "starting"
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.gauges: dict[str, float] = {}
        self._node, self._instance, self._role = node, instance, role
        self._rates = dict.fromkeys(rates, 0)
        self._period_s = period_s
        self._started_at = self._beat_at = time.monotonic()
        self._due_at = self._started_at

    def count(self, name: str, by: int = 1) -> None:
        """Add to a total."""
        self.counts[name] += by

    def gauge(self, name: str, value: float) -> None:
        """Set a value that goes up and down."""
        self.gauges[name] = float(value)

    def take(self, totals: Mapping[str, int]) -> None:
        """Set totals that somebody else counts."""
        self.counts.update(totals)

    @property
    def topic(self) -> str:
        """Return the topic of this node's beats."""
        return topic("status", self._node)

    @property
    def is_due(self) -> bool:
        """Tell whether it is time for a beat."""
        return time.monotonic() >= self._due_at

    def beat_if_due(self) -> Beat | None:
        """Return the beat to say now; none when the last one is younger than the period."""
        now = time.monotonic()
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
            counts=dict(self.counts),
            gauges=dict(self.gauges),
        )
