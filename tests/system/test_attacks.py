"""Each attack against a running site, for a moment: nothing comes of it."""

from collections.abc import Iterator
from typing import get_args

import pytest

from tests.support.attacks.attacked_site import AttackedSite
from tests.support.attacks.catalogue import ALLOWED, ATTACKS, gained
from tests.support.messages import one_of_each
from turnstile.protocol.messages import AnyMessage

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

EACH_IS_REFUSED = {
    *("right key, wrong role: each message", "right key, wrong role: each topic", "another's name"),
    *("forged results", "bomb pictures"),
}
REFUSED = {
    *("wrong key", "key revoked while speaking", "key revoked while listening", "replayed results"),
    *("flood of frames", "flood of beats", "flood of queries"),
}
MEMORY_MB = 150.0
"""A slow reader may keep 200 frames of 30 kB in the broker, 10,000 connections about 10 kB each."""


@pytest.fixture(scope="module")
def attacked() -> Iterator[AttackedSite]:
    """Give a running site."""
    with AttackedSite() as attacked:
        yield attacked


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_comes_of_an_attack(attacked: AttackedSite, attack: str) -> None:
    """Nobody hears the attacker, the broker lives, and the honest cameras are seen during and after it."""
    outcome = attacked.attempt(attack, ATTACKS[attack], (0.0, 1.5, 1.0))
    assert outcome.alive
    assert gained(outcome) == []
    assert outcome.tries > 0
    assert all(phase.frames_per_s > 0 for phase in outcome.phases[1:])
    assert outcome.refused >= (outcome.tries if attack in EACH_IS_REFUSED else attack in REFUSED)
    assert not ALLOWED.get(attack) or outcome.heard_of, "the intruder did what its key allows"
    assert not outcome.memory_mb > MEMORY_MB  # NaN where the system does not say


def test_there_is_one_of_each_message() -> None:
    """So that each is tried in each role."""
    assert {type(message) for message in one_of_each()} == set(get_args(AnyMessage))
