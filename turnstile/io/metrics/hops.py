"""The broker's figures for Prometheus: how long each hop takes, what is counted, and what nodes say.

``turnstile_hop_seconds`` and ``turnstile_recognizer_stage_seconds`` are histograms by camera. Two hops
compare the clock of a camera's machine with the broker's: as far as those differ, the values are
wrong. A negative one is not observed but counted in ``turnstile_clocks_disagree_total``.

What nodes say is in `turnstile.io.metrics.nodes`.

Cameras that the site file does not name share 64 labels, and beyond those one called ``others``: their names
come from the wire.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from turnstile.dispatch.dispatcher import Assignment
from turnstile.dispatch.loads import Loads
from turnstile.health.hops import BUCKETS_S, STAGES, Hop
from turnstile.io.metrics.nodes import NodeMetrics
from turnstile.protocol.messages import Access, Beat, Frame, Result
from turnstile.site.settings import Site

MAX_OTHER_CAMERAS = 64
OTHERS = "others"


class Meter:
    """Measures the hops, and keeps the tallies. Call it from the broker's loop.

    Attributes:
        loads: how each camera is served.
        registry: the metrics for Prometheus; `None` without `metrics:`, and then only the loads are measured.
    """

    def __init__(self, site: Site) -> None:
        self.loads = Loads(first=tuple(site.cameras))
        self.registry: CollectorRegistry | None = None
        self._figures = None if site.metrics is None else _Figures(site=site)
        if self._figures is not None:
            self.registry = self._figures.registry
            self.show(
                "turnstile_queue_age_seconds",
                "The longest that a camera waited for a recognizer in the last second.",
                lambda: self.loads.queue_age_ns(time.monotonic_ns()) / 1e9,
            )

    def show(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a value that is asked for at each look, from another thread."""
        if self._figures is not None:
            self._figures.show(name, what, value)

    def show_readers(self, name: str, what: str, values: Mapping[str, Callable[[], float]]) -> None:
        """Add a value of each logger and webhook that is asked for at each look."""
        if self._figures is not None:
            self._figures.show_readers(name, what, values)

    def came(self, frame: Frame, now_ns: int) -> None:
        """Note a frame that was taken in."""
        self.loads.came(frame.camera, now_ns)
        if self._figures is not None:
            self._figures.count("frames", frame.camera)
            self._figures.observe(Hop.CAPTURED_TO_BROKER, frame.camera, time.time_ns() - frame.captured_ns)

    def handed_out(self, assignment: Assignment) -> None:
        """Note a frame that was handed to a recognizer."""
        job = assignment.job
        turn_ns = self.loads.handed_out(job.key, assignment.handed_ns)
        if self._figures is not None:
            self._figures.observe(Hop.WAITING, job.key, assignment.handed_ns - job.came_ns)
            self._figures.observe(Hop.TURN, job.key, turn_ns)

    def answered(self, result: Result, assignment: Assignment, now_ns: int) -> None:
        """Note a result, before anything is done with it."""
        self.loads.answered(result.camera, now_ns - assignment.job.came_ns, result.timings.total_ms)
        if self._figures is not None:
            self._figures.count_result(result)
            self._figures.observe(Hop.RECOGNIZING, result.camera, now_ns - assignment.handed_ns)
            self._figures.observe(Hop.CAPTURED_TO_RESULT, result.camera, time.time_ns() - result.captured_ns)

    def unchanged(self, camera: str, now_ns: int) -> None:
        """Note a frame that needed no recognizer."""
        self.loads.handed_out(camera, now_ns)
        self.loads.answered(camera, 0)
        if self._figures is not None:
            self._figures.count("results", camera, "unchanged")

    def decided(self, camera: str, took_ns: int) -> None:
        """Note how long it took to decide."""
        if self._figures is not None:
            self._figures.observe(Hop.DECIDING, camera, took_ns)

    def published(self, event: Access, *, recorded_ns: int) -> None:
        """Note that a decision was sent to everybody, having been on disk since `recorded_ns`."""
        if self._figures is not None:
            self._figures.count_decision(event)
            for hop, until_ns in (
                (Hop.DECIDED_TO_DURABLE, recorded_ns),
                (Hop.DECIDED_TO_PUBLISHED, time.time_ns()),
            ):
                self._figures.observe(hop, event.camera, until_ns - event.decided_ns)

    def heard(self, beat: Beat) -> None:
        """Add what a node counted."""
        if self._figures is not None:
            self._figures.nodes.add(beat, time.monotonic())

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self.loads.forget(camera)
        if self._figures is not None:
            self._figures.forget(camera)


