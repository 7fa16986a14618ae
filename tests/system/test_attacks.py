"""Each attack of `benchmarks.attacks` against a running site, for a moment: nothing comes of it."""

import pytest

from benchmarks.attackers import ATTACKS
from benchmarks.attacks import attempt

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

COUNTED_BY_NAME = {
    *("wrong key", "revoked key, while connected", "another camera's name"),
    *("right key, wrong role: each message", "right key, wrong role: each topic"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_comes_of_an_attack(attack: str) -> None:
    """Nobody hears the attacker, the broker lives, and the honest cameras are seen during and after it."""
    outcome = attempt(attack, (0.5, 1.5, 1.0))
    assert outcome.alive
    assert outcome.gained == ()
    assert outcome.tries > 0
    assert all(phase.frames_per_s > 0 for phase in outcome.phases)
    assert outcome.refused > 0 or attack not in COUNTED_BY_NAME
