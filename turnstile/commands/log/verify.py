"""Look for changed, removed or reordered entries, and compare the log with heads that were kept elsewhere."""

import argparse
import sys

from turnstile.commands.log.opened import add_log, opened
from turnstile.io.log.verification import inspect
from turnstile.io.runner.node import EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.terminal import printable


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_log(parser)
    parser.add_argument(
        "--against", type=_hash, metavar="HASH", help="a hash from `turnstile log head` that was kept"
    )


def run(options: argparse.Namespace) -> int:
    """Print what was found; return 0, or 1 if the log is not whole."""
    with opened(options) as log:
        report = inspect(log.store, log.settings, against=options.against)
    for line in report.lines:
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED if report.whole else EXIT_CRASHED


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        found = b""
    if len(found) != 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a hash: 64 hexadecimal digits")
    return found
