"""A broker that is killed and started again: every node is back by itself."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.addresses import free_addresses
from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

BACK_S = 2.0
"""What is promised, measured on 2 cores."""
BUSY_S = 20.0
"""What is required here, where other tests use those cores."""


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_every_node_is_back_soon_after_the_broker_is(
    folder: Path, transport: str, record_property: Callable[[str, object], None]
) -> None:
    """Beats of every node, frames and results come again, from the same processes.

    At first after an outage that nobody notices, then after one in which all nodes made their sockets anew.
    """
    ingress, egress = free_addresses(2)
    sections = {} if transport == "ipc" else {"broker": {"ingress": ingress, "egress": egress}}
    with RealSite(folder, sections=sections) as site:
        site.bus.subscribe("frame.")
        site.enrol("barack_obama.jpg")
        site.start_all()
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        site.kill("broker")
        expect_all_back(site, record=record_property)
        site.wait_for_visit(BIDEN, DENIED)
        site.kill("broker")
        site.wait_for(lambda: all("broker lost" in site.words(name) for name in ("screen", "door")))
        expect_all_back(site, record=record_property)
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_for(lambda: site.logged == [("door", *who) for who in (GRANTED, DENIED, GRANTED)])
        site.wait_for(lambda: site.states_on("screen")[-1] == "live")


def expect_all_back(site: RealSite, *, record: Callable[[str, object], None]) -> None:
    """Start the broker, and see that every node is back soon."""
    back_s = restart_broker(site)
    record("back_s", back_s)
    assert max(back_s.values()) < BUSY_S, back_s


def restart_broker(site: RealSite) -> dict[str, float]:
    """Start the broker, and return after how many seconds of its life each node was heard again.

    The ear of this test has to find the broker again itself, so that the times are upper bounds.
    """
    site.forget_what_was_heard()
    site.start("broker")
    heard_s: dict[str, float] = {}

    def note() -> bool:
        now = {name for name in site.names if site.is_heard(name)}
        now |= {"a frame"} if site.frames else set()
        now |= {"a result"} if site.results else set()
        for name in now - set(heard_s):
            heard_s[name] = time.monotonic()
            if name == "broker":
                heard_s["up"] = time.monotonic() - site.beats["broker"].uptime_s
        return now >= {*site.names, "a frame", "a result"}

    site.wait_for(note)
    up_s = heard_s.pop("up")
    return {name: round(at_s - up_s, 2) for name, at_s in heard_s.items()}
