"""The broker's metrics and health as those see them who ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import a_beat
from tests.support.monitored import MonitoredSite
from turnstile.health.hops import STAGES, Hop

pytestmark = pytest.mark.system


@pytest.fixture
def site(folder: Path) -> Iterator[MonitoredSite]:
    """Give a site whose broker answers over HTTP."""
    with MonitoredSite(folder) as site:
        yield site


def test_every_hop_of_a_frame_and_its_decision_is_measured(site: MonitoredSite) -> None:
    """One frame came, was handed out, recognized, decided upon; the decision was recorded and told."""
    site.decide_once()
    samples = site.scrape()
    counts = {labels["hop"]: value for labels, value in samples["turnstile_hop_seconds_count"]}
    assert counts == dict.fromkeys(Hop, 1)
    stages = {labels["stage"] for labels, _ in samples["turnstile_recognizer_stage_seconds_count"]}
    assert stages == set(STAGES)
    (decision,) = samples["turnstile_decisions_total"]
    assert decision == ({"camera": "front_door", "verdict": "denied", "reason": "unknown"}, 1)


def test_every_node_is_there_with_its_counts(site: MonitoredSite) -> None:
    """Those that beat, and those of the site file that never did."""
    site.decide_once()
    site.beat(a_beat(uptime_s=0.0))
    samples = site.scrape()
    up = {labels["node"]: value for labels, value in samples["turnstile_site_node_up"]}
    assert up == {"broker": 1, "log": 1, "front_door": 1, "recognizer-1": 0}
    frames = {labels["node"]: value for labels, value in samples["turnstile_node_frames_in_total"]}
    assert frames == {"broker": 1, "front_door": 3}
    assert samples["turnstile_journal_writable"] == [({}, 1)]


def test_a_broker_that_works_is_healthy_and_soon_ready(site: MonitoredSite) -> None:
    """No recognizer has come yet: that is no reason to keep them out."""
    assert site.get("/healthz")[0] == 200
    while site.get("/readyz")[0] != 200:
        assert site.broker.poll() is None
    assert site.get("/readyz")[1] == "loop: ok\njournal: ok\nclock: ok\nrules: ok\ngallery: ok\n"


HANGING = """
import sys
import threading
import broker

class HangingNode(broker.BrokerNode):
    def step(self, timeout_s):
        super().step(timeout_s)
        if self.board.beats:
            threading.Event().wait()

broker.BrokerNode = HangingNode
sys.exit(broker.node.run("broker", broker.wire, doc=""))
"""


def test_a_broker_whose_loop_hangs_is_not_healthy(folder: Path) -> None:
    """Its HTTP thread answers all the same, and that is what it answers."""
    with MonitoredSite(folder, broker=("-c", HANGING)) as site:
        while site.get("/healthz")[0] == 200:
            assert site.broker.poll() is None
        status, text = site.get("/healthz")
        assert (status, text[:22]) == (503, "loop: has not turned f")
        assert site.get("/readyz")[0] == 503
