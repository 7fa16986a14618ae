"""What nodes say in their beats, as metrics for Prometheus.

A count ``x`` of a beat is ``turnstile_node_x_total`` and a gauge ``y`` is ``turnstile_node_y``, by node, role
and host; counts of what was dropped, refused or found bad are ``turnstile_node_lost_total``, by reason too.
Counts are tallies (`turnstile.health.tallies`): their rates are right when nodes restart. Gauges of a node
that is silent are left out.

Names come from the wire, so they are bounded: those that are no metric's name, or could be taken for one of
ours, are left out, and so are series beyond 20,000, those of nodes that the site file does not name first.
"""

import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from turnstile import __version__
from turnstile.health.roster import is_loss
from turnstile.health.tallies import Tallies, Tally, Who
from turnstile.protocol.messages import Beat
from turnstile.site.plan import Process, is_process_of, processes
from turnstile.site.settings import Site

MAX_SERIES = 20_000

REFUSED_FROM = "refused_from_"
"""Counts of the broker's beat that end in the name of a key: that becomes a label."""


class _Described(NamedTuple):
    name: str
    what: str


_REFUSED = _Described("turnstile_refused_from", "What was refused, by the name of the key it came with.")
_LOST = _Described("turnstile_node_lost", "What was dropped, refused or found bad.")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OURS = re.compile(
    r".*_(total|created|count|sum|bucket|info)|up|well|lost|processes|beat_age_seconds|uptime_seconds"
)


class NodeMetrics(Collector):
    """The tallies of all nodes. `take` belongs to the broker's loop, `collect` to whoever asks."""

    def __init__(self, site: Site) -> None:
        self._expected = processes(site, cores=1)
        self._pools = [name for name, pool in site.recognizers.items() if pool.count == "auto"]
        self._tallies = Tallies(began_s=time.monotonic())
        self._lock = threading.Lock()

    def add(self, beat: Beat, now_s: float) -> None:
        """Add what a node counted."""
        with self._lock:
            self._tallies.add(beat, now_s)
            if beat.role == "broker":
                self._tallies.forget(now_s)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Give the metrics of all nodes."""
        now_s = time.monotonic()
        room = _Room(left=MAX_SERIES)
        room.families[_REFUSED.name] = CounterMetricFamily(*_REFUSED, labels=("name",))
        room.families[_LOST.name] = CounterMetricFamily(*_LOST, labels=(*Who._fields, "reason"))
        with self._lock:
            names = {one.name for one in self._expected}
            tallies = sorted(self._tallies, key=lambda one: (one[0].node not in names, one[0]))
            alive = {who.node for who, tally in tallies if not tally.is_silent(now_s)}
            for who, tally in tallies:
                _describe(room, who, tally, now_s)
        yield from room.families.values()
        heard = GaugeMetricFamily(
            "turnstile_site_node_up", "1 when a node of the site file is heard.", labels=("node", "role")
        )
        for one in self._expected:
            heard.add_metric((one.name, one.kind), self._is_alive(one, alive))
        yield heard
        yield GaugeMetricFamily(
            "turnstile_node_series_left_out", "Series of nodes for which there is no room.", room.left_out
        )
        version = GaugeMetricFamily("turnstile_build_info", "The broker's version.", labels=("version",))
        version.add_metric((__version__,), 1)
        yield version

    def _is_alive(self, one: Process, alive: Collection[str]) -> bool:
        """Tell whether a node of the site file is heard; of ``count: auto``, one process is enough."""
        if one.key in self._pools:
            return any(is_process_of(name, one.key) for name in alive)
        return one.name in alive


@dataclass(kw_only=True)
class _Room:
    """Metrics by name, filled until there is no more room."""

    left: int
    left_out: int = 0
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = field(default_factory=dict)

    def gauge(self, name: str, what: str, who: Who, value: float) -> None:
        self._add(GaugeMetricFamily, name, what, Who._fields, who, value)

    def count(self, name: str, what: str, labels: Mapping[str, str], value: float) -> None:
        self._add(CounterMetricFamily, name, what, tuple(labels), tuple(labels.values()), value)

    def _add(
        self,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        what: str,
        names: Sequence[str],
        values: Sequence[str],
        value: float,
    ) -> None:
        family = self.families.get(name)
        if self.left <= 0 or not isinstance(family, kind | None):
            self.left_out += 1
            return
        if family is None:
            family = self.families[name] = kind(name, what, labels=names)
        self.left -= 1
        family.add_metric(values, value)


def _describe(room: _Room, who: Who, tally: Tally, now_s: float) -> None:
    silent, beat = tally.is_silent(now_s), tally.latest
    room.gauge("turnstile_node_up", "1 when it was heard in the last 3 s.", who, not silent)
    well = not silent and beat.state.is_well
    room.gauge("turnstile_node_well", "1 when its state is live or ended.", who, well)
    room.gauge("turnstile_node_processes", "How many were heard in the last 3 s.", who, tally.alive(now_s))
    room.gauge("turnstile_node_beat_age_seconds", "Since its last beat.", who, now_s - tally.said_s)
    for name, count in tally.totals.items():
        _count(room, who, name, count)
    if silent:
        return
    room.gauge("turnstile_node_uptime_seconds", "Of its newest process.", who, beat.uptime_s)
    for name, value in beat.gauges.items():
        if _NAME.fullmatch(name) and not _OURS.fullmatch(name):
            room.gauge(f"turnstile_node_{name}", "A gauge of its beats.", who, value)


def _count(room: _Room, who: Who, name: str, count: int) -> None:
    if who.role == "broker" and name.startswith(REFUSED_FROM):
        key = {"name": name.removeprefix(REFUSED_FROM)}
        room.count(*_REFUSED, key, count)
    elif not _NAME.fullmatch(name) or _OURS.fullmatch(name):
        return
    elif is_loss(name):
        room.count(*_LOST, {**who._asdict(), "reason": name}, count)
    else:
        room.count(f"turnstile_node_{name}", "A count of its beats.", who._asdict(), count)
