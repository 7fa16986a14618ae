"""What the encoder computes in: the fastest of what is as accurate, measured once on each machine.

Processors differ too much for a table: with VNNI int8 takes a third of float32's time, with AVX2 alone half,
and bfloat16 is fast only where it is built in. The measurement is kept beside the compiled networks.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec
import numpy as np

from turnstile.errors import ModelError
from turnstile.vision.models import cache, runtime
from turnstile.vision.models.graph import CHIP_PX
from turnstile.vision.models.runtime import Network, PrecisionName

ALLOWED: tuple[PrecisionName, ...] = ("float32", "bfloat16", "int8")
"""What is no less accurate: see docs/decisions/0016-precision-by-measurement.md."""

ROUNDS = 15
MUST_SAVE = 0.1
"""A lower precision is taken where it saves at least this part of float32's time."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A precision, and why it was taken."""

    precision: PrecisionName
    processor: str
    chip_ms: dict[PrecisionName, float]
    """Processor time of a chip in each precision that was tried; empty when none was."""

    @property
    def not_quantized(self) -> PrecisionName:
        """Return what a network computes in whose activation ranges are not known."""
        if not self.chip_ms:
            return "float32" if self.precision == "int8" else self.precision
        return fastest({name: ms for name, ms in self.chip_ms.items() if name != "int8"})

    @property
    def reason(self) -> str:
        """Return why, for people."""
        if not self.chip_ms:
            return "as recognition.precision says"
        times = ", ".join(
            f"{name} {ms:.1f}" for name, ms in sorted(self.chip_ms.items(), key=lambda one: one[1])
        )
        return f"the fastest here, in ms a chip: {times}"


def choose(wanted: PrecisionName | Literal["auto"], *, batch: int, folder: Path | None = None) -> Choice:
    """Return what to compute in.

    Args:
        wanted: what the site file says; ``auto`` is measured once on this machine and kept.
        batch: how many chips the encoder is given at a time.
        folder: where the measurement is kept; `None` for the user's cache folder.
    """
    if wanted != "auto":
        return Choice(precision=wanted, processor=runtime.processor(), chip_ms={})
    name = f"precision-{batch}-{cache.NETWORK_VERSION}-{runtime.machine_key()}.json"
    kept = cache.kept_or_made(name, lambda: msgspec.json.encode(_measured(batch)), cache=folder)
    return msgspec.json.decode(kept, type=Choice)


def _measured(batch: int) -> Choice:
    """Measure all that may be taken, in turns, so that other work slows all alike."""
    candidates = networks(batch)
    chips = np.random.default_rng(0).integers(0, 256, (batch, CHIP_PX, CHIP_PX, 3)).astype(np.uint8)
    times: dict[PrecisionName, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, network in candidates.items():
            started = time.process_time()
            network.run(chips)
            times[name].append((time.process_time() - started) * 1e3 / batch)
    chip_ms = {name: round(median(values), 2) for name, values in times.items()}
    return Choice(precision=fastest(chip_ms), processor=runtime.processor(), chip_ms=chip_ms)


def fastest(chip_ms: Mapping[PrecisionName, float]) -> PrecisionName:
    """Return the precision to take; float32 unless another saves enough."""
    best = min(chip_ms, key=lambda name: chip_ms[name])
    return best if chip_ms[best] <= (1 - MUST_SAVE) * chip_ms["float32"] else "float32"


def networks(batch: int | None = None) -> dict[PrecisionName, Network]:
    """Return the encoder in each precision that may be taken and that this processor can compute in."""
    found: dict[PrecisionName, Network] = {}
    for name in ALLOWED:
        try:
            found[name] = runtime.load(cache.encoder_model(precision=name, batch=batch), precision=name)
        except ModelError:
            if name == "float32":
                raise
    return found
