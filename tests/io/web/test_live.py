"""Doors as they are now, on pages and by WebSocket, without a bus or a browser."""

import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.sync.client import connect

from tests.support.builders import START_NS, a_frame, an_access
from tests.support.waiting import wait_until
from tests.support.web_pages import SignedIn, a_client, a_site
from tests.support.web_server import ServedPages
from turnstile.io.web.admission import Admission
from turnstile.io.web.demand import FrameDemand
from turnstile.io.web.link import BrokerContact, BusLink
from turnstile.io.web.live.hub import LiveHub
from turnstile.io.web.live.socket import (
    CLOSE_NOT_UNDERSTOOD,
    CLOSE_TOO_MANY,
    MAX_PAGES_EACH,
    MAX_WISHES_PER_S,
    serve,
)
from turnstile.io.web.serving.listener import Connections
from turnstile.protocol.envelope import Message
from turnstile.web.live.doors import make_live_doors

SITE = a_site("door", "store")


def a_live_client(signed_in: SignedIn | None = None) -> TestClient:
    """Return a client of a site whose broker is heard."""
    client = a_client(signed_in, site=SITE)
    client.app.state.link.broker = BrokerContact(lost=False)  # type: ignore[attr-defined]
    return client


def hear(client: TestClient, *messages: Message) -> None:
    """Let something come by the bus."""
    for listener in client.app.state.link.listeners:  # type: ignore[attr-defined]
        listener([("", one) for one in messages])


def watch(client: TestClient, wire: WebSocketTestSession, *doors: str) -> None:
    """Have a page show doors, and return when frames are asked for."""
    wire.send_json({"watch": dict.fromkeys(doors, "all")})
    wait_until(lambda: asked_for(client), "frames to be asked for")


def asked_for(client: TestClient) -> frozenset[str]:
    """Return the cameras whose frames the node is to hear."""
    cameras: frozenset[str] = client.app.state.link.frames.cameras  # type: ignore[attr-defined]
    return cameras


def next_of(socket: WebSocketTestSession, kind: str, **values: object) -> tuple[dict[str, Any], bytes]:
    """Return the next message of a kind, its picture beside it, that has these values."""
    while True:
        data = socket.receive_bytes()
        (length,) = struct.unpack_from(">I", data)
        header = json.loads(data[4 : 4 + length])
        if header["t"] == kind and values.items() <= header.items():
            return header, data[4 + length :]


def test_the_wall_shows_every_door_without_script() -> None:
    """With its state in words, and the decisions that came."""
    client = a_live_client()
    later = an_access(seq=2, camera="store", verdict="denied", person=None, decided_ns=2 * START_NS)
    hear(client, an_access(camera="door"), later)
    page = client.get("/").text
    assert 'data-door="door"' in page
    assert "waiting for the first picture" in page
    assert page.index("somebody unknown") < page.index("Barack Obama")


def test_names_are_escaped() -> None:
    """Whatever somebody is called."""
    client = a_live_client()
    hear(client, an_access(camera="door", person="<b>Bob</b>"))
    assert "&lt;b&gt;Bob&lt;/b&gt;" in client.get("/").text


def test_an_account_sees_its_doors_only() -> None:
    """On the wall, on tablets and by WebSocket."""
    client = a_live_client(SignedIn("viewer", doors=("door",)))
    hear(client, an_access(camera="store", person="Joe Biden"))
    page = client.get("/").text
    assert "store" not in page
    assert "Joe Biden" not in page
    assert client.get("/door/store").status_code == 404
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/live/store"):
        pass
    with client.websocket_connect("/live") as wire:
        watch(client, wire, "door", "store")
        assert asked_for(client) == {"door"}
        hear(client, a_frame(camera="store"), an_access(seq=2, camera="store"), a_frame(camera="door", seq=3))
        header, _ = next_of(wire, "door", seq=3)
        assert header["camera"] == "door"


def test_a_picture_comes_as_the_camera_made_it_once_for_each_credit() -> None:
    """The next one is the newest when the page is ready for it."""
    client = a_live_client()
    with client.websocket_connect("/live") as wire:
        watch(client, wire, "door")
        hear(client, a_frame(camera="door", seq=1))
        _, jpeg = next_of(wire, "door", seq=1)
        assert jpeg == a_frame(camera="door").jpeg
        hear(client, a_frame(camera="door", seq=2))
        hear(client, a_frame(camera="door", seq=3))
        wire.send_json({"ready": ["door"]})
        header, _ = next_of(wire, "door", camera="door", seq=3)
        assert header["captured_ms"] == a_frame(seq=3).captured_ns / 1e6


def test_frames_are_asked_for_while_a_page_shows_them(tmp_path: Path) -> None:
    """Of a wall the doors in view, of a tablet its own; not any more when the last page has gone."""
    with ServedPages(tmp_path, site=SITE) as served:
        link = served.app.state.link
        link.frames = frames = FrameDemand(link.wake, let_go_s=0.0)
        live, headers = f"ws://127.0.0.1:{served.port}/live", served.headers(served.account())

        def wait_for(*cameras: str) -> None:
            wait_until(lambda: frames.cameras == {*cameras}, lambda: frames.cameras)

        with (
            connect(live, additional_headers=headers, proxy=None) as wall,
            connect(f"{live}/door", additional_headers=headers, proxy=None) as tablet,
        ):
            wall.send('{"watch": {"door": "calm", "store": "calm"}}')
            wait_for("door", "store")
            tablet.send('{"watch": {"door": "all"}}')
            wall.send('{"watch": {}}')
            wait_for("door")
        wait_for()


