"""The broker's metrics: hops by camera, nodes' tallies, and what hostile names can do to them."""

import time

import msgspec
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from tests.support import builders
from tests.support.builders import a_frame, a_result, a_work, an_access
from turnstile.dispatch.dispatcher import Assignment, Job
from turnstile.io.metrics import nodes
from turnstile.io.metrics.hops import MAX_OTHER_CAMERAS, OTHERS, Meter
from turnstile.protocol.fields import MAX_LABELS
from turnstile.protocol.messages import Beat
from turnstile.protocol.state import State
from turnstile.site.document import build
from turnstile.site.settings import Site

MS = 1_000_000

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def a_site(**sections: object) -> Site:
    """Return a site with one camera that answers over HTTP."""
    return build({"site": "office", "cameras": {"front_door": {"source": 0}}, "metrics": {}, **sections})


def a_beat(*, node: str = "front_door", instance: str = "a", state: State = State.LIVE) -> Beat:
    """Return a beat of a process that started just now."""
    return builders.a_beat(node=node, instance=instance, state=state, uptime_s=0.0)


def scrape(meter: Meter) -> Samples:
    """Return all samples as Prometheus reads them, in the plain format; the other one must parse too."""
    assert meter.registry is not None
    openmetrics = generate_openmetrics(meter.registry).decode()  # type: ignore[no-untyped-call]
    list(openmetrics_families(openmetrics))  # type: ignore[no-untyped-call]
    text = generate_latest(meter.registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    """Return the value of a sample."""
    return samples.get((metric, frozenset(labels.items())))


def hop(samples: Samples, name: str, camera: str = "front_door") -> tuple[float | None, float | None]:
    """Return how often a hop was measured, and the sum in milliseconds."""
    count = value(samples, "turnstile_hop_seconds_count", hop=name, camera=camera)
    total = value(samples, "turnstile_hop_seconds_sum", hop=name, camera=camera)
    return count, None if total is None else round(total * 1e3, 3)


def an_assignment(*, camera: str = "front_door", came_ns: int = 0, handed_ns: int = 0) -> Assignment:
    """Return a frame in a recognizer's hands."""
    job = Job(kind="frame", key=camera, seq=1, body=a_frame(camera=camera), came_ns=came_ns)
    return Assignment(token="", recognizer="r", job=job, handed_ns=handed_ns, expires_ns=0)


def test_a_frames_hops_are_measured_on_the_brokers_clock() -> None:
    """It came at 1 s, was handed out 20 ms later, and its result came 50 ms after that."""
    meter = Meter(a_site())
    frame = a_frame(captured_ns=time.time_ns() - 5 * MS)
    meter.came(frame, 1000 * MS)
    assignment = an_assignment(came_ns=1000 * MS, handed_ns=1020 * MS)
    meter.handed_out(assignment)
    meter.answered(a_result(work=a_work(frame)), assignment, 1070 * MS)
    meter.decided("front_door", 2 * MS)
    samples = scrape(meter)
    assert hop(samples, "waiting") == (1, 20)
    assert hop(samples, "turn") == (1, 20)
    assert hop(samples, "recognizing") == (1, 50)
    assert hop(samples, "deciding") == (1, 2)
    assert hop(samples, "captured_to_broker")[0] == hop(samples, "captured_to_result")[0] == 1
    for stage, seconds in (("decode", 0.001), ("detect", 0.02), ("encode", 0.005), ("match", 0.0001)):
        name = "turnstile_recognizer_stage_seconds_sum"
        assert value(samples, name, stage=stage, camera="front_door") == pytest.approx(seconds)
    assert value(samples, "turnstile_frames_total", camera="front_door") == 1
    results = value(samples, "turnstile_results_total", camera="front_door", outcome="recognized")
    assert results == 1


def test_a_decision_is_measured_until_it_is_durable_and_until_it_is_told() -> None:
    """Both from the time that the decision itself bears."""
    meter = Meter(a_site())
    event = an_access(decided_ns=time.time_ns() - 30 * MS)
    meter.published(event, recorded_ns=time.time_ns())
    samples = scrape(meter)
    assert hop(samples, "decided_to_durable")[0] == hop(samples, "decided_to_published")[0] == 1
    labels = {"camera": "front_door", "verdict": "granted", "reason": "recognised"}
    assert value(samples, "turnstile_decisions_total", **labels) == 1


def test_clocks_that_disagree_are_counted_and_spoil_no_histogram() -> None:
    """A camera whose clock is a minute ahead sends frames from the future."""
    meter = Meter(a_site())
    meter.came(a_frame(captured_ns=time.time_ns() + 60_000 * MS), 1)
    samples = scrape(meter)
    assert hop(samples, "captured_to_broker") == (None, None)
    labels = {"camera": "front_door", "hop": "captured_to_broker"}
    assert value(samples, "turnstile_clocks_disagree_total", **labels) == 1


def test_the_queue_age_is_asked_for_at_each_look() -> None:
    """It grows between two beats too."""
    meter = Meter(a_site())
    meter.came(a_frame(), time.monotonic_ns() - 5000 * MS)
    age_s = value(scrape(meter), "turnstile_queue_age_seconds")
    assert age_s is not None
    assert age_s >= 5


def test_nothing_is_measured_where_nobody_asks() -> None:
    """Without the section `metrics` only the loads are kept, which the beat tells."""
    meter = Meter(build({"site": "office", "cameras": {"front_door": {"source": 0}}}))
    meter.came(a_frame(), 1000 * MS)
    meter.heard(a_beat())
    meter.show("x", "", lambda: 1.0)
    assert meter.registry is None
    assert meter.loads.tell(1010 * MS)["wait_ms.front_door"] == 10


def test_invented_cameras_share_a_label() -> None:
    """The site's own have theirs, whenever they come; forgotten ones give theirs back."""
    meter = Meter(a_site())
    for number in range(MAX_OTHER_CAMERAS + 10):
        meter.came(a_frame(camera=f"invented-{number}"), 1)
    meter.came(a_frame(), 1)
    samples = scrape(meter)
    assert value(samples, "turnstile_frames_total", camera=OTHERS) == 10
    assert value(samples, "turnstile_frames_total", camera="front_door") == 1
    meter.forget("invented-0")
    meter.forget("front_door")
    meter.came(a_frame(camera="another"), 1)
    samples = scrape(meter)
    assert value(samples, "turnstile_frames_total", camera="invented-0") is None
    assert value(samples, "turnstile_frames_total", camera="another") == 1
    assert value(samples, "turnstile_frames_total", camera="front_door") == 1


def node(name: str, what: str, samples: Samples, role: str = "capture", host: str = "here") -> float | None:
    """Return a value of a node."""
    return value(samples, f"turnstile_node_{what}", node=name, role=role, host=host)


def test_counts_and_gauges_of_beats_are_labelled_with_their_node() -> None:
    """And every node of the site file is up or not, heard or never."""
    meter = Meter(a_site(loggers={"log": {}}))
    meter.heard(a_beat(state=State.LOST))
    samples = scrape(meter)
    assert node("front_door", "frames_in_total", samples) == 3
    assert node("front_door", "frames_in_per_s", samples) == 15
    assert (node("front_door", "up", samples), node("front_door", "well", samples)) == (1, 0)
    assert value(samples, "turnstile_site_node_up", node="front_door", role="capture") == 1
    assert value(samples, "turnstile_site_node_up", node="log", role="logger") == 0
    meter.heard(a_beat())
    assert node("front_door", "well", scrape(meter)) == 1


def test_losses_are_one_metric_by_reason() -> None:
    """So that a dashboard need not know all reasons."""
    meter = Meter(a_site())
    meter.heard(msgspec.structs.replace(a_beat(), counts={"dropped_frozen": 2, "refused_x": 3, "lost": 4}))
    samples = scrape(meter)
    who = {"node": "front_door", "role": "capture", "host": "here"}
    assert value(samples, "turnstile_node_lost_total", **who, reason="dropped_frozen") == 2
    assert value(samples, "turnstile_node_lost_total", **who, reason="refused_x") == 3
    assert value(samples, "turnstile_node_lost_total", **who) is None


def test_a_restarted_node_goes_on_where_it_was() -> None:
    """Two instances of a name are one series that only grows."""
    meter = Meter(a_site())
    meter.heard(a_beat(instance="a"))
    meter.heard(a_beat(instance="b"))
    assert node("front_door", "frames_in_total", scrape(meter)) == 6


def test_refusals_are_labelled_with_the_name_of_the_key() -> None:
    """Only where the broker says so."""
    meter = Meter(a_site())
    counts = {"refused_from_lab": 7, "refused_by_key": 7}
    meter.heard(msgspec.structs.replace(a_beat(node="broker"), role="broker", counts=counts))
    meter.heard(msgspec.structs.replace(a_beat(), counts={"refused_from_me": 1}))
    samples = scrape(meter)
    assert value(samples, "turnstile_refused_from_total", name="lab") == 7
    assert value(samples, "turnstile_refused_from_total", name="me") is None


def test_hostile_names_of_counts_break_nothing() -> None:
    """Whatever a beat says, what Prometheus gets is well formed, and nobody else's value changes."""
    names = ["up", "x_total", "x_bucket", 'a"b', "a{b}", "\n# TYPE x", "Grüße", "", "1st", "both", "well"]
    hostile = msgspec.structs.replace(
        a_beat(node="evil", instance="evil-1"),
        host='"}\n',
        counts=dict.fromkeys(names, 5) | {"build_info": 1},
        gauges=dict.fromkeys(names, 5.0) | {"frames_in": 1.0, "beat_age_seconds": 1e15},
    )
    meter = Meter(a_site())
    meter.heard(a_beat())
    meter.heard(hostile)
    samples = scrape(meter)
    assert node("front_door", "frames_in_total", samples) == 3
    assert node("evil", "up", samples, host='"}?') == 1
    assert node("evil", "both_total", samples, host='"}?') == 5
    assert node("evil", "both", samples, host='"}?') is None


def test_there_is_room_for_the_sites_own_nodes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series of invented ones are left out, and it is said how many."""
    monkeypatch.setattr(nodes, "MAX_SERIES", 50)
    meter = Meter(a_site())
    counts = {f"count_{number}": 1 for number in range(MAX_LABELS)}
    for number in range(20):
        beat = a_beat(node=f"a-{number}", instance=f"a-{number}")
        meter.heard(msgspec.structs.replace(beat, counts=counts))
    meter.heard(a_beat())
    samples = scrape(meter)
    left_out = value(samples, "turnstile_node_series_left_out")
    assert node("front_door", "frames_in_total", samples) == 3
    assert left_out is not None
    assert left_out > 20 * MAX_LABELS - 50
