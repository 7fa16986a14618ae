"""Attacks on pages that really listen: nothing is accepted, and the site is undisturbed."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route, WebSocketRoute

from tests.support.waiting import wait_until
from tests.support.web_server import ServedPages, read_to_end
from turnstile.io.web.admission import OPEN_TO_ALL
from turnstile.io.web.serving.doorway import BODY_BYTES
from turnstile.site.web import ProxySettings, WebSettings

TRAVERSALS = (
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "....//....//etc/passwd",
    "%2e%2e%5c%2e%2e%5cetc%5cpasswd",
    "/etc/passwd",
    "%00/etc/passwd",
    "file:///etc/passwd",
)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[ServedPages]:
    """Give pages that listen, with an account of each role."""
    with ServedPages(tmp_path) as found:
        yield found


def filled(route: Route | WebSocketRoute, value: str = "x") -> str:
    """Return a route's path with a value in place of its parameters."""
    names = route.param_convertors
    return route.path_format.format(**dict.fromkeys(names, value))


def routes_of(pages: ServedPages, kind: type[BaseRoute]) -> list[BaseRoute]:
    """Return all routes of the application of this kind."""
    return [route for route in pages.app.routes if isinstance(route, kind)]


def is_undisturbed(pages: ServedPages, source: str = "127.0.0.2") -> bool:
    """Tell whether somebody elsewhere gets the sign-in page."""
    return pages.ask("/sign-in", source=source).status == 200


def test_without_a_session_nothing_answers_but_signing_in(pages: ServedPages) -> None:
    """Every route of the application, with every method that it has."""
    tried = 0
    for route in routes_of(pages, Route):
        assert isinstance(route, Route)
        if route.path.startswith(OPEN_TO_ALL):
            continue
        for method in sorted(route.methods or ()):
            answer = pages.ask(filled(route), method=method)
            assert answer.status == 303, (method, route.path)
            assert answer.headers["location"].startswith("/sign-in"), route.path
            assert not answer.text, route.path
            by_script = {**pages.headers(), "Sec-Fetch-Mode": "cors"}
            assert pages.ask(filled(route), method=method, headers=by_script).status == 401, route.path
            tried += 1
    assert tried > 40


def test_without_a_session_no_websocket_opens(pages: ServedPages) -> None:
    """Each is refused before it is one."""
    for route in routes_of(pages, WebSocketRoute):
        assert isinstance(route, WebSocketRoute)
        peer, said = pages.open_websocket(filled(route), f"Origin: {pages.origin}")
        peer.close()
        assert said.startswith(b"HTTP/1.1 401 "), route.path


def test_a_session_of_another_site_or_a_forged_one_is_none(pages: ServedPages, tmp_path: Path) -> None:
    """Nor one that was cut, or the hash that the server keeps."""
    with ServedPages(tmp_path / "other") as other:
        elsewhere = other.account()
    name, _, token = pages.account().partition("=")
    for forged in (elsewhere, f"{name}={token[:-1]}", f"{name}={token}x", f"{name}=", f"{name}=' OR 1=1 --"):
        assert pages.ask("/account", cookie=forged).status == 303
    assert pages.ask("/account", cookie=f"{name}={token}").status == 200


ADMIN_ONLY = ("/rules", "/rules/edit", "/person/erase")
CLERKS = ("/people", "/unknown", "/enrol", "/enrol/camera", "/people/x", "/picture", "/unknown/picture")


@pytest.mark.parametrize(("role", "refused"), [("viewer", (*ADMIN_ONLY, *CLERKS)), ("clerk", ADMIN_ONLY)])
def test_pages_of_a_higher_role_are_refused(pages: ServedPages, role: str, refused: tuple[str, ...]) -> None:
    """Before the broker is asked."""
    cookie = pages.account("Eve", "viewer" if role == "viewer" else "clerk")
    for path in refused:
        answer = pages.ask(path, cookie=cookie)
        assert answer.status == 403, path
        assert f"Eve is a {role}" in answer.text


