"""What the authority of `turnstile web cert` vouches for, and for what not."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from turnstile.commands.cli import main


def cert(site_file: Path, *names: str) -> int:
    """Type `turnstile web cert NAME…`."""
    return main(["web", "cert", *names, "--config", str(site_file)])


def test_an_authority_vouches_for_the_names_that_it_was_made_for_only(
    site_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever steals its key can pretend to be nothing else, and no useless certificate is made."""
    assert cert(site_file, "127.0.0.1", "Door.example") == 0
    folder = tmp_path / "web" / "tls"
    authority = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    own = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    for names, problem in (
        (("door.example", "127.0.0.1"), None),
        (("shop.example",), "permitted subtree violation"),
        (("door.example", "192.0.2.1"), "permitted subtree violation"),
    ):
        made = a_certificate(authority, folder / "authority.key", names)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (tmp_path / "made.pem").write_bytes(made)
        server.load_cert_chain(tmp_path / "made.pem")
        assert handshake(own, server, names[0]) == problem
    assert cert(site_file, "gate.example", "127.0.0.1") == 78
    assert "was not made for gate.example, but for door.example, 127.0.0.1" in capsys.readouterr().err
    assert cert(site_file, "www.door.example") == 0


def a_certificate(authority: x509.Certificate, key_file: Path, names: Sequence[str]) -> bytes:
    """Return a server's key and a certificate for any names, as a thief of the authority's key makes one."""
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = dt.datetime.now(dt.UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_file.read_bytes() + made.public_bytes(serialization.Encoding.PEM)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    """Return why a client does not believe a server; `None` if it does."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return None
