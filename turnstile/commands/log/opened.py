"""A log that its owner reads, on the machine where it is, whether or not its logger runs.

Who may read the file may read the log.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from turnstile.commands.options import add_config
from turnstile.io.runner.member import choose_name
from turnstile.io.site.file import load
from turnstile.io.store.database import Database
from turnstile.io.store.store import LogName, Store
from turnstile.site.settings import LoggerSettings, Site

PATIENCE_S = 10.0
"""How long a command waits for the logger to finish a transaction."""


class OpenLog(NamedTuple):
    """A log to read."""

    settings: LoggerSettings
    store: Store
    site: Site


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


def open_log(site: Site, logger: str) -> OpenLog:
    """Open the store of a logger, which must be there.

    Raises:
        LogError: it is not, or cannot be read.
        ConfigError: it is something else.
    """
    settings = site.loggers[logger]
    store = Store(Database(settings.store_address, patience_s=PATIENCE_S), LogName(site.site, logger))
    store.open(create=False)
    return OpenLog(settings, store, site)
