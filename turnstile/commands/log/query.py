"""Show entries of the access log, by person, camera, verdict, reason or time, on the machine where it is."""

import argparse
import sys

from turnstile.commands.log.opened import add_log, opened
from turnstile.commands.log.selection import add_selection, question_of, select
from turnstile.io.log.text import local_time
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.terminal import printable
from turnstile.log.lines import entry_of, format_entry


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_log(parser)
    add_selection(parser)


def run(options: argparse.Namespace) -> int:
    """Print the lines as they stand in the text; return 0."""
    question = question_of(options)
    with opened(options) as log:
        for link in select(log.store, question):
            line = format_entry(entry_of(link, at=local_time(link.record.decided_ns)))
            sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED
