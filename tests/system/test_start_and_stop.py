"""Nodes start in any order, and end within a second when asked to, whatever they are at."""

import random
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sites import GRANTED, RealSite
from tests.support.views import OBAMA, OBAMA_AGAIN

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

END_S = 1.0
"""What is promised."""
BUSY_S = 10.0
"""What is required here, where other tests use the same cores."""

NODES = ("door", "recognizer-1", "log", "screen")
Record = Callable[[str, object], None]


@pytest.mark.parametrize("order", ["reversed", "random"])
def test_nodes_may_start_in_any_order(folder: Path, order: str, record_property: Record) -> None:
    """Each finds the broker when it comes; a visit is decided, logged and shown."""
    with RealSite(folder) as site:
        site.enrol("barack_obama.jpg")
        names = site.names[::-1] if order == "reversed" else random.sample(site.names, len(site.names))
        record_property("order", names)
        site.start(*names)
        site.wait_for_beats(*names)
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_for(lambda: site.logged == [("door", *GRANTED)])
        site.wait_for(lambda: site.count("screen", "verdicts_in") == 1)


def test_all_end_when_asked_to_while_they_work(folder: Path, record_property: Record) -> None:
    """Overloaded, the recognizer in the middle of a frame."""
    with RealSite(folder, fps=30, engine="reference") as site:
        site.show(OBAMA)
        site.start_all()
        site.wait_for(lambda: site.count("broker", "dropped_newer_came") > 0)
        site.wait_for(
            lambda: bool(site.named_by("recognizer-1")) and site.states_on("screen")[-1:] == ["live"]
        )
        expect_quick_end(site, *NODES, "broker", record=record_property)


def test_all_end_when_asked_to_without_a_broker(folder: Path, record_property: Record) -> None:
    """While they look for one that never was there; the display has shown no picture yet."""
    with RealSite(folder) as site:
        site.start(*NODES)
        site.wait_for(lambda: "waiting for the broker" in site.words("screen"))
        site.wait_for(lambda: "engine" in site.words("recognizer-1") and "door: live" in site.words("door"))
        site.wait_for(site.log_file.exists)
        expect_quick_end(site, *NODES, record=record_property)


def test_all_end_when_asked_to_after_the_broker_died(folder: Path, record_property: Record) -> None:
    """While they look for it again, with what they could not say still in hand."""
    with RealSite(folder) as site:
        site.show(OBAMA)
        site.start_all()
        site.wait_for(lambda: bool(site.named_by("recognizer-1")))
        site.kill("broker")
        site.wait_for(lambda: "broker lost" in site.words("screen") and "broker lost" in site.words("door"))
        expect_quick_end(site, *NODES, record=record_property)


@pytest.mark.parametrize("engine", ["reference", "accelerated"])
def test_a_recognizer_ends_when_asked_to_while_it_loads_its_models(
    folder: Path, engine: str, record_property: Record
) -> None:
    """They take seconds to load."""
    with RealSite(folder, engine=engine) as site:
        site.start("recognizer-1")
        site.wait_for(lambda: "starts" in site.words("recognizer-1"))
        expect_quick_end(site, "recognizer-1", record=record_property)
        assert "engine" not in site.words("recognizer-1")


def test_a_camera_that_is_lost_and_a_display_without_pictures_end_when_asked_to(
    folder: Path, record_property: Record
) -> None:
    """The display says what is the matter with the camera."""
    lost = {"door": {"source": "http://127.0.0.1:9/video"}}
    with RealSite(folder, sections={"cameras": lost}) as site:
        site.start("broker", "screen", "door")
        site.wait_for_beats("broker", "screen")
        site.wait_for(lambda: site.state("door").startswith("lost"))
        site.wait_for(lambda: site.states_on("screen")[-1:] == ["camera lost"])
        expect_quick_end(site, "door", "screen", "broker", record=record_property)


def test_a_logger_whose_disk_is_full_ends_when_asked_to(folder: Path, record_property: Record) -> None:
    """What it could not write is still with the broker, and is logged after room was made."""
    with RealSite(folder) as site:
        site.enrol("barack_obama.jpg")
        site.start_all()
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_for(lambda: len(site.logged) == 1)
        full = site.log_file.stat().st_size + 10
        resource.prlimit(site.nodes.running["log"].pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        site.wait_for_visit(OBAMA_AGAIN, GRANTED)
        site.wait_for(lambda: "cannot be written" in site.state("log"))
        expect_quick_end(site, "log", record=record_property)
        site.start("log")
        site.wait_for(lambda: site.logged == site.visits)
        assert len(site.visits) == 2


def expect_quick_end(site: RealSite, *names: str, record: Record) -> None:
    """Ask nodes to stop, one after the other, and see that each does soon and with exit code 0."""
    took_s = {name: round(site.stop(name), 2) for name in names}
    record("took_s", took_s)
    assert max(took_s.values()) < BUSY_S, took_s
