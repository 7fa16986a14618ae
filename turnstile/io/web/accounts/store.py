"""The accounts of a site: accounts, invitations and sessions, in a SQLite file.

The web node and commands write it at the same time, so every request reads it: an account that a command
removed is signed out at once, also where another file was put in place of the one that was open. Tokens are
kept as their SHA-256 only; passwords as argon2id.

Libraries not taken: SQLAlchemy, which the log has for PostgreSQL; this file is never another database.
"""

import fcntl
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.io.web.accounts.file import AccountsError, identity_of, mark_as_newest, open_file
from turnstile.protocol.requests import AccountRole
from turnstile.web.accounts.invitations import key_of

TOKEN_BYTES = 32
TOUCH_NS = 60 * 10**9
"""When a session was used last is written this often at most."""
MAX_ACTS = 10_000
"""Acts kept for a broker that is away; the oldest go."""
MAX_INVITED_NS = 31 * 86_400 * 10**9
"""An invitation that is good for longer was made while the clock was ahead."""


class Account(NamedTuple):
    """Somebody who may sign in."""

    name: str
    role: AccountRole
    doors: tuple[str, ...]
    has_code: bool = False
    signed_in_ns: int = 0
    """0: never."""
    sessions: int = 0


class Credentials(NamedTuple):
    """What a sign-in is held against."""

    account: Account
    password: str
    """As argon2id."""
    code_secret: str
    """Empty: no code is asked."""
    code_step: int
    """The last time step whose code was used."""


class AccountAct(NamedTuple):
    """What somebody did, to be put on record."""

    number: int
    at_ns: int
    name: str
    role: AccountRole
    words: str


class DeviceSession(NamedTuple):
    """One device on which somebody is signed in."""

    id: str
    device: str
    address: str
    made_ns: int
    used_ns: int


