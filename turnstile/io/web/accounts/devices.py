"""Who is signed in on the device that a request comes from: cookies and what they stand for.

The cookies bear the prefix `__Host-`: they are sent by HTTPS, to this host alone. Chromium and Firefox take
this machine's own addresses for as good as HTTPS.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.requests import HTTPConnection
from starlette.responses import Response

from turnstile.io.web.accounts.store import AccountStore
from turnstile.io.web.admission import Session
from turnstile.io.web.link import Asker
from turnstile.web.accounts.invitations import key_of

SESSION_COOKIE = "__Host-turnstile"
DEVICE_COOKIE = "__Host-turnstile-device"
DEVICE_COOKIE_S = 400 * 86400
"""Browsers keep no cookie for longer."""

_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


@dataclass(kw_only=True)
class Devices:
    """Finds and makes the sessions of devices."""

    store: AccountStore
    idle_s: float
    """How long a session holds without being used."""
    now_ns: Callable[[], int] = time.time_ns
    _secret: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Read the secret that signs the names of devices."""
        self._secret = self.store.secret("devices")

    @property
    def idle_ns(self) -> int:
        """Return how long a session holds without being used."""
        return int(self.idle_s * 1e9)

    def find(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a request; `None` if it has none that holds."""
        token = connection.cookies.get(SESSION_COOKIE)
        if not token:
            return None
        found = self.store.find(
            token, address=address_of(connection), now_ns=self.now_ns(), idle_ns=self.idle_ns
        )
        if found is None:
            return None
        session, account = found
        return Session(session, Asker(account.name, account.role, account.doors))

    def sign_in(self, connection: HTTPConnection, name: str, response: Response) -> Response:
        """Begin a session with a new token, end the one that this device had, and set its cookies."""
        old = self.find(connection)
        if old is not None:
            self.store.sign_out(old.asker.name, session=old.id)
        token = self.store.sign_in(
            name, device=device_in_words(connection), address=address_of(connection), now_ns=self.now_ns()
        )
        _set(response, SESSION_COOKIE, token, int(self.idle_s))
        known = self.known_device(connection, name) or self._sign(name, secrets.token_hex(8))
        _set(response, DEVICE_COOKIE, known, DEVICE_COOKIE_S)
        return response

    def known_device(self, connection: HTTPConnection, name: str) -> str:
        """Return the device's name if the account has signed in on it before; else nothing."""
        kept = connection.cookies.get(DEVICE_COOKIE, "")
        one, _, _ = kept.partition(".")
        return kept if hmac.compare_digest(kept.encode(), self._sign(name, one).encode()) else ""

    def _sign(self, name: str, device: str) -> str:
        return f"{device}.{hmac.new(self._secret, f'{key_of(name)} {device}'.encode(), sha256).hexdigest()}"


def forget(response: Response) -> Response:
    """Take the session's cookie from the browser."""
    _set(response, SESSION_COOKIE, "", 0)
    return response


def address_of(connection: HTTPConnection) -> str:
    """Return the address that a request comes from."""
    return connection.client.host if connection.client else ""


def device_in_words(connection: HTTPConnection) -> str:
    """Return what kind of device this is: ``Firefox on Android``."""
    agent = connection.headers.get("user-agent", "")
    system = next((one for one in _SYSTEMS if one in agent), "")
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    words = " on ".join(one for one in (browser, {"Macintosh": "Mac"}.get(system, system)) if one)
    return words or "another program"


def _set(response: Response, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=True, httponly=True, samesite="lax")
