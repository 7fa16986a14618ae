"""Opening a store: a SQLite file, or a PostgreSQL database by its address.

SQLite runs with a rollback journal (TRUNCATE) and ``synchronous=FULL``, not with WAL. With WAL two
connections can damage a file before SQLite 3.51.3 (https://sqlite.org/wal.html#walresetbug). Here the
commands that read or erase open the file while the logger writes it. In TRUNCATE mode at FULL the truncation
that commits is synced too (pager.c, `pager_end_transaction`), so a commit survives a power cut. It costs more
syncs than WAL, which `benchmarks.store` measures. ``secure_delete`` overwrites what is deleted.

PostgreSQL is reached through psycopg with time-outs, because a logger must not hang on a lost network.
Passwords do not stand in the address: libpq reads them from ``~/.pgpass`` or ``PGPASSWORD``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from turnstile.errors import ConfigError, LogError
from turnstile.files.private import close_to_others
from turnstile.io.store import tables
from turnstile.io.store.upgrade import EARLIER, upgrade

_POSTGRESQL = {
    "connect_timeout": "2",
    "tcp_user_timeout": "2000",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "application_name": "turnstile",
    "options": "-c statement_timeout=10000 -c lock_timeout=2000 -c synchronous_commit=on",
}
_SQLITE = ("journal_mode=TRUNCATE", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
_LOCK_KEY = 0x7475726E7374696C
"""Held in PostgreSQL while tables are made, which two loggers may want to at once."""


class StoreAbsentError(LogError):
    """There is no store at the address."""


class Database:
    """One connection to a store, for one thread."""

    def __init__(self, address: str, *, patience_s: float = 0.5) -> None:
        """Name the store.

        Args:
            address: an absolute path, or ``postgresql://user@host/database``.
            patience_s: how long to wait in SQLite while another process uses the file.

        Raises:
            ConfigError: it is neither.
        """
        self.address = address
        self.path = None if "://" in address else Path(address)
        self._url = _url(address)
        self._patience_s = patience_s
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether there is a connection."""
        return self._connection is not None

    def open(self, *, create: bool) -> None:
        """Connect, and make the tables if there are none.

        Raises:
            StoreAbsentError: there is no store, and `create` is false.
            LogError: it cannot be opened now.
            ConfigError: it is of another version, or something else.
        """
        with self._explained("opened"):
            if self.path is not None:
                _make_file(self.path, create=create)
            self._connection = _engine(self._url, patience_s=self._patience_s).connect()
            try:
                self._prepare(create=create)
                self._identity = _identity(self.path)
            except BaseException:
                self.close()
                raise

    def was_moved(self) -> bool:
        """Tell whether the open SQLite file is no longer the one of that name; writes to it would be lost."""
        return self.is_open and self._identity is not None and _identity(self.path) != self._identity

    def close(self) -> None:
        """Let go of it, without a word about what is broken."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()
            connection.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection for one transaction, on disk when the block ends.

        Raises:
            LogError: it failed; the connection is closed, since what a failed sync left is not known.
        """
        with self._explained("written"), self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for one transaction that changes nothing and keeps no writer waiting long.

        Raises:
            LogError: it failed, and the connection is closed.
        """
        with self._explained("read"), self._transaction("BEGIN") as connection:
            yield connection

    def clean(self) -> None:
        """Rewrite the store without what was deleted from it.

        Raises:
            LogError: it failed, or others use the store all the time.
        """
        with self._explained("cleaned"):
            driver: Any = self._live().connection.driver_connection
            if self.path is not None:
                driver.execute("VACUUM")
                return
            driver.autocommit = True
            for table in (tables.personal, tables.entries, tables.notes, tables.act_words):
                driver.execute(f"VACUUM FULL {table.name}")
            driver.autocommit = False

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        connection = self._live().execution_options(sqlite_begin=begin)
        with connection.begin():
            yield connection

    def _live(self) -> Connection:
        if self._connection is None:
            raise LogError(f"the store {self.address} is not open")
        return self._connection

    def _prepare(self, *, create: bool) -> None:
        with self._transaction("BEGIN IMMEDIATE" if create else "BEGIN") as connection:
            if self.path is None and create:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
            if not sqlalchemy.inspect(connection).has_table(tables.schema.name):
                if not create:
                    raise StoreAbsentError(f"there is no access log in {self.address} yet")
                if self.path is not None and sqlalchemy.inspect(connection).get_table_names():
                    raise ConfigError(f"{self.address} is a database of something else; name another store")
                tables.metadata.create_all(connection)
                connection.execute(tables.schema.insert().values(version=tables.VERSION))
            version = connection.execute(select(tables.schema.c.version)).scalar_one()
            if version in EARLIER and create:
                upgrade(connection, version)
                version = tables.VERSION
            if version in EARLIER:
                raise LogError(f"the store {self.address} is of version {version}; start its logger once")
            if version != tables.VERSION:
                raise ConfigError(
                    f"the store {self.address} is of version {version}; this Turnstile has {tables.VERSION}"
                )

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self.close()
            reason = _reason(error)
            if "file is not a database" in reason:
                raise ConfigError(
                    f"{self.address} is no database; name another file for the store"
                ) from error
            raise LogError(f"the store {self.address} cannot be {done}: {reason}") from error
        except OSError as error:
            self.close()
            raise LogError(f"the store {self.address} cannot be {done}: {error.strerror}") from error
        except (
            TypeError,
            ValueError,
            OverflowError,
            MemoryError,
        ) as error:  # a value of another type or size
            self.close()
            raise LogError(f"the store {self.address} cannot be {done}: it is damaged: {error}") from error


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another of its name; `None` without a file."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _url(address: str) -> URL:
    if "://" not in address:
        return URL.create("sqlite", database=address)
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"store: {address!r} is not an address like postgresql://user@host/name") from error
    if url.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise ConfigError(f"store: {url.drivername} is not known; a file's path and postgresql:// are")
    if url.password is not None:
        raise ConfigError("store: no password belongs into the site file; put it into ~/.pgpass")
    return url.set(drivername="postgresql+psycopg")


def _engine(url: URL, *, patience_s: float) -> Engine:
    if url.drivername != "sqlite":
        given = {**_POSTGRESQL, **{key: str(value) for key, value in url.query.items()}}
        return sqlalchemy.create_engine(
            url.set(query={}), poolclass=NullPool, connect_args=given, isolation_level="READ COMMITTED"
        )
    arguments = {"timeout": patience_s, "isolation_level": None}
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=arguments)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: SqliteConnection, _record: object) -> None:
    for pragma in _SQLITE:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _make_file(path: Path, *, create: bool) -> None:
    """Make the file its owner's only before SQLite opens it; SQLite's journal takes the same mode."""
    if not create:
        try:
            path.stat()
        except FileNotFoundError as error:
            if path.is_symlink():
                raise
            raise StoreAbsentError(f"there is no access log in {path} yet") from error
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for one in (path, path.with_name(f"{path.name}-journal")):
        close_to_others(one)


def _reason(error: SQLAlchemyError) -> str:
    """Return the database's own words on one line."""
    if isinstance(error, IntegrityError):
        return "somebody else wrote the same entries meanwhile: do two loggers write one log?"
    text = str(getattr(error, "orig", None) or error)
    if "locked" in text:
        return "another program uses it"
    return " ".join(text.split())[:300]
