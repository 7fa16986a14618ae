"""What `turnstile top` shows: rates, ages, drops and busy shares of every node and camera, from their beats.

Pure: times are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from turnstile.health.roster import Heard, NodeStatus, Roster, call_roll, is_loss
from turnstile.protocol.state import BUSY_SHARE, LOCKED_OUT
from turnstile.site.settings import Site

MAX_PROCESSES = 4096


class Loss(NamedTuple):
    """What a process dropped or refused between its last two beats."""

    per_s: float
    reason: str
    """The most frequent reason; empty if there was none."""


NO_LOSS = Loss(0.0, "")


class CameraRow(NamedTuple):
    """How a camera is served; unknown values are `None`."""

    camera: str
    sent_per_s: float | None
    results_per_s: float | None
    wait_ms: float | None
    """Longest wait for a recognizer in the broker's last period."""
    age_ms: float | None
    """Largest age of a frame at its result, since it came to the broker, in that period."""
    state: str
    """In words."""
    is_well: bool


class NodeRow(NamedTuple):
    """One process: its rates, ages and losses."""

    status: NodeStatus
    in_per_s: float | None
    out_per_s: float | None
    busy: float | None
    """The share of time in which a recognizer works."""
    age_ms: float | None
    """The age of a frame, or the wait of a camera, where the process hands it on."""
    loss: Loss


class Overview(NamedTuple):
    """All nodes and cameras at one moment."""

    roster: Roster
    broker: NodeStatus | None
    nodes: list[NodeRow]
    cameras: list[CameraRow]


@dataclass(kw_only=True)
class Watch:
    """The beats heard so far."""

    site: Site
    _heard: dict[str, Heard] = field(default_factory=dict)
    _losses: dict[str, Loss] = field(default_factory=dict)

    def receive(self, heard: Heard) -> None:
        """Add a beat; one that is older than the process's last changes nothing."""
        instance = heard.beat.instance
        before = self._heard.get(instance)
        if before is not None and before.said_s >= heard.said_s:
            return
        if before is None and len(self._heard) >= MAX_PROCESSES:
            oldest = min(self._heard, key=lambda name: self._heard[name].said_s)
            del self._heard[oldest]
            self._losses.pop(oldest, None)
        self._heard[instance] = heard
        if before is not None:
            self._losses[instance] = _loss(before, heard)

    def view(self, now_s: float) -> Overview:
        """Return the overview at this moment."""
        roster = call_roll(self.site, self._heard.values(), now_s=now_s)
        broker = next((node for node in roster.nodes if node.role == "broker"), None)
        alive = None if broker is None or broker.silent else broker
        rows = [self._row(node) for node in roster.nodes]
        return Overview(roster, broker, rows, self._cameras(roster, {} if alive is None else alive.gauges))

    def _row(self, node: NodeStatus) -> NodeRow:
        gauges = {} if node.silent else node.gauges
        busy_ms_per_s = gauges.get("busy_ms_per_s")
        outward = ("frames_out_per_s", "frames_shown_per_s", "results_per_s", "entries_per_s")
        return NodeRow(
            status=node,
            in_per_s=gauges.get("frames_in_per_s"),
            out_per_s=next((gauges[name] for name in outward if name in gauges), None),
            busy=None if busy_ms_per_s is None else min(1.0, busy_ms_per_s / 1000),
            age_ms=gauges.get("queue_age_ms"),
            loss=NO_LOSS if node.silent else self._losses.get(node.instance, NO_LOSS),
        )

    def _cameras(self, roster: Roster, told: Mapping[str, float]) -> list[CameraRow]:
        captures = {node.node: node for node in roster.nodes if node.role == "capture"}
        named = [name.partition(".")[2] for name in told if name.startswith("results_per_s.")]
        rows = []
        for camera in dict.fromkeys([*self.site.cameras, *captures, *named]):
            capture = captures.get(camera)
            gauges = {} if capture is None or capture.silent else capture.gauges
            rows.append(
                CameraRow(
                    camera=camera,
                    sent_per_s=gauges.get("frames_out_per_s"),
                    results_per_s=told.get(f"results_per_s.{camera}"),
                    wait_ms=told.get(f"wait_ms.{camera}"),
                    age_ms=told.get(f"age_ms.{camera}"),
                    state=_state(capture, told.get(f"{LOCKED_OUT}{camera}"))
                    + _cost_words(told.get(f"{BUSY_SHARE}{camera}")),
                    is_well=capture is not None and capture.is_well and f"{LOCKED_OUT}{camera}" not in told,
                )
            )
        return rows


def _cost_words(share: float | None) -> str:
    """Say of a costly camera what it costs."""
    return "" if share is None else f"; takes {share:.0%} of the recognizers' time".replace("%", " %")


def _state(capture: NodeStatus | None, locked_s: float | None) -> str:
    said = "not heard" if capture is None else capture.words
    return said if locked_s is None else f"{said}; locked out, {locked_s:.0f} s more"


def _loss(before: Heard, now: Heard) -> Loss:
    """Return losses a second between two beats of a process, whose counts only grow."""
    elapsed_s = max(now.said_s - before.said_s, 0.1)
    counts = now.beat.counts
    lost = {
        name: max(0, count - before.beat.counts.get(name, 0))
        for name, count in counts.items()
        if is_loss(name)
    }
    total = sum(lost.values())
    return Loss(round(total / elapsed_s, 1), max(lost, key=lost.__getitem__)) if total else NO_LOSS
