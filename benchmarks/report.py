"""What every benchmark says: what it ran on, its tables, its goals; on the screen and as JSON."""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import zmq

from turnstile.io.site.machine import cores

Cell = str | int | float | None
"""None stands where nothing could be measured."""

PACKAGES = ("turnstile", "pyzmq", "msgspec", "numpy", "opencv-python", "dlib-bin", "openvino", "imagezmq")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a measurement should reach."""

    what: str
    unit: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def reached(self) -> bool:
        """Tell whether the measured value is within both bounds; NaN never is."""
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.at_most is None else self.at_most
        return bool(low <= self.measured <= high)

    def __str__(self) -> str:
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        wanted = " and ".join(f"{word} {bound:g} {self.unit}" for word, bound in bounds if bound is not None)
        verdict = "reached" if self.reached else "NOT reached"
        return f"{verdict}: {self.what} {self.measured:.4g} {self.unit} (goal: {wanted})"


class Report:
    """One benchmark's output: everything is printed as it comes, and kept for the JSON file."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self._file: Path | None = options.json
        self._kept: dict[str, object] = {"benchmark": name, "quick": bool(options.quick)}
        self._tables: list[dict[str, object]] = []
        self._notes: list[str] = []
        self._goals: list[dict[str, object]] = []
        self._kept["environment"] = where = environment()
        print(f"benchmarks.{name}" + (" --quick: too short for figures to rely on" if options.quick else ""))
        for key, value in where.items():
            print(f"  {key}: {value}")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Print a table whose first column names what the others measure."""
        kept = [list(row) for row in rows]
        self._tables.append({"title": title, "columns": list(columns), "rows": kept})
        print(f"\n{title}\n")
        print(layout(columns, kept))

    def note(self, text: str) -> None:
        """Print what the reader of the last table should know."""
        self._notes.append(text)
        print(f"\n{text}")

    def goal(self, goal: Goal) -> None:
        """Print whether a goal was reached."""
        self._goals.append({**asdict(goal), "reached": goal.reached})
        print(f"\n{goal}")

    def finish(self) -> int:
        """Write the JSON file, if one was asked for, and return the exit code."""
        if self._file is not None:
            kept = {**self._kept, "tables": self._tables, "notes": self._notes, "goals": self._goals}
            self._file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
            print(f"\nwritten: {self._file}")
        return 0


def parse(doc: str | None, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options all benchmarks have: `quick` and `json`."""
    return parser(doc).parse_args(argv)


def parse_with_people(doc: str | None, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return these options, and where pictures by person are: `people`, and `keep` for their encodings."""
    made = parser(doc)
    made.add_argument("--people", type=Path, metavar="FOLDER", help="pictures, a folder each person")
    made.add_argument(
        "--keep", type=Path, metavar="FILE", help="where their encodings are kept for next time"
    )
    return made.parse_args(argv)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the command line of the options all benchmarks have."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="short settings: shows that it runs")
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    return made


def environment() -> dict[str, str]:
    """Return the versions and the hardware that figures depend on."""
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES if _is_installed(name)]
    load = f", load average {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return {
        "at": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": f"{', '.join(versions)}, libzmq {zmq.zmq_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{_processor()}, {cores()} cores{load}",
    }


def stay_on_one_core() -> None:
    """Keep this process and its threads on its last core, where the system can.

    numpy's BLAS has no other switch once it is loaded.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def percentiles(values: Sequence[float], ranks: Sequence[float]) -> list[float]:
    """Return the percentiles of `values`, one for each of `ranks` (0 to 100); NaN when there are none."""
    if not values:
        return [float("nan")] * len(ranks)
    return [float(one) for one in np.percentile(np.asarray(values, np.float64), ranks)]


def layout(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table as text that is also Markdown."""
    texts = [list(columns), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(columns))]
    lines = ["| " + " | ".join(_padded(row, widths)) + " |" for row in texts]
    rule = "|" + "|".join(("-" * (width + 1)) + (":" if at else "-") for at, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.rjust(width) if at else text.ljust(width)
        for at, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _text(cell: Cell) -> str:
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN is not itself
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 10 else f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
