"""The accounts' file on disk: made, opened, and told from an older copy of itself.

Who is signed out or removed stays so. A copy that is put back would bring their sessions back, and
invitations that were used. So each such change writes a mark beside the file anew, and notes in the file when
the system says that this was. No copy has that time. Where it differs, nobody stays signed in, invitations
hold no longer, and that is on record. A snapshot of the whole disk that is put back is not noticed.
"""

import logging
import os
import secrets
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from turnstile.errors import TurnstileError
from turnstile.files.private import close_to_others
from turnstile.files.reading import is_absent, read_file
from turnstile.files.whole import owner_of, write_whole

FILE = "accounts.db"
BUSY_S = 2.0
VERSION = 1
MARK = "accounts.newest"
NODE = "turnstile web"
"""Who does on record what nobody asked for."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (key TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, doors TEXT NOT NULL, password TEXT NOT NULL, code_secret TEXT NOT NULL, code_step INTEGER NOT NULL, signed_in_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS invitations (token TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, doors TEXT NOT NULL, until_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, key TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE, device TEXT NOT NULL, address TEXT NOT NULL, made_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS acts (number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, words TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""  # noqa: E501 - one table a line


log = logging.getLogger("turnstile")


class AccountsError(TurnstileError):
    """The accounts' file cannot be used."""


class OpenedAccounts(NamedTuple):
    """The file, opened."""

    connection: sqlite3.Connection
    identity: tuple[int, int] | None


def open_file(folder: Path) -> OpenedAccounts:
    """Open or make the accounts of a site, in a folder that is its owner's alone.

    Raises:
        AccountsError: it cannot be made or read, or is another version's.
    """
    path = folder / FILE
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            _give_to_owner_of(folder.parent, folder)
        close_to_others(folder)
        if is_absent(path):
            path.touch(mode=0o600)
            _give_to_owner_of(folder, path)
        close_to_others(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    except (OSError, sqlite3.Error) as error:
        raise AccountsError(f"accounts in {folder} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
        _refuse_older(connection, folder)
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise AccountsError(f"{path} cannot be used: {error}") from error
    except AccountsError:
        connection.close()
        raise
    return OpenedAccounts(connection, identity_of(folder))


def identity_of(folder: Path) -> tuple[int, int] | None:
    """Return what tells the file from another of its name; `None` if there is none."""
    try:
        found = (folder / FILE).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def mark_as_newest(connection: sqlite3.Connection, folder: Path) -> None:
    """Write a new mark, and note it in the file, in the transaction that signs somebody out.

    Should the transaction fail after that, everybody is signed out when the file is opened next.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(folder / MARK, secrets.token_hex(16).encode(), owner=owner_of(folder), durable=True)
    connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (MARK, _mark_in(folder)))


def _mark_in(folder: Path) -> bytes:
    """Return the mark, and when the system says that it was written; nothing if there is none."""
    path = folder / MARK
    if is_absent(path):
        return b""
    return read_file(path, at_most=100) + f" {path.stat().st_ctime_ns}".encode()


def _give_to_owner_of(folder: Path, path: Path) -> None:
    """Give what root made to whoever runs the node."""
    if os.geteuid() == 0:
        os.chown(path, *owner_of(folder))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise AccountsError(f"{path} is of version {found}; this program reads up to {VERSION}")
    # FULL, or a loss of power could bring back who was signed out
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")
    connection.executescript(f"{_SCHEMA}PRAGMA user_version = {VERSION};")


def _refuse_older(connection: sqlite3.Connection, folder: Path) -> None:
    """Sign everybody out if this is not the file that was written last."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        newest = _mark_in(folder)
        row = connection.execute("SELECT value FROM secrets WHERE name = ?", (MARK,)).fetchone()
        own = b"" if row is None else bytes(row[0])
        if own and own == newest:
            return
        if own or newest:
            ended = connection.execute("DELETE FROM sessions").rowcount
            ended += connection.execute("DELETE FROM invitations").rowcount
            if ended or own:
                words = "found accounts put back from a copy: all are signed out, and invitations are void"
                log.error("%s in %s; see who may sign in: turnstile web accounts", words, folder)
                connection.execute(
                    "INSERT INTO acts (at_ns, name, role, words) VALUES (?, ?, 'admin', ?)",
                    (time.time_ns(), NODE, words),
                )
        mark_as_newest(connection, folder)