def test_actions_of_a_higher_role_are_refused(pages: ServedPages) -> None:
    """Every POST but those of the own account needs at least a clerk."""
    cookie = pages.account("Eve", "viewer")
    tried = 0
    for route in routes_of(pages, Route):
        assert isinstance(route, Route)
        if "POST" not in (route.methods or ()) or route.path.startswith(("/account", "/sign", "/invited")):
            continue
        answer = pages.ask(filled(route), method="POST", cookie=cookie, form={})
        assert answer.status == 403, route.path
        tried += 1
    assert tried > 15


def test_another_door_is_not_there(pages: ServedPages) -> None:
    """As if no such door were."""
    cookie = pages.account("Eve", "admin", "door")
    other, none = (pages.ask(f"/door/{name}", cookie=cookie) for name in ("gate", "nowhere"))
    assert other.status == none.status == 404
    assert "gate" not in pages.ask("/", cookie=cookie).text
    peer, said = pages.open_websocket("/live/gate", f"Origin: {pages.origin}", f"Cookie: {cookie}")
    peer.close()
    assert b" 101 " not in said.split(b"\r\n", 1)[0]


FORGED: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"},
)


@pytest.mark.parametrize("headers", FORGED)
def test_a_form_that_another_site_sends_changes_nothing(pages: ServedPages, headers: dict[str, str]) -> None:
    """Though the browser sends the cookie with it; nor does sign-in as the attacker (login CSRF)."""
    cookie = pages.account()
    for path in ("/account/sign-out-everywhere", "/sign-out", "/sign-in", "/rules/edit", "/health/unlock"):
        answer = pages.ask(path, method="POST", headers={**headers, "Cookie": cookie}, form={"name": "Ada"})
        assert answer.status == 403, path
    assert pages.ask("/account", cookie=cookie).status == 200


def test_a_form_that_was_recorded_cannot_be_sent_again(pages: ServedPages) -> None:
    """After sign-out its cookie is of no use."""
    cookie = pages.account()
    assert pages.ask("/sign-out", method="POST", cookie=cookie, form={}).status == 303
    again = pages.ask("/account/sign-out-everywhere", method="POST", cookie=cookie, form={})
    assert (again.status, again.headers["location"]) == (303, "/sign-in?to=&lost=form")


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"]
)
def test_a_websocket_of_another_site_is_refused(pages: ServedPages, origin: str | None) -> None:
    """Though the cookie holds."""
    sent = [f"Cookie: {pages.account()}", *([] if origin is None else [f"Origin: {origin}"])]
    peer, said = pages.open_websocket("/live", *sent)
    peer.close()
    assert said.startswith(b"HTTP/1.1 403 ")


def test_a_websocket_ends_with_its_session(pages: ServedPages) -> None:
    """A thief who keeps it open sees nothing more once the owner signs out everywhere."""
    cookie = pages.account()
    peer, said = pages.open_websocket("/live", f"Cookie: {cookie}", f"Origin: {pages.origin}")
    with peer:
        assert said.startswith(b"HTTP/1.1 101 ")
        pages.store.sign_out("Ada")
        said = b""
        while b"signed out" not in said:
            part = peer.recv(65536)
            assert part, said
            said += part


def test_another_name_that_leads_here_is_refused(pages: ServedPages) -> None:
    """DNS rebinding: a page of evil.example whose name now leads to this machine."""
    cookie = pages.account()
    for host in ("evil.example", f"evil.example:{pages.port}", "127.0.0.1.evil.example"):
        answer = pages.ask("/account", headers={"Host": host, "Cookie": cookie})
        assert answer.status == 403
        assert "Ada" not in answer.text


@pytest.mark.parametrize("value", TRAVERSALS)
def test_no_parameter_of_a_path_leads_out(pages: ServedPages, value: str) -> None:
    """Every parameter of every route, signed in as admin."""
    cookie = pages.account()
    for route in routes_of(pages, Route):
        assert isinstance(route, Route)
        if not route.param_convertors or "GET" not in (route.methods or ()):
            continue
        if route.path.startswith(("/visits/", "/people/")):  # these ask the broker, which is away
            continue
        answer = pages.ask(filled(route, value), cookie=cookie)
        assert answer.status in (303, 400, 404), (route.path, answer.status)
        assert "root:" not in answer.text