@dataclass(kw_only=True)
class _Figures:
    """The metrics, and which labels they have."""

    site: Site
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        registry = self.registry
        # else a third of all series would be the times of their making
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.nodes = NodeMetrics(self.site)
        registry.register(self.nodes)
        ProcessCollector(registry=registry)
        self._hops = self._histogram("hop", "Where the time of frames and decisions goes.")
        self._stages = self._histogram("recognizer_stage", "Where a recognizer's time goes, by its clock.")
        self._counters = {
            "frames": self._counter("frames", "Frames taken in."),
            "results": self._counter("results", "Frames that recognizers answered.", "outcome"),
            "decisions": self._counter("decisions", "Decisions told.", "verdict", "reason"),
            "clocks_disagree": self._counter("clocks_disagree", "Hops that ended before they began.", "hop"),
        }
        self._children: dict[tuple[str, ...], Counter] = {}
        self._observers: dict[tuple[str, str], Histogram] = {}
        self._others: set[str] = set()

    def show(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a gauge that is asked for at each look."""
        Gauge(name, what, registry=self.registry).set_function(value)

    def show_readers(self, name: str, what: str, values: Mapping[str, Callable[[], float]]) -> None:
        """Add a gauge of each reader that is asked for at each look."""
        gauge = Gauge(name, what, ("reader",), registry=self.registry)
        for reader, value in values.items():
            gauge.labels(reader).set_function(value)

    def observe(self, hop: Hop, camera: str, took_ns: int) -> None:
        """Add a duration to a hop's histogram."""
        if took_ns < 0:
            self.count("clocks_disagree", camera, hop)
        else:
            self._observe(self._hops, hop, camera, took_ns / 1e9)

    def count(self, name: str, camera: str, *labels: str) -> None:
        """Add one to a counter."""
        key = (name, camera, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._counters[name].labels(self._label(camera), *labels)
        child.inc()

    def count_result(self, result: Result) -> None:
        """Count a result, and add where its recognizer's time went."""
        self.count("results", result.camera, "problem" if result.problem else "recognized")
        for stage in STAGES:
            self._observe(self._stages, stage, result.camera, getattr(result.timings, f"{stage}_ms") / 1e3)

    def count_decision(self, event: Access) -> None:
        """Count a decision."""
        self.count("decisions", event.camera, event.verdict, event.reason)

    def forget(self, camera: str) -> None:
        """Drop a camera's series, unless the site file names it."""
        if camera not in self._others:
            return
        self._others.remove(camera)
        for metric in (self._hops, self._stages, *self._counters.values()):
            metric.remove_by_labels({"camera": camera})
        self._children = {key: child for key, child in self._children.items() if key[1] != camera}
        self._observers = {key: child for key, child in self._observers.items() if key[1] != camera}

    def _histogram(self, kind: str, what: str) -> Histogram:
        name, labels = f"turnstile_{kind}_seconds", (kind.rpartition("_")[2], "camera")
        return Histogram(name, what, labels, buckets=BUCKETS_S, registry=self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"turnstile_{name}", what, ("camera", *labels), registry=self.registry)

    def _observe(self, metric: Histogram, kind: str, camera: str, seconds: float) -> None:
        key = (kind, camera)
        child = self._observers.get(key)
        if child is None:
            child = self._observers[key] = metric.labels(kind, self._label(camera))
        child.observe(seconds)

    def _label(self, camera: str) -> str:
        if camera in self.site.cameras or camera in self._others:
            return camera
        if len(self._others) >= MAX_OTHER_CAMERAS:
            return OTHERS
        self._others.add(camera)
        return camera
