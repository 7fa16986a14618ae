"""Where browsers find the pages: their address, and the names under which they answer."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from turnstile.errors import ConfigError
from turnstile.files.private import read_secret
from turnstile.files.reading import read_file
from turnstile.files.whole import write_whole
from turnstile.site.web import TlsSettings, WebSettings
from turnstile.web.doorway import LOOPBACK_NAMES, Doorway, TrustedProxy

_FILE = "address"
_ANY = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound


def address_at(settings: WebSettings, port: int) -> str:
    """Return where browsers find a server at this port."""
    if settings.proxy is not None:
        return settings.proxy.origin.rstrip("/")
    host = settings.listen.rpartition(":")[0].strip("[]")
    host = socket.gethostname() if host in _ANY else host
    scheme = "http" if settings.tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def write_address(settings: WebSettings, address: str) -> None:
    """Leave the address for commands, which cannot know a port that was free.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(Path(settings.folder) / _FILE, address.encode())


def read_address(settings: WebSettings) -> str:
    """Return where browsers find the pages.

    Raises:
        ConfigError: only the running node would know.
    """
    port = int(settings.listen.rpartition(":")[2])
    if port or settings.proxy is not None:
        return address_at(settings, port)
    try:
        return read_file(Path(settings.folder) / _FILE, at_most=1000).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("web.listen: port 0 is known once the node runs; start it first") from error


def doorway_of(settings: WebSettings) -> Doorway:
    """Return the names under which the pages answer: those of the certificate, or this machine's own.

    Raises:
        ConfigError: the certificate or the proxy's secret cannot be read.
    """
    if settings.proxy is not None:
        origin = settings.proxy.origin.rstrip("/").lower()
        found = urlsplit(origin)
        secret = read_secret(Path(settings.proxy.secret_file))
        return Doorway(
            found.scheme, (found.hostname or "",), origin, TrustedProxy(settings.proxy.address, secret)
        )
    if settings.tls is not None:
        return Doorway("https", (*_names_in(settings.tls), *LOOPBACK_NAMES))
    host = settings.listen.rpartition(":")[0].lower()
    return Doorway("http", tuple(dict.fromkeys((host, *LOOPBACK_NAMES))))


def _names_in(tls: TlsSettings) -> tuple[str, ...]:
    try:
        certificate = x509.load_pem_x509_certificates(Path(tls.certificate).read_bytes())[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, IndexError, x509.ExtensionNotFound) as error:
        raise ConfigError(f"web.tls.certificate: {tls.certificate} cannot be used: {error}") from error
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    return (*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *addresses)
