"""The log that a command line names, opened to be read."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager

from turnstile.commands.options import add_config
from turnstile.io.runner.member import choose_name
from turnstile.io.site.file import load
from turnstile.io.store.opened import OpenLog, open_log


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which log."""
    add_config(parser)
    parser.add_argument("--name", metavar="LOGGER", help="whose log; needed if there are several loggers")


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[OpenLog]:
    """Open the log that the options name, and close it."""
    site = load(options.config)
    found = open_log(site, choose_name(site, "logger", options.name))
    with closing(found.store):
        yield found
