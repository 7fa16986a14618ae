"""Pages that other machines reach need a certificate or a proxy."""

from typing import Any

import pytest

from turnstile.errors import ConfigError
from turnstile.site.document import build
from turnstile.site.web import WebSettings

PROXY = {"address": "127.0.0.1", "secret_file": "/s", "origin": "https://door.example"}
TLS = {"certificate": "/c", "key": "/k"}


def web(**settings: Any) -> WebSettings:
    """Return these settings as those of a site."""
    found = build({"site": "test", "cameras": {"door": {"source": 0}}, "web": settings}).web
    assert found is not None
    return found


@pytest.mark.parametrize("listen", ["127.0.0.1:8470", "127.8.8.8:1", "[::1]:8470", "localhost:8470"])
def test_this_machine_alone_needs_nothing(listen: str) -> None:
    """Nobody else hears what is said there."""
    assert web(listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "192.168.1.2:8470", "[::]:8470", "door.local:8470"])
def test_other_addresses_need_a_certificate_or_a_proxy(listen: str) -> None:
    """The error says how to get one."""
    with pytest.raises(ConfigError, match=r"web\.listen: .*`turnstile web cert`"):
        web(listen=listen)
    assert web(listen=listen, tls=TLS).listen == listen
    assert web(listen=listen, proxy=PROXY).listen == listen


def test_a_proxy_is_named_by_its_address() -> None:
    """A name could lead to anywhere."""
    with pytest.raises(ConfigError, match=r"web\.proxy\.address: 'proxy\.local' is no address"):
        web(proxy={**PROXY, "address": "proxy.local"})


def test_a_proxy_has_the_certificate() -> None:
    """Else passwords travel in the open."""
    with pytest.raises(ConfigError, match=r"web\.proxy\.origin: .*https"):
        web(proxy={**PROXY, "origin": "http://door.example"})
