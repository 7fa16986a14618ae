"""What the encoder's network alone costs a chip: dlib, and ours in each precision and batch size.

A fresh process measures each limit on instruction sets, one way after the other, in processor time. Two
chips are one face by the default policy.

    python -m benchmarks.encoder [--quick] [--json FILE]
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import dlib
import numpy as np

from benchmarks.report import Goal, Report, parser, stay_on_one_core
from turnstile.vision.models import cache, precision, runtime

BATCHES = (1, 2, 8)
ROUNDS, QUICK_ROUNDS = 30, 5
FAST_SETS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "": "all instruction sets",
        "AVX512_CORE": "without VNNI and bfloat16",
        "AVX2": "without AVX-512 and VNNI",
    }
)
"""Values of oneDNN's ONEDNN_MAX_CPU_ISA, and what to call them."""

LIMIT = "ONEDNN_MAX_CPU_ISA"


def chip_times(*, rounds: int) -> dict[str, float]:
    """Return milliseconds of processor time a chip, by way."""
    chips = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 150, 150, 3)).astype(np.uint8)
    own = dlib.face_recognition_model_v1(str(cache.model_file(cache.ENCODER_FILE)))
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "dlib": (1, lambda: own.compute_face_descriptor(chips[0]))
    }
    for size in BATCHES:
        for kind, network in precision.networks(size).items():
            ways[f"{kind}, {size} together"] = (size, partial(network.run, chips[:size]))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (size, encode) in ways.items():
            started = time.process_time()
            encode()
            times[name].append((time.process_time() - started) * 1e3 / size)
    return {name: statistics.median(values) for name, values in times.items()}


def show_encoder(report: Report, *, quick: bool) -> None:
    """Print what the network costs under each limit."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    columns = {words: _measured_apart(limit, rounds) for limit, words in LIMITS.items()}
    first = next(iter(columns.values()))
    report.table(
        "The encoder's network alone, one thread: processor time of a chip in ms, and times against dlib",
        ["", *(word for words in columns for word in (words, "times"))],
        [[name, *(cell for column in columns.values() for cell in _cells(column, name))] for name in first],
    )
    report.note(f"This processor has {', '.join(instruction_sets())}; it is a {runtime.processor()}.")
    best = min(first, key=lambda name: first[name])
    report.goal(
        Goal(
            what=f"encoder ({best}) against dlib",
            unit="times",
            measured=first["dlib"] / first[best],
            at_least=50,
        )
    )


def instruction_sets() -> list[str]:
    """Return those that matter, as the processor lists them."""
    flags = runtime.CPUINFO.read_text("utf-8").split() if runtime.CPUINFO.is_file() else []
    return [name for name in FAST_SETS if name in flags] or list(runtime.abilities())


def _cells(times: Mapping[str, float], name: str) -> tuple[float | None, float | None]:
    if name not in times:
        return None, None
    return times[name], times["dlib"] / times[name]


def _measured_apart(limit: str, rounds: int) -> dict[str, float]:
    """Return the times of a fresh process, as the limit is read when the runtime is loaded."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.encoder", "--rounds", str(rounds)]
    environment = {**os.environ, LIMIT: limit} if limit else dict(os.environ)
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    times: dict[str, float] = json.loads(done.stdout)
    return times


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "--rounds", type=int, help="print so many rounds' times under today's limit as JSON"
    )
    options = arguments.parse_args(argv)
    stay_on_one_core()
    if options.rounds:
        print(json.dumps(chip_times(rounds=options.rounds)))
        return 0
    report = Report("encoder", options)
    show_encoder(report, quick=options.quick)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
