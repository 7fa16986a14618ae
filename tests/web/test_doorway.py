"""Which requests come from a page of this site."""

from collections.abc import Mapping

import pytest

from turnstile.web.doorway import LOOPBACK_NAMES, Doorway, why_not

HERE = Doorway("http", LOOPBACK_NAMES)
HOST = "127.0.0.1:8470"
OWN = f"http://{HOST}"


def refused(
    headers: Mapping[str, str], method: str = "POST", *, doorway: Doorway = HERE, websocket: bool = False
) -> str:
    """Return why a request with these headers is refused."""
    return why_not(doorway, {"host": HOST, **headers}, method=method, is_websocket=websocket)


@pytest.mark.parametrize("host", [HOST, "localhost:9", "LOCALHOST", "[::1]:8470", "[0:0::1]", "127.0.0.1."])
def test_own_names_are_answered(host: str) -> None:
    """With any port: it may be forwarded."""
    assert not refused({"host": host}, "GET")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "evil.example:8470", "[::2]", ":80"]
)
def test_another_name_that_leads_here_is_not(host: str) -> None:
    """DNS rebinding makes a page of evil.example read this site."""
    assert "not known as" in refused({"host": host}, "GET")


def test_a_certificate_for_all_names_of_a_domain_counts_for_one_label() -> None:
    """As browsers have it."""
    doorway = Doorway("https", ("*.site.example",))
    assert not refused({"host": "door.site.example"}, "GET", doorway=doorway)
    assert refused({"host": "a.door.site.example"}, "GET", doorway=doorway)
    assert refused({"host": "site.example"}, "GET", doorway=doorway)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": OWN, "sec-fetch-site": "same-origin"},
        {"origin": OWN},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_a_form_of_this_site_is_taken(headers: dict[str, str]) -> None:
    """Browsers before 2023 send one of the two."""
    assert not refused(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8471", "sec-fetch-site": "same-site"},
        {"origin": f"https://{HOST}", "sec-fetch-site": "same-origin"},
        {"origin": OWN, "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_form_of_another_site_is_not(headers: dict[str, str], method: str) -> None:
    """Nor one that says nothing of where it comes from."""
    assert refused(headers, method)


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:8471"])
def test_a_websocket_is_opened_by_a_page_of_this_site_only(origin: str | None) -> None:
    """Browsers send cookies with a WebSocket of any page."""
    assert refused({} if origin is None else {"origin": origin}, "GET", websocket=True)
    assert not refused({"origin": OWN}, "GET", websocket=True)


def test_behind_a_proxy_its_origin_is_the_only_one() -> None:
    """Whatever the request's host is."""
    doorway = Doorway("https", ("door.example",), "https://door.example")
    assert not refused({"host": "door.example", "origin": "https://door.example"}, doorway=doorway)
    assert refused({"host": "door.example", "origin": "http://door.example"}, doorway=doorway)
    assert refused({"host": "door.example:8470", "origin": "https://door.example:8470"}, doorway=doorway)
    assert refused({"host": "127.0.0.1:8470", "origin": "https://door.example"}, doorway=doorway)
