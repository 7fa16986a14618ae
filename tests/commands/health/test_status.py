"""How `turnstile status` puts things."""

import pytest

from turnstile.commands.health.status import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min"), (370_800, "4 d 07 h")],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    """Nobody needs the seconds of a node that has been up for days."""
    assert duration(seconds) == words
