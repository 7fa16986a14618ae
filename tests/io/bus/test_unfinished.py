"""A message that never ends: its connection does."""

import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import zmq

from tests.support.builders import a_frame
from tests.support.raw_peer import RawPeer
from tests.support.waiting import wait_until
from turnstile.io.bus.broker import BrokerSockets
from turnstile.protocol.messages import encode
from turnstile.protocol.topics import topic
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux counts what a connection received"
)

MAX_FRAME_BYTES = 100_000
PART = bytes(1_000_000)


@pytest.fixture
def sockets() -> Iterator[BrokerSockets]:
    """Give a broker's sockets on free ports, for small frames."""
    settings = BrokerSettings(
        ingress="tcp://127.0.0.1:0", egress="tcp://127.0.0.1:0", max_frame_bytes=MAX_FRAME_BYTES
    )
    with closing(BrokerSockets(settings)) as opened:
        yield opened


def port(socket: "zmq.Socket[bytes]") -> int:
    """Return where a socket is bound."""
    return int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


def turn(sockets: BrokerSockets) -> list[str]:
    """Do what a broker does each turn; return the topics that came."""
    sockets.wait(0.01)
    while sockets.subscription() is not None:
        pass
    found = []
    while (said := sockets.receive()) is not None:
        found.append(said.topic)
    return found


def parts_sent(peer: RawPeer, sockets: BrokerSockets, part: bytes, *, at_most: int) -> int:
    """Return how many parts, none of them the last, a peer could send before its connection was closed."""
    for count in range(at_most):
        if not peer.send_part(part, more=True):
            return count
        if count % max(1, 100_000 // len(part)) == 0:
            turn(sockets)
    return at_most


def test_a_message_of_endless_parts_ends_its_connection(
    sockets: BrokerSockets, caplog: pytest.LogCaptureFixture
) -> None:
    """After twice the largest message and what was on its way; it is said, and counted."""
    with closing(RawPeer(port(sockets.pull), b"PUSH")) as peer:
        assert parts_sent(peer, sockets, PART, at_most=400) < 100
    assert sockets.unfinished.cut == 1
    assert "a peer at 127.0.0.1 port" in caplog.text
    assert "that are no whole message; its connection is closed" in caplog.text


def test_a_subscription_of_endless_parts_ends_its_connection(sockets: BrokerSockets) -> None:
    """The egress takes small parts only, and few of them."""
    with closing(RawPeer(port(sockets.xpub), b"SUB")) as peer:
        assert parts_sent(peer, sockets, bytes(240), at_most=40_000) < 40_000
    assert sockets.unfinished.cut == 1


def test_whole_messages_end_no_connection(sockets: BrokerSockets) -> None:
    """However many there are: what was taken does not count."""
    body = encode(a_frame(jpeg=bytes(MAX_FRAME_BYTES)))
    about = topic("frame", "front_door")
    came: list[str] = []
    with closing(RawPeer(port(sockets.pull), b"PUSH")) as peer:
        for _ in range(100):
            assert peer.send_part(about.encode(), more=True)
            assert peer.send_part(body, more=False)
            came += turn(sockets)
        wait_until(lambda: len(came) == 100, lambda: len(came), between=lambda: came.extend(turn(sockets)))
    assert sockets.unfinished.cut == 0
