"""What people type about accounts, on files of their own."""

import re
import ssl
import stat
import time
from pathlib import Path

import pytest

from tests.support.web_server import ServedPages
from turnstile.commands.cli import main
from turnstile.errors import ConfigError
from turnstile.io.web.accounts.store import AccountStore, open_accounts
from turnstile.io.web.serving.addresses import doorway_of, read_address, write_address
from turnstile.site.web import TlsSettings, WebSettings

PASSWORD = "four quite ordinary words"


def web(site_file: Path, *words: str) -> int:
    """Type `turnstile web …`."""
    return main(["web", *words, "--config", str(site_file)])


def accounts_of(site_file: Path) -> AccountStore:
    """Return the site's accounts, to be closed."""
    return open_accounts(site_file.parent / "web")


def test_an_invitation_is_a_link_that_is_good_once(
    site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its token is in no file."""
    assert web(site_file, "invite", "Ada", "--role", "clerk", "--door", "door") == 0
    said = capsys.readouterr().out
    token = re.search(r"^http://127\.0\.0\.1:8470/invited/(\S+)$", said, re.MULTILINE)
    assert token, said
    assert "lets Ada in as clerk, once" in said
    store = accounts_of(site_file)
    assert store.accept(token[1], "kept", now_ns=time.time_ns())
    assert [(one.role, one.doors) for one in store.accounts()] == [("clerk", ("door",))]
    store.close()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("invite", "Ada", "--role", "clerk", "--door", "gate"), "no camera is named 'gate'"),
        (("invite", "\x1b[2J", "--role", "clerk"), "is no name"),
        (("remove", "Ida"), "no account is named 'Ida'; there are: none yet"),
        (("sign-out", "Ida"), "no account is named 'Ida'"),
    ],
)
def test_what_cannot_be_done_is_said(
    site_file: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    """With what would be valid."""
    assert web(site_file, *words) == 78
    assert problem in capsys.readouterr().err


def test_accounts_are_listed_signed_out_and_removed(
    site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it goes on record."""
    assert web(site_file, "accounts") == 0
    assert "Nobody may sign in yet" in capsys.readouterr().out
    store = accounts_of(site_file)
    store.accept(store.invite("Ada", "admin", (), until_ns=10), "kept", now_ns=0)
    store.sign_in("Ada", device="", address="", now_ns=1)
    web(site_file, "accounts")
    assert re.search(r"Ada +admin +all +1 ", capsys.readouterr().out)
    web(site_file, "sign-out", "ada")
    assert "signed out on 1 device" in capsys.readouterr().out
    web(site_file, "remove", "ada")
    assert not store.accounts()
    acts = []
    while (act := store.next_act()) is not None:
        acts.append(f"{act.name}: {act.words}")
        store.forget_act(act.number)
    assert acts == ["turnstile web: signed ada out everywhere", "turnstile web: removed the account ada"]
    store.close()


def test_a_site_without_pages_is_told_how_to_get_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each action says so."""
    file = tmp_path / "site.yaml"
    file.write_text("site: test\ncameras: {door: {source: 0}}\n")
    assert web(file, "accounts") == 78
    assert "`web: {}`" in capsys.readouterr().err
    assert main(["web", "accounts"]) == 78
    assert "--config is needed" in capsys.readouterr().err


def test_a_certificate_of_the_sites_own_authority_is_trusted(
    site_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whoever has the authority's; keys are their owner's alone, and the authority outlives renewals."""
    assert web(site_file, "cert", "127.0.0.1", "door.example") == 0
    folder = tmp_path / "web" / "tls"
    assert str(folder / "authority.pem") in capsys.readouterr().out
    for key in ("authority.key", "server.key"):
        assert stat.S_IMODE((folder / key).stat().st_mode) == 0o600
    authority = (folder / "authority.pem").read_bytes()
    assert web(site_file, "cert", "127.0.0.1", "door.example") == 0
    assert (folder / "authority.pem").read_bytes() == authority
    tls = TlsSettings(certificate=str(folder / "server.pem"), key=str(folder / "server.key"))
    settings = WebSettings(listen="127.0.0.1:0", tls=tls)
    assert {"door.example", "127.0.0.1"} <= set(doorway_of(settings).hosts)
    trusting = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    with ServedPages(tmp_path, settings=settings) as pages, pages.connect() as plain:
        with trusting.wrap_socket(plain, server_hostname="127.0.0.1") as peer:
            peer.sendall(b"GET /sign-in HTTP/1.1\r\nHost: door.example\r\nConnection: close\r\n\r\n")
            said = peer.recv(65536)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert b"strict-transport-security" in said.lower()


def test_the_address_of_a_free_port_is_known_once_the_node_runs(tmp_path: Path) -> None:
    """It leaves it beside the accounts."""
    settings = WebSettings(listen="127.0.0.1:0", folder=str(tmp_path))
    with pytest.raises(ConfigError, match="once the node runs"):
        read_address(settings)
    write_address(settings, "http://127.0.0.1:40001")
    assert read_address(settings) == "http://127.0.0.1:40001"