@pytest.mark.parametrize(("path", "cameras"), [("/", {"door", "store"}), ("/door/door", {"door"})])
def test_frames_come_already_while_a_page_is_loaded(path: str, cameras: set[str]) -> None:
    """So that its first picture need not wait for the next one."""
    client = a_live_client()
    client.get(path)
    assert asked_for(client) == cameras


def test_a_decision_is_told_as_it_comes() -> None:
    """To walls, not to tablets."""
    client = a_live_client()
    with client.websocket_connect("/live") as wall:
        next_of(wall, "site")
        hear(client, an_access(camera="door"))
        assert next_of(wall, "decision")[0]["line"]["who"] == "Barack Obama"


def test_a_tablet_is_told_what_the_public_may_know() -> None:
    """Out of order, in words for everybody."""
    client = a_live_client()
    client.app.state.link.broker = BrokerContact(lost=True)  # type: ignore[attr-defined]
    assert "Out of order, please ring" in client.get("/door/door").text
    with client.websocket_connect("/live/door") as tablet:
        header, _ = next_of(tablet, "door")
        assert header["notice"]["title"] == "Out of order, please ring"
        assert not header["notice"]["detail"]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"watch": {"door": "fast"}}', '{"ready": ["' + "a" * 9000 + '"]}']
)
def test_who_says_what_no_page_says_is_closed(text: str) -> None:
    """And nobody else is."""
    client = a_live_client()
    with client.websocket_connect("/live") as other, client.websocket_connect("/live") as wire:
        wire.send_text(text)
        with pytest.raises(WebSocketDisconnect) as closed:
            next_of(wire, "none")
        assert closed.value.code == CLOSE_NOT_UNDERSTOOD
        next_of(other, "site")


def test_an_account_has_only_so_many_pages_open() -> None:
    """Further ones are closed at once."""
    client = a_live_client()
    hub_pages = [client.websocket_connect("/live") for _ in range(MAX_PAGES_EACH)]
    for one in hub_pages:
        one.__enter__()
    with client.websocket_connect("/live") as further, pytest.raises(WebSocketDisconnect) as closed:
        further.receive_bytes()
    assert closed.value.code == CLOSE_TOO_MANY
    for one in hub_pages:
        one.__exit__(None, None, None)


def test_a_page_that_is_open_counts_as_held() -> None:
    """Else it would be closed as a connection that asks for nothing."""
    connections = Connections(wait_s=0.0)
    client = a_client(site=SITE, connections=connections)
    with socket.socket() as peer:
        connections.add(("testclient", 50000), peer)
        with client.websocket_connect("/live") as page:
            next_of(page, "site")
            connections.sweep(time.monotonic() + 60)
            assert connections.closed == 0


def test_nobody_is_told_anything_without_signing_in() -> None:
    """Neither pictures nor words."""
    signed_in = SignedIn()
    client = a_live_client(signed_in)
    signed_in.asker = None
    for path in ("/live", "/live/door"):
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect(path):
            pass


def test_health_says_that_the_broker_is_not_heard() -> None:
    """And shows cameras of the account's doors only."""
    page = a_live_client(SignedIn("viewer", doors=("door",))).get("/health").text
    assert "The broker is not heard" in page
    assert "store" not in page


@pytest.mark.parametrize("path", ["/health/scale", "/health/restart", "/health/unlock"])
def test_only_an_admin_acts_on_nodes(path: str) -> None:
    """Everybody else is refused."""
    client = a_live_client(SignedIn("clerk"))
    assert client.post(path, data={"count": "1", "name": "door", "camera": "door"}).status_code == 403


def test_a_number_of_recognizers_that_is_none_changes_nothing() -> None:
    """The page says what would be valid."""
    client = a_live_client()
    answer = client.post("/health/scale", data={"count": "-1"})
    assert answer.headers["location"] == "/health"
    assert "is no number of 0 to" in client.get("/health").text


def test_a_page_says_only_so_much_a_second() -> None:
    """One message more, and it is closed; the clock stands still meanwhile."""
    hub = LiveHub(
        doors=make_live_doors(SITE), link=BusLink(instance="web-1", wake=lambda: None), clock=lambda: 1.0
    )

    async def live(websocket: WebSocket) -> None:
        await serve(websocket, hub, doors=("door",))

    admission = Middleware(Admission, sessions=SignedIn())
    client = TestClient(Starlette(routes=[WebSocketRoute("/live", live)], middleware=[admission]))
    with client.websocket_connect("/live") as wire:
        for _ in range(MAX_WISHES_PER_S):
            wire.send_json({"ready": ["door"]})
        next_of(wire, "site")
        wire.send_json({"ready": ["door"]})
        with pytest.raises(WebSocketDisconnect) as closed:
            next_of(wire, "none")
    assert closed.value.code == CLOSE_NOT_UNDERSTOOD
    assert closed.value.reason == f"more than {MAX_WISHES_PER_S} messages a second"
