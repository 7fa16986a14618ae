"""What the page of the site's health says."""

from pathlib import Path

import msgspec
import pytest

from tests.support.builders import a_beat, a_site
from turnstile.health.overview import Overview, Watch
from turnstile.health.roster import Heard
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import LOCKED_OUT, State
from turnstile.web.live.health import Figure, health_of, losses_in_words, size_in_words

WELL = {"recognizers": 1.0}


def an_overview(folder: Path, *, gauges: dict[str, float], counts: dict[str, int] | None = None) -> Overview:
    """Return the overview of a site whose broker says this."""
    watch = Watch(site=a_site(folder))
    beats: list[tuple[str, NodeRole, dict[str, float]]] = [
        ("broker", "broker", gauges),
        ("front_door", "capture", {}),
    ]
    for node, role, values in beats:
        beat = msgspec.structs.replace(
            a_beat(node=node, instance=f"{node}-1", counts=counts or {}), role=role, gauges=values
        )
        watch.receive(Heard(beat, 0.0))
    return watch.view(0.5)


def test_a_site_that_is_well_has_no_alerts(tmp_path: Path) -> None:
    """And tells what there is to see."""
    gauges = WELL | {"journal_free_bytes": 12.4e9, "backlog.log": 1.0}
    health = health_of(an_overview(tmp_path, gauges=gauges), has_keys=True)
    assert health.alerts == ()
    assert health.disks == (Figure("broker: journal", "12.4 GB free"),)
    assert health.backlog == (Figure("log", "1 decision"),)
    assert health.refusals == (Figure("Keys", "each node has its own"),)


@pytest.mark.parametrize(
    ("gauges", "words"),
    [
        ({}, "No recognizer is connected"),
        (WELL | {"queue_age_ms": 2500.0}, "Cameras wait 2.5 s for a recognizer"),
        (WELL | {"backlog.log": 21.0}, "log lacks 21 decisions"),
        (WELL | {"disk_low": 1.0}, "The disk of broker broker on here is nearly full"),
    ],
)
def test_what_keeps_people_out_or_soon_will_is_an_alert(
    tmp_path: Path, gauges: dict[str, float], words: str
) -> None:
    """In the words of the alerts for monitoring."""
    alerts = health_of(an_overview(tmp_path, gauges=gauges), has_keys=True).alerts
    assert any(words in one for one in alerts)


def test_without_a_broker_nothing_else_matters(tmp_path: Path) -> None:
    """What others last said may be old."""
    empty = Watch(site=a_site(tmp_path)).view(0.0)
    assert health_of(empty, has_keys=False).alerts == (
        "The broker is not heard, so nobody enters. Is it running?",
    )


def test_nodes_that_are_unwell_or_missing_are_alerts(tmp_path: Path) -> None:
    """Each in a sentence."""
    watch = Watch(site=a_site(tmp_path, cameras=("front_door", "store")))
    broker = msgspec.structs.replace(a_beat(node="broker", instance="b"), role="broker", gauges=WELL)
    lost = a_beat(node="front_door", state=State.LOST, detail="no such file")
    for beat in (broker, lost):
        watch.receive(Heard(beat, 0.0))
    alerts = health_of(watch.view(0.0), has_keys=False).alerts
    assert "capture front_door on here is lost: no such file" in alerts
    assert "cameras.store, which the site file names, is not heard." in alerts


def test_refusals_and_lockouts_are_told(tmp_path: Path) -> None:
    """By the name of the key; doors that are locked out can be unlocked."""
    gauges = WELL | {f"{LOCKED_OUT}front_door": 12.0}
    counts = {"refused_from_eve": 3, "refused_subscriptions": 0, "refused_frames": 2, "dropped_late": 4}
    overview = an_overview(tmp_path, gauges=gauges, counts=counts)
    health = health_of(overview, has_keys=True)
    assert health.locked_out == ("front_door",)
    assert Figure("Refused from eve", "3", is_well=False) in health.refusals
    assert Figure("Refused frames", "2", is_well=False) in health.refusals
    assert "4 dropped late" in losses_in_words(overview.roster.nodes[0])


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (5.5e14, "550 TB")]
)
def test_sizes_are_said_in_three_digits(size: float, words: str) -> None:
    """Whatever their unit."""
    assert size_in_words(size) == words
