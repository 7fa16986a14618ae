"""What the page of the site's health says: alerts, nodes, cameras, disks, backlog and refusals.

Figures and words are those of `turnstile top` and `turnstile status`, the alerts those of
``deploy/alerts.yaml`` as far as one look can tell.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from turnstile.counts import counted
from turnstile.health.overview import Overview
from turnstile.health.roster import NodeStatus
from turnstile.protocol.state import LOCKED_OUT

MAX_BACKLOG = 20
MAX_QUEUE_AGE_MS = 1000.0
REFUSED_FROM = "refused_from_"
_BACKLOG, _FREE, _REFUSED = "backlog.", "_free_bytes", "refused_"
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Figure(NamedTuple):
    """A name and its value in words."""

    name: str
    value: str
    is_well: bool = True


class SiteHealth(NamedTuple):
    """What there is to see besides nodes and cameras."""

    alerts: tuple[str, ...]
    notices: tuple[str, ...]
    """What there is to know of nodes that are well."""
    disks: tuple[Figure, ...]
    backlog: tuple[Figure, ...]
    refusals: tuple[Figure, ...]
    locked_out: tuple[str, ...]
    """Doors whose lockout can be ended."""


def health_of(overview: Overview, *, has_keys: bool) -> SiteHealth:
    """Return the health of a site; the broker's last words hold while it is silent."""
    broker = overview.broker
    gauges: Mapping[str, float] = {} if broker is None else broker.gauges
    counts: Mapping[str, int] = {} if broker is None else broker.counts
    locked = tuple(name.removeprefix(LOCKED_OUT) for name in gauges if name.startswith(LOCKED_OUT))
    keys = Figure("Keys", "each node has its own" if has_keys else "none: all nodes are on this machine")
    return SiteHealth(
        alerts=tuple(_alerts(overview, gauges)),
        notices=tuple(overview.roster.notices),
        disks=tuple(_disks(overview)),
        backlog=tuple(_backlog(gauges)),
        refusals=(keys, *_refusals(counts)),
        locked_out=locked,
    )


def size_in_words(size: float) -> str:
    """Return a number of bytes in three digits: ``12.4 GB``."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"


def _alerts(overview: Overview, gauges: Mapping[str, float]) -> Iterator[str]:
    broker = overview.broker
    if broker is None or broker.silent:
        yield "The broker is not heard, so nobody enters. Is it running?"
        return
    if not broker.is_well:
        yield f"The broker is {broker.words}"
    if not gauges.get("recognizers"):
        yield "No recognizer is connected, so nobody enters."
    if gauges.get("queue_age_ms", 0.0) > MAX_QUEUE_AGE_MS:
        yield f"Cameras wait {gauges['queue_age_ms'] / 1000:.1f} s for a recognizer. Add recognizers."
    for one in _backlog(gauges):
        if not one.is_well:
            yield f"{one.name} lacks {one.value} that the journal keeps for it. Is it running?"
    for node in overview.roster.nodes:
        if node.gauges.get("disk_low"):
            yield f"The disk of {node.role} {node.node} on {node.host} is nearly full."
        if not node.is_well and node is not broker:
            yield f"{node.role} {node.node} on {node.host} is {node.words}"
    yield from (f"{path}, which the site file names, is not heard." for path in overview.roster.missing)
    yield from overview.roster.doubles


def _disks(overview: Overview) -> Iterator[Figure]:
    for node in overview.roster.nodes:
        for name, value in node.gauges.items():
            if name.endswith(_FREE):
                where = f"{node.node}: {name.removesuffix(_FREE).replace('_', ' ')}"
                yield Figure(where, f"{size_in_words(value)} free", not node.gauges.get("disk_low"))


def _backlog(gauges: Mapping[str, float]) -> Iterator[Figure]:
    for name, value in sorted(gauges.items()):
        if name.startswith(_BACKLOG):
            words = counted(round(value), "decision")
            yield Figure(name.removeprefix(_BACKLOG), words, value <= MAX_BACKLOG)


def _refusals(counts: Mapping[str, int]) -> Iterator[Figure]:
    for name, count in sorted(counts.items()):
        if count and name.startswith(_REFUSED):
            who = name.removeprefix(REFUSED_FROM) if name.startswith(REFUSED_FROM) else ""
            words = name.replace("_", " ").capitalize()
            yield Figure(f"Refused from {who}" if who else words, f"{count}", is_well=False)


def losses_in_words(node: NodeStatus) -> str:
    """Return what a process dropped, refused or found bad since its start; empty if nothing."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in node.losses.items())
