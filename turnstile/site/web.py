"""The sections of the site file that tell of its pages in a browser."""

from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import ConfigError
from turnstile.site.fields import Address, Listen, Path, Url


class WebSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the site file: immutable, unknown keys refused."""


class TlsSettings(WebSection, frozen=True, kw_only=True):
    """What proves to browsers who they talk to; ``turnstile web cert`` makes both files."""

    certificate: Path
    """PEM file with the certificate and those between it and its authority."""
    key: Path
    """Owner-only PEM file with its key."""


class ProxySettings(WebSection, frozen=True, kw_only=True):
    """A reverse proxy that has the certificate, and passes on what comes by HTTPS."""

    address: Address
    """The only address that it connects from."""
    secret_file: Path
    """Owner-only file with at least 16 bytes, which the proxy sends as ``Turnstile-Proxy-Secret``."""
    origin: Url
    """Where browsers find it, such as ``https://door.example``."""


class WebSettings(WebSection, frozen=True, kw_only=True):
    """The site in a browser."""

    listen: Listen = "127.0.0.1:8470"
    """Where it answers; port 0 is any free one, and its output says which. Any address but this machine's
    own needs `tls` or `proxy`."""
    folder: Path = "../var/web"
    """Owner-only folder for accounts and who is signed in, on its machine."""
    tls: TlsSettings | None = None
    proxy: ProxySettings | None = None
    session_hours: Annotated[float, Meta(ge=0.1, le=24 * 365)] = 24 * 30
    """How long somebody stays signed in without coming back."""
    host: str = ""
    """Which of the site's `hosts` it runs on."""


def refuse_open_pages(web: WebSettings | None) -> None:
    """Refuse pages that others on the network could listen to.

    Raises:
        ConfigError: they are not on this machine only, and have neither certificate nor proxy.
    """
    if web is None:
        return
    if web.proxy is not None:
        try:
            ip_address(web.proxy.address)
        except ValueError as error:
            raise ConfigError(
                f"{web.proxy.address!r} is no address; one is 192.168.1.2", place=("web", "proxy", "address")
            ) from error
        if not web.proxy.origin.startswith("https://"):
            raise ConfigError(
                f"{web.proxy.origin!r} begins with https://, or passwords travel in the open",
                place=("web", "proxy", "origin"),
            )
    elif web.tls is None and not is_loopback(web.listen.rpartition(":")[0]):
        raise ConfigError(
            f"{web.listen} is open to other machines, which needs `tls` or `proxy`; "
            "`turnstile web cert` makes a certificate",
            place=("web", "listen"),
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own address, which no other reaches."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class UnknownsSettings(WebSection, frozen=True, kw_only=True):
    """People who were seen and not known, kept on the broker's machine to be named."""

    keep_days: Annotated[float, Meta(ge=0, le=3650)] = 7.0
    """After so many days they are deleted; 0: none is kept."""
    file: Path = "../var/unknowns.db"
    """Where they are kept: pictures and encodings of faces."""
