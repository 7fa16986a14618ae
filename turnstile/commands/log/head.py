"""Print the newest entry's number and hash.

Kept elsewhere, the hash shows later whether the log's end was cut: `turnstile log verify --against HASH`.
"""

import argparse
import sys

from turnstile.commands.log.opened import add_log, opened
from turnstile.io.runner.node import EXIT_STOPPED


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_log(parser)


def run(options: argparse.Namespace) -> int:
    """Print the head; return 0."""
    with opened(options) as log:
        newest = log.store.head
    sys.stdout.write(f"{newest.number} {newest.hash.hex()}\n")
    return EXIT_STOPPED
