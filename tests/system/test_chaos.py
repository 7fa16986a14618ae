"""Processes die and stop at random, and no visit is lost or doubled: the short form of `benchmarks.chaos`."""

from pathlib import Path

import pytest

from tests.support.chaos import Chaos
from tests.support.halls import tally

MINUTES, FAULTS_EVERY_S = 0.5, 2.5
MIN_FAULTS = 5

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_every_visit_is_in_the_log_once_whatever_is_killed_and_stopped(folder: Path) -> None:
    """Each visit that was complete and seen; the chain verifies, also against the heads noted meanwhile."""
    chaos = Chaos(folder=folder, seed=1, faults_every_s=FAULTS_EVERY_S)
    try:
        chaos.run(minutes=MINUTES)
        counts = tally(chaos.halls, chaos.copies.entries())
        assert len(chaos.faults) >= MIN_FAULTS
        assert counts.pop("visits") >= 1
        assert counts == {"lost": 0, "doubled": 0, "wrong": 0, "spurious": 0}
        assert chaos.verify() == ""
        assert (chaos.copies.unrecorded(), chaos.unposted()) == ([], set())
    finally:
        chaos.clean_up()
