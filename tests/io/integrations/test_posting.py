"""A POST ends in time, whatever the receiver does."""

import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from turnstile.io.integrations.posting import post

Drip = Callable[[bytes, bytes], str]


@pytest.fixture
def dripping() -> Iterator[Drip]:
    """Give what starts a receiver that sends a beginning, then one piece again and again; return its port."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def start(beginning: bytes, piece: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                try:
                    connection.sendall(beginning)
                    while not ended.wait(0.05):
                        connection.sendall(piece)
                except OSError:
                    return

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    ended.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("scheme", "beginning", "piece"),
    [
        ("http", b"", b"H"),
        ("http", b"HTTP/1.1 200 OK\r\n", b"x"),
        ("http", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00", b"\x02"),
    ],
)
def test_a_receiver_that_drips_is_given_up(
    dripping: Drip, scheme: str, beginning: bytes, piece: bytes
) -> None:
    """Each byte comes in time, the answer does not: status, headers, interim answers, TLS handshake."""
    url = f"{scheme}://{dripping(beginning, piece)}/"
    request = urllib.request.Request(url, data=b"{}", method="POST")  # noqa: S310 - of this machine
    assert post(request, within_s=0.4) == "no answer within 0.4 s"


def test_an_answer_that_begins_in_time_is_taken(dripping: Drip) -> None:
    """The rest is not read: the status says it all."""
    at = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")
    assert post(urllib.request.Request(f"http://{at}/", data=b"{}", method="POST"), within_s=5) == ""


def test_a_receiver_that_is_not_there_is_told_in_words() -> None:
    """Without the system's number of the error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"{}", method="POST")
    assert post(request, within_s=5.0) == "no answer: Connection refused"