def test_answers_bear_the_headers_that_protect(pages: ServedPages) -> None:
    """Pages, refusals and files."""
    cookie = pages.account()
    for answer in (
        pages.ask("/account", cookie=cookie),
        pages.ask("/nowhere", cookie=cookie),
        pages.ask("/account", method="POST", headers={}),
        pages.ask("/sign-in"),
    ):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=(self)" in answer.headers["permissions-policy"]
        assert "server" not in answer.headers


MALFORMED = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    b"\x16\x03\x01 this is TLS",
    b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"\x00" * 100,
)


def test_what_is_malformed_or_too_large_is_refused(pages: ServedPages) -> None:
    """With 400 and an end."""
    for head, said in zip(MALFORMED, pages.send_raw(*MALFORMED), strict=True):
        refused = said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 ", b"HTTP/1.1 431 "))
        assert refused or not said, head[:80]
    assert is_undisturbed(pages)


def test_a_body_is_bounded_by_who_sends_it(pages: ServedPages) -> None:
    """Whether it says its length or not."""
    requests = []
    for cookie, at_most in (("", BODY_BYTES["nobody"]), (pages.account(), BODY_BYTES["somebody"])):
        fields = {**pages.headers(cookie), "Host": "127.0.0.1", "Origin": "http://127.0.0.1"}
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        form = "Content-Type: application/x-www-form-urlencoded\r\n"
        head = f"POST /sign-in HTTP/1.1\r\n{''.join(lines)}{form}"
        part = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
        chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        requests += [
            f"{head}Content-Length: {at_most + 1}\r\n\r\n".encode(),
            chunked + part * (at_most // 0x4000 + 2),
        ]
    assert all(b"HTTP/1.1 413 " in said for said in pages.send_raw(*requests))
    assert is_undisturbed(pages)


def test_only_a_form_with_files_may_be_large(pages: ServedPages) -> None:
    """One of fields alone would keep the node busy."""
    file = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    body = file + b"x" * (2 * BODY_BYTES["somebody"]) + b"\r\n--b--\r\n"
    fields = {**pages.headers(pages.account()), "Host": "127.0.0.1", "Origin": "http://127.0.0.1"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = (
        f"POST /enrol HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {len(body)}\r\nContent-Type: "
    )
    files, no_files = pages.send_raw(
        f"{head}multipart/form-data; boundary=b\r\n\r\n".encode() + body,
        f"{head}application/x-www-form-urlencoded\r\n\r\n".encode(),
    )
    assert files.startswith(b"HTTP/1.1 303 ")
    assert no_files.startswith(b"HTTP/1.1 413 ")


def test_messages_of_a_websocket_are_bounded(pages: ServedPages) -> None:
    """A message of a megabyte ends it."""
    peer, said = pages.open_websocket("/live", f"Cookie: {pages.account()}", f"Origin: {pages.origin}")
    with peer:
        assert said.startswith(b"HTTP/1.1 101 ")
        peer.sendall(b"\x81\xff" + (2**20).to_bytes(8, "big") + b"\0\0\0\0" + b"a" * 70_000)
        assert read_to_end(peer)[-200:].find((1009).to_bytes(2, "big")) >= 0
    assert is_undisturbed(pages)


BEGINNINGS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    (
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname="
    ),
)


def test_a_slow_request_is_cut_off(pages: ServedPages) -> None:
    """Before headers, in them, and in a body."""
    assert pages.send_raw(*BEGINNINGS) == [b""] * len(BEGINNINGS)
    assert pages.connections.closed >= len(BEGINNINGS)


def test_a_connection_whose_form_came_waits_anew(pages: ServedPages) -> None:
    """A browser sends a form again if its connection ends unanswered, and an invitation is good once."""
    pages.connections.at_most = 2
    with ExitStack() as stack:
        first, second, third = (HTTPConnection("127.0.0.1", pages.port, timeout=30) for _ in range(3))
        for one in (first, second, third):
            stack.callback(one.close)

        def ask(one: HTTPConnection, method: str = "GET") -> int:
            one.request(method, "/sign-in", "name=Ada" if method == "POST" else None, sent)
            answer = one.getresponse()
            answer.read()
            return answer.status

        sent = {**pages.headers(), "Content-Type": "application/x-www-form-urlencoded"}
        assert (ask(first), ask(second), ask(first, "POST"), ask(third)) == (200, 200, 403, 200)
        assert second.sock is not None
        assert second.sock.recv(1) == b""
        assert ask(first) == 200


def test_sockets_without_end_disturb_nobody(pages: ServedPages) -> None:
    """10,000 from one address: all but a few are closed, and others are answered meanwhile."""
    with ExitStack() as stack:
        for number in range(10_000):
            peer = stack.enter_context(pages.connect("127.0.0.9"))
            if number % 50:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if number > 500:
                    peer.close()
            if number % 2000 == 0:
                assert is_undisturbed(pages)
        assert len(pages.connections) <= pages.connections.at_most_each + 2
        assert is_undisturbed(pages)
        assert pages.ask("/account", cookie=pages.account(), source="127.0.0.9").status == 200


def test_a_peer_with_many_addresses_does_not_shut_out_others(pages: ServedPages) -> None:
    """The connection goes that waits longest; one that is answered stays."""
    cookie = pages.account()
    with ExitStack() as stack:
        peer, said = pages.open_websocket("/live", f"Cookie: {cookie}", f"Origin: {pages.origin}")
        watching = stack.enter_context(peer)
        assert said.startswith(b"HTTP/1.1 101 ")
        for number in range(600):
            stack.enter_context(pages.connect(f"127.1.{number % 40}.1"))
        wait_until(lambda: len(pages.connections) <= pages.connections.at_most + 1, "a bound")
        assert is_undisturbed(pages)
        watching.sendall(b"\x89\x80\0\0\0\0")
        assert watching.recv(65536)
    wait_until(lambda: not len(pages.connections), "all connections are closed")


SECRET = b"sixteen bytes or more"


@pytest.fixture
def behind_a_proxy(tmp_path: Path) -> Iterator[ServedPages]:
    """Give pages that a proxy at 127.0.0.3 passes requests to."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    file.chmod(0o600)
    proxy = ProxySettings(address="127.0.0.3", secret_file=str(file), origin="https://door.example")
    with ServedPages(tmp_path, settings=WebSettings(listen="127.0.0.1:0", proxy=proxy)) as found:
        yield found


def test_headers_of_a_proxy_count_only_from_the_proxy(behind_a_proxy: ServedPages) -> None:
    """Neither its address nor its secret is enough alone."""
    own = {"Host": "door.example", "Turnstile-Proxy-Secret": SECRET.decode()}
    wrong = {**own, "Turnstile-Proxy-Secret": "another secret, as long"}
    ask = behind_a_proxy.ask
    assert ask("/sign-in", headers=own, source="127.0.0.3").status == 200
    assert ask("/sign-in", headers=own, source="127.0.0.4").status == 403
    assert ask("/sign-in", headers=wrong, source="127.0.0.3").status == 403
    assert ask("/sign-in", headers={"Host": "door.example"}, source="127.0.0.3").status == 403


def test_behind_a_proxy_its_origin_is_the_only_one(behind_a_proxy: ServedPages) -> None:
    """And a guess is counted for the address that the proxy saw, whatever else the header says."""
    own = {"Host": "door.example", "Turnstile-Proxy-Secret": SECRET.decode()}
    own["Origin"] = "https://door.example"
    form = {"name": "Ada", "password": "guessed wrongly"}

    def guess(forwarded: str, **headers: str) -> int:
        sent = {**own, "X-Forwarded-For": forwarded, **headers}
        return behind_a_proxy.ask(
            "/sign-in", method="POST", headers=sent, form=form, source="127.0.0.3"
        ).status

    assert guess("198.51.100.4", Origin="http://door.example") == 403
    statuses = [guess(f"203.0.113.{number}, 198.51.100.4") for number in range(10)]
    assert 429 in statuses
    answer = behind_a_proxy.ask("/sign-in", headers=own, source="127.0.0.3")
    assert answer.headers["strict-transport-security"]


def test_headers_of_a_proxy_are_ignored_where_there_is_none(pages: ServedPages) -> None:
    """A stranger's address is the one that it comes from."""
    form = {"name": "Ada", "password": "guessed wrongly"}
    addresses = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(10)]
    statuses = [
        pages.ask("/sign-in", method="POST", headers=pages.headers() | one, form=form).status
        for one in addresses
    ]
    assert 429 in statuses
