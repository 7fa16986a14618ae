"""Kill, stop and set the clocks of processes while people come and go; count lost and doubled visits.

What is done and what counts, see `tests.support.chaos`; `tests/system/test_chaos.py` is its short form.

    python -m benchmarks.chaos [--minutes 10] [--faults-every 1] [--seed 1] [--store sqlite|postgresql]
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.report import Goal, Report, percentiles
from tests.support import postgresql
from tests.support.chaos import Chaos
from tests.support.halls import tally


def tell(chaos: Chaos, out: Report) -> int:
    """Print the table of faults and the tally; return 1 if a visit or the log is not as it must be."""
    rows: list[tuple[str, int, float, float, int]] = []
    for victim, kind in sorted({(fault.victim, fault.kind) for fault in chaos.faults}):
        times = [fault.recovered_s for fault in chaos.faults if (fault.victim, fault.kind) == (victim, kind)]
        known = [one for one in times if one is not None]
        p50, most = percentiles(known, (50, 100))
        rows.append((f"{victim} {kind}", len(times), p50, most, len(times) - len(known)))
    out.table(
        f"{len(chaos.faults)} faults, and seconds from the process's return to its next result or beat",
        ("fault", "times", "p50 s", "max s", "overtaken by a later one"),
        rows,
    )
    counts = tally(chaos.halls, chaos.copies.entries())
    out.table("visits that were complete and seen", tuple(counts), [tuple(counts.values())])
    bound = 3 / max(1, counts["visits"])
    out.note(f"0 losses in {counts['visits']} visits would bound the rate of loss by {bound:.1%} (95 %).")
    for what in ("lost", "doubled", "wrong", "spurious"):
        out.goal(Goal(what=what, unit="visits", measured=counts[what], at_most=0))
    gone, unrecorded, gaps = chaos.copies.gone(), chaos.copies.unrecorded(), chaos.copies.gaps()
    unposted = chaos.unposted()
    out.note(
        f"{len(chaos.copies.seen)} entries were in logs that were put back. {len(gone)} of them are gone; "
        f"{len(gaps)} notes tell that {sum(map(len, gaps))} are missing."
    )
    out.goal(Goal(what="gone and not on record", unit="entries", measured=len(unrecorded), at_most=0))
    out.goal(Goal(what="never posted", unit="visits", measured=len(unposted), at_most=0))
    broken = chaos.verify()
    out.note(broken or "The chain verifies.")
    out.goal(Goal(what="chain broken", unit="", measured=bool(broken), at_most=0))
    out.finish()
    counts.pop("visits")
    return int(bool(broken or unrecorded or unposted or counts.total()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    parser = report.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--faults-every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args(argv)
    out, on_postgresql = Report("chaos", options), options.store == "postgresql"
    if on_postgresql and (reason := postgresql.why_not()):
        out.note(f"skipped: {reason}")
        return out.finish()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(
            folder=Path(folder),
            seed=options.seed,
            faults_every_s=options.faults_every,
            postgresql=on_postgresql,
        )
        try:
            chaos.run(minutes=0.7 if options.quick else options.minutes)
            return tell(chaos, out)
        finally:
            chaos.clean_up()


if __name__ == "__main__":
    sys.exit(main())
