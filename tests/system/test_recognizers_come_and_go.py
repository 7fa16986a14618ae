"""Recognizers that are killed, added and paused while people come and go: each visit is one entry."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA, OBAMA_AGAIN

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

RECOGNIZERS = ("recognizer-1", "recognizer-2")
PAUSE_NS = 5_000_000_000


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a site that is overloaded, with one person enrolled."""
    patient = {"displays": {"screen": {"size_px": [640, 480], "stale_after_s": 2.5}}}
    with RealSite(folder, recognizers=RECOGNIZERS, fps=30, engine="reference", sections=patient) as site:
        site.enrol("barack_obama.jpg")
        site.start_all()
        site.wait_until_enrolled(1)
        yield site


def test_a_recognizer_killed_in_mid_frame_costs_no_visit(site: RealSite) -> None:
    """Its frame is written off, the other one goes on, and nobody is logged twice."""
    site.wait_for_visit(OBAMA, GRANTED)
    site.show(BIDEN)
    kill_in_mid_frame(site, "recognizer-1")
    site.wait_for(lambda: len(site.accesses) == 2)
    site.wait_until_left()
    site.wait_for_visit(OBAMA_AGAIN, GRANTED)
    shown = [("door", *GRANTED), ("door", *DENIED), ("door", *GRANTED)]
    assert site.visits == shown
    site.wait_for(lambda: site.logged == shown)


def test_a_recognizer_added_under_load_gets_the_gallery_and_works(site: RealSite) -> None:
    """It is not in the site file; what it names comes from the gallery that it was sent."""
    site.show(OBAMA)
    site.wait_for(lambda: site.count("broker", "dropped_newer_came") > 0)
    site.start("newcomer")
    site.wait_for(lambda: "Barack Obama" in site.named_by("newcomer"))
    site.wait_for(lambda: site.gauge("newcomer", "people") == 1)
    assert site.visits == [("door", *GRANTED)]


def test_while_all_recognizers_are_paused_the_display_looks_for_faces_itself(site: RealSite) -> None:
    """For five seconds of the camera; then results come again, and who stood there is still one visit."""
    site.bus.subscribe("frame.door.")
    site.show(OBAMA)
    site.wait_for(lambda: bool(site.accesses) and site.states_on("screen")[-1:] == ["live"])
    for name in RECOGNIZERS:
        site.nodes.send(name, signal.SIGSTOP)
    paused_ns = site.frames["door"].captured_ns
    site.wait_for(lambda: site.frames["door"].captured_ns > paused_ns + PAUSE_NS)
    site.wait_for(lambda: site.count("screen", "local_detections") > 0)
    assert site.states_on("screen")[-1] == "no recent result"
    for name in RECOGNIZERS:
        site.nodes.send(name, signal.SIGCONT)
    site.wait_for(lambda: site.states_on("screen")[-1] == "live")
    for name in RECOGNIZERS:
        heard = len(site.results)
        site.wait_for(lambda: "Barack Obama" in site.named_by(name, since=heard))  # noqa: B023 - called at once
    assert site.visits == [("door", *GRANTED)]
    site.wait_until_left()
    site.wait_for_visit(BIDEN, DENIED)
    assert site.visits == [("door", *GRANTED), ("door", *DENIED)]
    site.wait_for(lambda: site.logged == site.visits)


def kill_in_mid_frame(site: RealSite, name: str) -> None:
    """Kill a recognizer while it works on a frame; if the kill came between two frames, do it again."""
    before = site.count("broker", "frames_written_off")
    while True:
        site.wait_for(lambda: site.gauge("broker", "recognizers") == len(RECOGNIZERS))
        site.kill(name)
        site.wait_for(lambda: site.gauge("broker", "recognizers") < len(RECOGNIZERS))
        if site.count("broker", "frames_written_off") > before:
            return
        site.start(name)
        site.wait_for_beats(name)
