"""Damaged input through every decoder: no crash, no hang, memory flat.

Valid examples of everything that is read from others (`tests.support.decoders`) are damaged at random: bits
flipped, parts cut out, doubled, put in from another example, lengths and numbers replaced by extremes. Each
message goes its way through the broker (decode, rules of each role, header of the picture) and through a node
(decode, gallery). Whatever is raised but the decoder's own errors ends the run with the bytes.

    python -m benchmarks.fuzz [--only DECODER] [--quick] [--json FILE]
"""

import logging
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Goal, Report, parser
from tests.support.decoders import DECODERS, Decoder, mutate

COUNTS = {"message": 1_000_000, "picture": 200_000, "model": 50_000, "log_line": 200_000}
OTHERS, QUICK = 10_000, 50
"""How often those not named, which go by way of a file, and what part of it with `--quick`."""

SLOW_S = 0.1
"""Of processor time: other programs do not count."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one decoder's damaged input."""

    counts: Counter[str]
    took_s: float
    slowest_s: float
    grown_mb: float
    """Memory gained after the first tenth."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return 1 if anything but a refusal came of damage."""
    made = parser(__doc__)
    made.add_argument("--only", choices=DECODERS, help="only this decoder")
    options = made.parse_args(argv)
    logging.disable()
    report = Report("fuzz", options)
    rows: list[tuple[str, str, int]] = []
    notes: list[str] = []
    goals: list[Goal] = []
    for name in [options.only] if options.only else DECODERS:
        count = COUNTS.get(name, OTHERS) // (QUICK if options.quick else 1)
        outcome = run(DECODERS[name], count)
        if outcome is None:
            return 1
        rows += [(name, what, times) for what, times in sorted(outcome.counts.items())]
        notes.append(f"{name}: {count / outcome.took_s:,.0f} a second, damage included")
        slowest = Goal(what=f"{name}: slowest", unit="s", measured=outcome.slowest_s, at_most=SLOW_S)
        grown = Goal(what=f"{name}: memory gained", unit="MB", measured=outcome.grown_mb, at_most=8.0)
        goals += [slowest, grown]
    report.table("Damaged input", ("decoder", "outcome", "times"), rows)
    report.note("; ".join(notes))
    for goal in goals:
        report.goal(goal)
    return report.finish()


def run(decoder: Decoder, count: int) -> Outcome | None:
    """Feed a decoder so much damage; print what broke it and return none if something did."""
    chance = random.Random(7)
    seeds = decoder.seeds()
    counts: Counter[str] = Counter()
    slowest_s, rss_then_mb = 0.0, 0.0
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="turnstile-fuzz-") as folder:
        for number in range(count):
            data = mutate(chance, chance.choice(seeds), seeds)
            started_s = time.process_time()
            try:
                counts[decoder.outcome(data, Path(folder))] += 1
            except Exception as error:  # noqa: BLE001 - what is looked for
                print(f"{type(error).__name__}: {error}\n{data!r}")
                return None
            slowest_s = max(slowest_s, time.process_time() - started_s)
            if number == count // 10:
                rss_then_mb = _rss_mb()
    return Outcome(
        counts=counts,
        took_s=time.perf_counter() - began_s,
        slowest_s=slowest_s,
        grown_mb=_rss_mb() - rss_then_mb,
    )


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
