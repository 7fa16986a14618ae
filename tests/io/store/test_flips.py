"""A disk that flips one bit of a store."""

import random
from pathlib import Path

from tests.support.flips import FlippedStore


def test_a_flipped_bit_is_noticed_or_harmless(folder: Path) -> None:
    """A sample of the bits in use: verify names the damage, or the log says what it said before."""
    store = FlippedStore(folder)
    used = [at for at, byte in enumerate(store.data) if byte]
    chance = random.Random(7)
    outcomes = {store.try_bit(chance.choice(used) * 8 + chance.randrange(8)) for _ in range(60)}
    assert outcomes == {"noticed", "harmless"}
