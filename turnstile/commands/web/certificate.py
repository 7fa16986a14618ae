"""Make a certificate for the pages: an authority of the site's own, and a server certificate by it.

The authority's certificate is put on phones and computers once. It vouches for no other names and addresses
than those that it was made for: whoever steals its key can pretend to be nothing else. Keys are their owner's
alone.
"""

import argparse
import datetime as dt
import ipaddress
import socket
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from turnstile.errors import ConfigError
from turnstile.files.private import close_to_others
from turnstile.files.whole import write_whole
from turnstile.site.settings import Site
from turnstile.site.web import WebSettings

AUTHORITY, AUTHORITY_KEY = "authority.pem", "authority.key"
SERVER, SERVER_KEY = "server.pem", "server.key"
AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
"""Browsers trust a server certificate for no longer."""
_EARLIER = dt.timedelta(hours=1)
"""Clocks of phones may be slow."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="what browsers type: host names and addresses (default: this machine's)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where to keep the files (default: tls in web.folder)"
    )


def run(options: argparse.Namespace, *, site: Site, settings: WebSettings) -> None:
    """Make or renew the server certificate, and the authority if there is none.

    Raises:
        ConfigError: a name is none, or a file cannot be read or written.
    """
    folder = options.folder or Path(settings.folder) / "tls"
    names = options.names or [socket.gethostname(), f"{socket.gethostname()}.local", "localhost", "127.0.0.1"]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        close_to_others(folder)
        alternatives = [_alternative(name) for name in names]
        certificate, key = _authority(folder, site.site, alternatives)
        _refuse_others(certificate, alternatives, folder)
        server_key = ec.generate_private_key(ec.SECP256R1())
        server = _server(server_key, alternatives, by=certificate, key=key)
        write_whole(folder / SERVER_KEY, _pem(server_key), durable=True)
        chain = server.public_bytes(_PEM) + certificate.public_bytes(_PEM)
        write_whole(folder / SERVER, chain, mode=0o644, durable=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no certificate can be made: {error}") from error
    server_file, key_file = folder / SERVER, folder / SERVER_KEY
    sys.stdout.write(
        f"made {server_file} for {', '.join(names)}, good for {SERVER_DAYS} days.\n"
        f"Into the site file:\n  web:\n    tls: {{certificate: {server_file}, key: {key_file}}}\n"
        f"Put {folder / AUTHORITY} on each phone and computer as an authority that is trusted.\n"
    )


def _authority(
    folder: Path, site: str, names: list[x509.GeneralName]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the site's authority, made if there is none."""
    certificate_file, key_file = folder / AUTHORITY, folder / AUTHORITY_KEY
    if key_file.exists():
        close_to_others(key_file)
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} is no key that this command made")
        return x509.load_pem_x509_certificate(certificate_file.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Turnstile {site}")])
    made = (
        _begin(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_only(names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_whole(key_file, _pem(key), durable=True)
    write_whole(certificate_file, made.public_bytes(_PEM), mode=0o644, durable=True)
    return made, key


def _server(
    own: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    *,
    by: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        _begin(_PAGES, by.subject, own.public_key(), SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .sign(key, hashes.SHA256())
    )


def _only(names: list[x509.GeneralName]) -> x509.NameConstraints:
    """Return which names the authority may vouch for: these, and no name or address else.

    Without an address no address is allowed, and without a host name only one of a domain that cannot exist
    (RFC 2606): a kind that is not mentioned would be free.
    """
    hosts = [x509.DNSName(one.value.removeprefix("*.")) for one in names if isinstance(one, x509.DNSName)]
    networks = [
        x509.IPAddress(ipaddress.ip_network(one.value)) for one in names if isinstance(one, x509.IPAddress)
    ]
    permitted = [*(hosts or [_NO_HOST]), *networks]
    excluded = (
        None if networks else [x509.IPAddress(ipaddress.ip_network(one)) for one in ("0.0.0.0/0", "::/0")]
    )
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded)


def _refuse_others(authority: x509.Certificate, names: list[x509.GeneralName], folder: Path) -> None:
    """Raise a `ConfigError` if the authority was made for other names: no browser would believe it."""
    try:
        found = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return  # made before November 2026
    permitted = [one for one in found.permitted_subtrees or [] if one != _NO_HOST]
    others = [one for one in names if not any(_is_within(one, tree) for tree in permitted)]
    if others:
        raise ConfigError(
            f"{folder}: the authority was not made for {', '.join(map(_in_words, others))}, but for "
            f"{', '.join(map(_in_words, permitted))}; to make another, move {AUTHORITY} and {AUTHORITY_KEY} "
            "away, and put the new one on each phone and computer"
        )


def _is_within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(tree, x509.DNSName):
        return f".{name.value}".endswith(f".{tree.value}")
    return (
        isinstance(name, x509.IPAddress)
        and isinstance(tree, x509.IPAddress)
        and name.value in ipaddress.ip_network(tree.value)
    )


def _in_words(name: x509.GeneralName) -> str:
    return f"{name.value}".removesuffix("/32").removesuffix("/128")


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower().encode("idna").decode("ascii"))


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


_PEM = serialization.Encoding.PEM
_NO_HOST = x509.DNSName("invalid")
_PAGES = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Turnstile pages")])
"""No host name: what constrains an authority is held against such a name, too."""


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
