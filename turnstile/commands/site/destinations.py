"""Whether the files that a site's nodes write can be written, and are theirs.

Nothing is made or changed here. A running node may hold the file, so it is only looked at.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from turnstile.errors import ConfigError
from turnstile.files.reading import read_file, why
from turnstile.io.access import recording
from turnstile.io.log import text_file, witness
from turnstile.io.store import tables
from turnstile.site.settings import Site


class Destination(NamedTuple):
    """A file that a node writes, and what raises an error if it is something else."""

    key: str
    path: Path
    refuse_foreign: Callable[[Path], None]


def destinations(site: Site, here: str | None) -> Iterator[Destination]:
    """Give the files that the nodes of one host write."""
    if site.broker.host in ("", here):
        yield Destination("broker.journal", Path(site.broker.journal), _database_with("events"))
        if site.decision.record:
            yield Destination("decision.record", Path(site.decision.record), recording.refuse_foreign)
    for name, logger in site.loggers.items():
        if logger.host not in ("", here):
            continue
        yield Destination(f"loggers.{name}.file", Path(logger.file), text_file.refuse_foreign)
        if "://" not in logger.store_address:
            store = Path(logger.store_address)
            yield Destination(f"loggers.{name}.store", store, _database_with(tables.schema.name))
        if logger.witness:
            yield Destination(f"loggers.{name}.witness", Path(logger.witness), witness.refuse_foreign)


def foreign_files(site: Site, here: str | None) -> Iterator[str]:
    """Yield which files hold something that no node of ours wrote, so that the node would refuse them."""
    for key, path, refuse_foreign in destinations(site, here):
        try:
            if path.exists() and _may(path, os.R_OK):
                refuse_foreign(path)
        except ConfigError as error:
            yield f"{key}: {error}"
        except OSError as error:
            yield f"{key}: {path}: {why(error, about=path)}"


def unwritable_files(site: Site, here: str | None) -> Iterator[str]:
    """Yield which files this user cannot write; the nodes may run as another."""
    for key, path, _ in destinations(site, here):
        try:
            problem = _why_not_writable(path)
        except OSError as error:
            problem = why(error, about=path)
        if problem:
            yield f"{key}: {path} cannot be written by this user: {problem}"


def _why_not_writable(path: Path) -> str:
    if path.exists():
        return "" if _may(path, os.W_OK) else "the file is read-only for it"
    folder = next(one for one in path.parents if one.exists())
    if not folder.is_dir():
        return f"{folder} is a file, not a folder"
    return "" if _may(folder, os.W_OK | os.X_OK) else f"it may make no file in {folder}"


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)


def _database_with(table: str) -> Callable[[Path], None]:
    """Return what refuses a file that is neither empty nor a SQLite database with a table of ours."""

    def refuse_foreign(path: Path) -> None:
        begin = read_file(path, at_most=16)
        if begin and begin != b"SQLite format 3\0":
            raise ConfigError(f"{path} holds something that is no database; name another file")
        with closing(sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)) as connection:
            try:
                rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            except sqlite3.Error:
                return  # in the middle of a change, or damaged: its node says so
        if rows and (table,) not in rows:
            raise ConfigError(f"{path} is a database of something else; name another file")

    return refuse_foreign
