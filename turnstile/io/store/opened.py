"""The store of a logger, opened to be read on its machine, whether or not the logger runs.

Who may read the file may read the log.
"""

from typing import NamedTuple

from turnstile.io.store.database import Database
from turnstile.io.store.store import LogName, Store
from turnstile.site.settings import LoggerSettings, Site

PATIENCE_S = 10.0
"""How long a reader waits for the logger to finish a transaction."""


class OpenLog(NamedTuple):
    """A log to read."""

    settings: LoggerSettings
    store: Store
    site: Site


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
