"""Running networks: what is refused, and what loading does besides."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from turnstile.errors import ModelError
from turnstile.vision.models import cache, runtime

ROOT = Path(__file__).resolve().parents[3]
LOAD = "from turnstile.vision.models import cache; cache.detector()"


def test_loading_a_network_writes_nothing_but_the_cache(tmp_path: Path) -> None:
    """Telemetry of another runtime began by writing the number of a session into the temporary folder."""
    subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        timeout=100,
        check=True,
    )
    assert not list(tmp_path.iterdir())


def test_a_file_that_holds_no_network_is_refused(tmp_path: Path) -> None:
    """So is one that is missing. Whatever the runtime raises becomes one error."""
    file = tmp_path / "broken.tflite"
    with pytest.raises(ModelError, match="cannot load the network"):
        runtime.load(file)
    file.write_bytes(b"not a network")
    with pytest.raises(ModelError, match="cannot load the network"):
        runtime.load(file)


def test_bytes_that_are_no_compiled_network_are_refused() -> None:
    """The cache's digest holds back damage; this holds back the rest."""
    with pytest.raises(ModelError, match="cannot restore the network"):
        runtime.restore(b"not a network", precision="float32")


def test_a_restored_network_gives_the_same_outputs(tmp_path: Path) -> None:
    """The one that was built and those that are read from the cache, bit by bit."""
    chips = np.random.default_rng(1).integers(0, 256, (2, 150, 150, 3)).astype(np.uint8)
    built, restored = cache.encoder(batch=2, cache=tmp_path), cache.encoder(batch=2, cache=tmp_path)
    assert (built.batch, restored.batch) == (2, 2)
    assert np.array_equal(built.run(chips)[0], restored.run(chips)[0])


def test_outputs_outlive_the_next_run() -> None:
    """The runtime writes each into the same memory."""
    network = cache.encoder()
    first = network.run(np.zeros((1, 150, 150, 3), np.uint8))[0]
    kept = first.copy()
    network.run(np.full((1, 150, 150, 3), 255, np.uint8))
    assert np.array_equal(first, kept)


def test_another_limit_on_instruction_sets_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled with one set of instructions is compiled again for another."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    here = runtime.machine_key()
    assert runtime.machine_key() == here
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert runtime.machine_key() != here
