"""Whether a request comes from a page of this site: by its host, its origin and how the browser fetched it.

A browser says which site a request comes from (`Sec-Fetch-Site`, `Origin`), and no script can say otherwise.
Only a page of this site may change something. A host that is not this site's is refused: somebody may have
another name lead here (DNS rebinding).
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple

SAFE_METHODS = frozenset({"GET", "HEAD"})
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class TrustedProxy(NamedTuple):
    """The only program whose requests count, where there is one."""

    address: str
    secret: bytes


class Doorway(NamedTuple):
    """Where this site's pages are found."""

    scheme: str
    """As browsers see it: ``http`` or ``https``."""
    hosts: tuple[str, ...]
    """Names and addresses, without ports; ``*.example`` is any name one label before it."""
    origin: str = ""
    """The only one, where a proxy has the certificate; empty: that of any of the hosts."""
    proxy: TrustedProxy | None = None


def why_not(doorway: Doorway, headers: Mapping[str, str], *, method: str, is_websocket: bool) -> str:
    """Return why a request is refused; empty if it is not.

    Args:
        doorway: where the pages are found.
        headers: of the request, with names in lower case.
        method: as HTTP has it.
        is_websocket: whether it asks for one.
    """
    host = headers.get("host", "")
    if not _is_ours(host, doorway.hosts):
        return f"this site is not known as {host[:200]!r}"
    own = doorway.origin or f"{doorway.scheme}://{host.lower()}"
    origin = headers.get("origin")
    if is_websocket:
        return "" if origin == own else "a WebSocket is opened by a page of this site only"
    if method in SAFE_METHODS:
        return ""
    fetched = headers.get("sec-fetch-site")
    if (origin is None and fetched is None) or origin not in (None, own):
        return "this was sent by no page of this site"
    return "" if fetched in (None, "same-origin") else "this was sent by a page of another site"


def _is_ours(host: str, hosts: tuple[str, ...]) -> bool:
    name = _without_port(host).lower().rstrip(".")
    _, _, parent = name.partition(".")
    return bool(name) and any(one in (name, f"*.{parent}") for one in hosts)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return _plain(host[1:].partition("]")[0])
    name, _, port = host.rpartition(":")
    return _plain(name if name and port.isdigit() and ":" not in name else host)


def _plain(name: str) -> str:
    """Return an address in its usual form, and a name as it is."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
