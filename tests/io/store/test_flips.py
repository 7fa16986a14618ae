"""A disk that flips one bit of a store."""

from pathlib import Path

from tests.support.flips import FlippedStore, outcomes_of_a_sample


def test_a_flipped_bit_is_noticed_or_harmless(folder: Path) -> None:
    """A sample of the bits in use: verify names the damage, or the log says what it said before."""
    assert outcomes_of_a_sample(FlippedStore(folder), flips=60) == {"noticed", "harmless"}