def hashed(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def session_id(token_hash: str) -> str:
    """Return what a session is called on pages."""
    return token_hash[:16]


class AccountStore:
    """The file, opened. Its methods are called from one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, -1
        self._connection, self._identity = open_file(folder)

    def hold(self) -> None:
        """Keep other web nodes off these accounts until the file is closed.

        Raises:
            AccountsError: another has them.
        """
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            words = f"another web node has the accounts in {self._folder}; each site needs its own web.folder"
            raise AccountsError(words) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- accounts

    def accounts(self) -> list[Account]:
        """Return everybody who may sign in, by name."""
        rows = self._db.execute(
            "SELECT name, role, doors, code_secret != '', signed_in_ns, "
            "(SELECT count(*) FROM sessions WHERE sessions.key = accounts.key) FROM accounts ORDER BY key"
        )
        return [_account(row) for row in rows]

    def credentials(self, name: str) -> Credentials | None:
        """Return what a sign-in of this name is held against; `None`: there is no such account."""
        row = self._db.execute(
            "SELECT name, role, doors, code_secret != '', signed_in_ns, 0, password, code_secret, code_step "
            "FROM accounts WHERE key = ?",
            (key_of(name),),
        ).fetchone()
        return None if row is None else Credentials(_account(row[:6]), *row[6:])

    def remove(self, name: str) -> bool:
        """Remove an account, its invitation and its sessions; return whether there was any."""
        with self._revoking():
            gone = self._db.execute("DELETE FROM accounts WHERE key = ?", (key_of(name),)).rowcount
            gone += self._db.execute("DELETE FROM invitations WHERE key = ?", (key_of(name),)).rowcount
        return gone > 0

    def set_password(self, name: str, password: str) -> None:
        """Keep another password of an account."""
        with self._revoking():
            self._db.execute("UPDATE accounts SET password = ? WHERE key = ?", (password, key_of(name)))

    def set_code(self, name: str, secret: str, step: int) -> None:
        """Keep the secret of an account's codes; empty: no code is asked from now on."""
        with self._revoking():
            self._db.execute(
                "UPDATE accounts SET code_secret = ?, code_step = ? WHERE key = ?",
                (secret, step, key_of(name)),
            )

    def use_code(self, name: str, step: int) -> bool:
        """Note that a time step's code is used; return False if it or a later one was before."""
        with self._writing():
            return (
                self._db.execute(
                    "UPDATE accounts SET code_step = ? WHERE key = ? AND code_step < ?",
                    (step, key_of(name), step),
                ).rowcount
                == 1
            )

    # -- invitations

    def invite(self, name: str, role: AccountRole, doors: tuple[str, ...], *, until_ns: int) -> str:
        """Keep an invitation in place of an older one of the same name, and return its token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._revoking():
            self._db.execute("DELETE FROM invitations WHERE key = ?", (key_of(name),))
            self._db.execute(
                "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, ?)",
                (hashed(token), key_of(name), name, role, _text(doors), until_ns),
            )
        return token

    def invited(self, token: str, *, now_ns: int) -> Account | None:
        """Return who is invited by a token; `None`: nobody is, or no longer."""
        row = self._db.execute(
            "SELECT name, role, doors FROM invitations WHERE token = ? AND until_ns BETWEEN ? AND ?",
            (hashed(token), now_ns + 1, now_ns + MAX_INVITED_NS),
        ).fetchone()
        return None if row is None else _account(row)

    def accept(self, token: str, password: str, *, now_ns: int) -> Account | None:
        """Use an invitation: make the account, or give it this role and password and sign it out everywhere.

        Returns:
            The account; `None`: the invitation was used or has expired.
        """
        with self._revoking():
            row = self._db.execute(
                "DELETE FROM invitations WHERE token = ? AND until_ns BETWEEN ? AND ? "
                "RETURNING name, role, doors, key",
                (hashed(token), now_ns + 1, now_ns + MAX_INVITED_NS),
            ).fetchone()
            if row is None:
                return None
            name, role, doors, key = row
            self._db.execute("DELETE FROM accounts WHERE key = ?", (key,))
            self._db.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, '', 0, 0)", (key, name, role, doors, password)
            )
        return _account((name, role, doors))

    # -- sessions

    def sign_in(self, name: str, *, device: str, address: str, now_ns: int) -> str:
        """Begin a session, and return its token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._writing():
            self._db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)",
                (hashed(token), key_of(name), device, address, now_ns, now_ns),
            )
            self._db.execute("UPDATE accounts SET signed_in_ns = ? WHERE key = ?", (now_ns, key_of(name)))
        return token

    def find(self, token: str, *, address: str, now_ns: int, idle_ns: int) -> tuple[str, Account] | None:
        """Return a session's name and account, and note that it is used; `None` if it holds no longer."""
        row = self._db.execute(
            "SELECT sessions.used_ns, name, role, doors, code_secret != '', signed_in_ns "
            "FROM sessions JOIN accounts USING (key) WHERE token = ? AND used_ns > ?",
            (hashed(token), now_ns - idle_ns),
        ).fetchone()
        if row is None:
            return None
        if abs(now_ns - row[0]) > TOUCH_NS:  # a clock that was ahead left a time to come
            self._touch(hashed(token), address, now_ns)
        return session_id(hashed(token)), _account(row[1:])

    def sessions(self, name: str, *, now_ns: int, idle_ns: int) -> list[DeviceSession]:
        """Return where somebody is signed in, the last used first."""
        rows = self._db.execute(
            "SELECT token, device, address, made_ns, used_ns FROM sessions "
            "WHERE key = ? AND used_ns > ? ORDER BY used_ns DESC, made_ns DESC",
            (key_of(name), now_ns - idle_ns),
        )
        return [DeviceSession(session_id(token), *rest) for token, *rest in rows]

    def sign_out(self, name: str, *, session: str = "", but: str = "") -> int:
        """End one session of an account, or all `but` one; return how many ended."""
        with self._revoking():
            return self._db.execute(
                "DELETE FROM sessions WHERE key = ? AND (? = '' OR substr(token, 1, 16) = ?) "
                "AND substr(token, 1, 16) != ?",
                (key_of(name), session, session, but),
            ).rowcount

    def forget_expired(self, *, now_ns: int, idle_ns: int) -> None:
        """Delete sessions and invitations that hold no longer; those used in time to come count from now."""
        with self._writing():
            self._db.execute("DELETE FROM sessions WHERE used_ns <= ?", (now_ns - idle_ns,))
            self._db.execute("UPDATE sessions SET used_ns = ? WHERE used_ns > ?", (now_ns, now_ns))
            self._db.execute(
                "DELETE FROM invitations WHERE until_ns NOT BETWEEN ? AND ?",
                (now_ns + 1, now_ns + MAX_INVITED_NS),
            )

    # -- acts and secrets

    def add_act(self, name: str, role: AccountRole, words: str, *, at_ns: int) -> None:
        """Keep what was done until it is on record."""
        with self._writing():
            self._db.execute(
                "INSERT INTO acts (at_ns, name, role, words) VALUES (?, ?, ?, ?)", (at_ns, name, role, words)
            )
            self._db.execute(
                "DELETE FROM acts WHERE number <= (SELECT max(number) FROM acts) - ?", (MAX_ACTS,)
            )

    def next_act(self) -> AccountAct | None:
        """Return the first act that is not yet on record."""
        row = self._db.execute("SELECT number, at_ns, name, role, words FROM acts ORDER BY number").fetchone()
        return None if row is None else AccountAct(*row)

    def forget_act(self, number: int) -> None:
        """Keep an act no longer."""
        with self._writing():
            self._db.execute("DELETE FROM acts WHERE number = ?", (number,))

    def secret(self, name: str) -> bytes:
        """Return a secret of this site, made at the first call."""
        with self._writing():
            self._db.execute(
                "INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, secrets.token_bytes(TOKEN_BYTES))
            )
            value = self._db.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()[0]
        return bytes(value)

    def _touch(self, token_hash: str, address: str, now_ns: int) -> None:
        try:
            self._db.execute(
                "UPDATE sessions SET used_ns = ?, address = ? WHERE token = ?", (now_ns, address, token_hash)
            )
        except sqlite3.OperationalError:  # somebody writes; the next request tries again
            return

    @property
    def _db(self) -> sqlite3.Connection:
        """The file of that name, opened anew if it is another than before."""
        if not self._connection.in_transaction and identity_of(self._folder) != self._identity:
            self._connection.close()
            self._connection, self._identity = open_file(self._folder)
        return self._connection

    @contextmanager
    def _revoking(self) -> Iterator[None]:
        """Write in one transaction after which an older copy of the file lets nobody in.

        Raises:
            AccountsError: it cannot be written.
        """
        with self._writing():
            yield
            mark_as_newest(self._connection, self._folder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write in one transaction.

        Raises:
            AccountsError: it cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield
        except (OSError, sqlite3.Error) as error:
            raise AccountsError(f"the accounts cannot be written: {error}") from error


def open_accounts(folder: Path) -> AccountStore:
    """Open or make the accounts of a site, in a folder that is its owner's alone.

    Raises:
        AccountsError: it cannot be made or read, or is another version's.
    """
    return AccountStore(folder)


def _account(row: tuple[object, ...]) -> Account:
    name, role, doors, *rest = row
    return msgspec.convert((name, role, msgspec.json.decode(str(doors)), *rest), Account, strict=False)


def _text(doors: tuple[str, ...]) -> str:
    return msgspec.json.encode(doors).decode()
