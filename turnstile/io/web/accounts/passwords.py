"""Passwords as argon2id, and codes of six digits that an app shows (TOTP, RFC 6238).

A check takes the same work whether or not there is such an account. A few run at a time, in other threads, so
guesses neither fill the memory nor hold up the pages. argon2id's settings are RFC 9106's for little memory.
"""

import asyncio

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from turnstile.io.web.accounts.store import Credentials

MIN_CHARS, MAX_CHARS = 10, 256
AT_ONCE, MAX_QUEUED = 2, 32
STEP_S = 30
ISSUER = "Turnstile"


class BusyError(Exception):
    """Too many passwords are being checked."""


def why_not_password(password: str, name: str) -> str:
    """Return why a password will not do; empty if it will."""
    if len(password) < MIN_CHARS:
        return (
            f"At least {MIN_CHARS} characters are needed; this has {len(password)}. Several words are good."
        )
    if len(password) > MAX_CHARS:
        return f"At most {MAX_CHARS} characters are valid."
    if password.casefold() == name.casefold() or len(set(password)) < 4:
        return "This would be guessed first; several words are good."
    return ""


class PasswordChecks:
    """Checks passwords, a few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Take other settings of argon2id only where nothing is at stake."""
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._queued = 0
        self._nobody = self._hasher.hash("nobody's password")

    async def is_right(self, found: Credentials | None, password: str) -> bool:
        """Tell whether a password is an account's; nobody's takes as long.

        Raises:
            BusyError: too many are waiting.
        """
        if self._queued >= MAX_QUEUED:
            raise BusyError
        kept = self._nobody if found is None else found.password
        self._queued += 1
        try:
            async with self._turn:
                right = await asyncio.to_thread(self._verify, kept, password)
        finally:
            self._queued -= 1
        return right and found is not None

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password[:MAX_CHARS])
        except (Argon2Error, InvalidHashError):
            return False


def make_code_secret() -> str:
    """Return a new secret for an app that shows codes."""
    return pyotp.random_base32()


def code_address(secret: str, *, name: str, site: str) -> str:
    """Return the address that such an app opens."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"{ISSUER} {site}")


def step_of_code(secret: str, code: str, *, now_ns: int) -> int | None:
    """Return the time step whose code this is, if it is the last one, this, or the next; else `None`."""
    digits = code.replace(" ", "")
    now = now_ns // (STEP_S * 10**9)
    shown = pyotp.TOTP(secret)
    for step in (now, now - 1, now + 1):
        if pyotp.utils.strings_equal(shown.generate_otp(step), digits):
            return step
    return None
