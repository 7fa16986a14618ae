"""Which nodes of a site are alive, from their beats."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NODE_ROLES
from turnstile.protocol.state import State, in_words
from turnstile.site.fields import MAX_COUNT
from turnstile.site.plan import is_process_of, place_of, processes
from turnstile.site.settings import Site

SILENT_AFTER_S = 3.0
"""A node beats about once a second; it is silent after this long without a beat."""

BEATS_WITHIN_S = 1.6
"""A living node's beat is no older, but for a pause; what was started again has been silent for longer."""

ENDED_SHOWN_S = 60.0
"""How long a node that stopped as asked is still shown."""

_ONE_EACH = frozenset({"broker", "capture", "logger", "display"})
_RATES = ("frames_out_per_s", "frames_in_per_s")
_LOSSES = ("dropped_", "refused_", "bad_")


class Heard(NamedTuple):
    """A beat and its time, in seconds on the receiver's monotonic clock."""

    beat: Beat
    said_s: float


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one process of a node."""

    node: str
    instance: str
    role: str
    host: str
    """As the site file calls it, or else as the machine calls itself."""
    pid: int
    version: str
    state: State
    detail: str
    silent: bool
    """It sent no beat for 3 s, and had not ended."""
    age_s: float
    """Since its last beat."""
    uptime_s: float
    """At its last beat."""
    counts: dict[str, int]
    gauges: dict[str, float]

    @property
    def is_well(self) -> bool:
        """Tell whether it is heard and does its work, or has done it."""
        return not self.silent and self.state.is_well

    @property
    def words(self) -> str:
        """Return its state as people read it; the detail of a node that is well is a `notice`."""
        said = in_words(self.state, "" if self.is_well else self.detail)
        return f"silent (was: {said})" if self.silent else said

    @property
    def notice(self) -> str:
        """Return what there is to know about a node that is well; empty if nothing."""
        return self.detail if self.is_well else ""

    @property
    def frames_per_s(self) -> float | None:
        """Return the rate of frames that leave the node, else of those that arrive; `None` without either."""
        return next((self.gauges[name] for name in _RATES if name in self.gauges), None)

    @property
    def losses(self) -> dict[str, int]:
        """Return what was dropped, refused or found bad, by reason."""
        return {name: count for name, count in sorted(self.counts.items()) if count and is_loss(name)}


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that were heard, and those of the site file that were not."""

    nodes: tuple[NodeStatus, ...]
    missing: tuple[str, ...]
    """Names as in the site file: ``cameras.front_door``."""
    doubles: tuple[str, ...] = ()
    """What to say of names that several living processes have though one is meant to."""

    @property
    def notices(self) -> list[str]:
        """Return what there is to know about nodes that are well, one line for all that say the same."""
        nodes: dict[str, list[str]] = {}
        for node in self.nodes:
            if node.notice:
                nodes.setdefault(node.notice, []).append(node.node)
        return [f"{', '.join(dict.fromkeys(names))}: {notice}" for notice, names in nodes.items()]


def is_loss(count: str) -> bool:
    """Tell whether a count is of dropped, refused or bad items."""
    return count.startswith(_LOSSES)


def call_roll(site: Site, heard: Iterable[Heard], *, now_s: float) -> Roster:
    """Return the state at `now_s` of all nodes heard. One that ended is left out after a minute.

    A node's silent processes are left out if another process of it is alive. If none is, only the latest is
    kept: the others were stopped and started again.
    """
    latest: dict[str, Heard] = {}
    for one in heard:
        known = latest.get(one.beat.instance)
        if known is None or known.said_s <= one.said_s:
            latest[one.beat.instance] = one
    processes: defaultdict[tuple[int, str], list[NodeStatus]] = defaultdict(list)
    for one in latest.values():
        if one.beat.state is State.ENDED and now_s - one.said_s > ENDED_SHOWN_S:
            continue
        processes[NODE_ROLES.index(one.beat.role), one.beat.node].append(_status(one, now_s=now_s))
    nodes = [_placed(site, status) for _, same in sorted(processes.items()) for status in _current(same)]
    names = {status.node for status in nodes}
    missing = tuple(_missing(site, names))
    return Roster(nodes=tuple(nodes), missing=missing, doubles=tuple(_doubles(processes)))


def _placed(site: Site, status: NodeStatus) -> NodeStatus:
    """Return a status with the host that the site file names; a node that it does not place keeps its own."""
    if not site.hosts:
        return status
    places = {one.name: one.host for one in processes(site, cores=MAX_COUNT)}
    return msgspec.structs.replace(status, host=places.get(status.node, status.host))


def _doubles(processes: Mapping[tuple[int, str], Sequence[NodeStatus]]) -> Iterator[str]:
    """Yield the names that two living processes have, and where: a site file may have been copied."""
    for (role, name), same in sorted(processes.items()):
        living = [one for one in same if one.age_s <= BEATS_WITHIN_S and one.state is not State.ENDED]
        alive = sorted(f"{one.instance} on {one.host}" for one in living)
        if len(alive) > 1 and NODE_ROLES[role] in _ONE_EACH:
            yield f"{NODE_ROLES[role]} {name} runs {len(alive)} times: {', '.join(alive)}"


def _current(processes: Sequence[NodeStatus]) -> list[NodeStatus]:
    by_age = sorted(processes, key=lambda status: (status.age_s, status.instance))
    alive = [status for status in by_age if not status.silent and status.state is not State.ENDED]
    return sorted(alive, key=lambda status: status.instance) or by_age[:1]


def _status(heard: Heard, *, now_s: float) -> NodeStatus:
    beat, age_s = heard.beat, max(0.0, now_s - heard.said_s)
    return NodeStatus(
        node=beat.node,
        instance=beat.instance,
        role=beat.role,
        host=beat.host,
        pid=beat.pid,
        version=beat.version,
        state=beat.state,
        detail=beat.detail,
        silent=age_s > SILENT_AFTER_S and beat.state is not State.ENDED,
        age_s=round(age_s, 3),
        uptime_s=round(beat.uptime_s, 3),
        counts=dict(beat.counts),
        gauges=dict(beat.gauges),
    )


def _missing(site: Site, heard: Collection[str]) -> Iterator[str]:
    """Yield the nodes that the site file names and nobody heard; for ``count: auto``, one is enough."""
    for one in processes(site, cores=1):
        pool = site.recognizers[one.key] if one.kind == "recognizer" else None
        if pool is not None and pool.count == "auto":
            found = any(is_process_of(name, one.key) for name in heard)
        else:
            found = one.name in heard
        if not found:
            yield place_of(one, one.name)
