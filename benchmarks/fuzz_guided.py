"""Damaged input through every decoder, guided by what the code does with it (atheris, libFuzzer).

Each decoder of `tests.support.decoders` runs for some seconds in a process of its own. It ends at an
exception that it does not document, at an input that takes over 5 s, and at 1.5 GB of memory; the input is
then kept. What is found belongs into `tests/corpus`. atheris is installed by `make fuzz`: it has wheels for
Linux on x86_64 only, and is large.

    python -m benchmarks.fuzz_guided [--only DECODER] [--seconds N] [--keep FOLDER] [--quick] [--json FILE]
"""

import argparse
import importlib
import importlib.util
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Report, parser

if TYPE_CHECKING:
    from tests.support.decoders import Decoder

TIMEOUT_S, MEMORY_MB = 5, 1536
MAX_INPUT_BYTES = 8192
_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the decoders one after the other; return 1 if one was broken, 2 without atheris."""
    made = parser(__doc__)
    made.add_argument("--only", metavar="DECODER", help="only this decoder")
    made.add_argument("--seconds", type=int, default=60, help="for each decoder (60)")
    made.add_argument("--keep", type=Path, default=Path("var/fuzz"), help="where to keep what breaks one")
    made.add_argument("--inside", help=argparse.SUPPRESS)
    options, rest = made.parse_known_args(argv)
    if importlib.util.find_spec("atheris") is None:
        print("benchmarks.fuzz_guided needs atheris: make fuzz", file=sys.stderr)
        return 2
    if options.inside:
        fuzz(options.inside, rest)
    report = Report("fuzz_guided", options)
    options.keep.mkdir(parents=True, exist_ok=True)
    seconds = 3 if options.quick else options.seconds
    names = [options.only] if options.only else list(_decoders())
    outcomes = {name: run(name, seconds, options.keep) for name in names}
    report.table(
        f"{seconds} s each",
        ("decoder", "inputs", "places of code reached", "outcome"),
        [
            (name, inputs, reached, "broken" if broken else "whole")
            for name, (inputs, reached, broken) in outcomes.items()
        ],
    )
    return report.finish() or int(any(broken for *_, broken in outcomes.values()))


def run(name: str, seconds: int, keep: Path) -> tuple[int, int, bool]:
    """Return how many inputs were tried, how many places of the code they reached, and if one broke it."""
    with tempfile.TemporaryDirectory(prefix="turnstile-corpus-") as folder:
        for number, seed in enumerate(_decoders()[name].seeds()):
            Path(folder, f"seed-{number}").write_bytes(seed)
        command = [sys.executable, "-m", "benchmarks.fuzz_guided", "--inside", name]
        limits = [f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}"]
        where = [f"-artifact_prefix={keep.resolve()}/{name}-", f"-max_len={MAX_INPUT_BYTES}", folder]
        ended = subprocess.run([*command, *limits, *where], capture_output=True, text=True, check=False)
    done = _DONE.search(ended.stderr)
    if ended.returncode != 0 or done is None:
        print(ended.stdout[-2000:], ended.stderr[-4000:], sep="\n", file=sys.stderr)
        return 0, 0, True
    return int(done[1]), int(done[2]), False


def fuzz(name: str, arguments: Sequence[str]) -> None:
    """Fuzz one decoder in this process; does not return."""
    atheris = importlib.import_module("atheris")

    logging.disable()
    with atheris.instrument_imports(include=["turnstile", "yaml", "zmq.auth", "zmq.utils"]):
        decoder = _decoders()[name]
    with tempfile.TemporaryDirectory(prefix="turnstile-fuzz-") as folder:
        atheris.Setup([sys.argv[0], *arguments], lambda data: _ignore(decoder.outcome(data, Path(folder))))
        atheris.Fuzz()


def _decoders() -> "dict[str, Decoder]":
    """Return them; imported only now, because what is imported before atheris watches guides nothing."""
    found: dict[str, Decoder] = importlib.import_module("tests.support.decoders").DECODERS
    return found


def _ignore(_outcome: str) -> None:
    """Return nothing, as atheris wants it."""


if __name__ == "__main__":
    sys.exit(main())
