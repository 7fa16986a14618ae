"""What the broker answers over HTTP, on a real port."""

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.support.builders import write_site
from turnstile.errors import ConfigError
from turnstile.io.metrics import endpoint
from turnstile.io.metrics.endpoint import HUNG_AFTER_S, MAX_REQUESTS, Endpoint
from turnstile.io.runner.watchdog import Pulse
from turnstile.io.site.file import load

Get = Callable[[str], tuple[int, str]]


class Ports:
    """An endpoint, and the broker that it speaks of."""

    def __init__(self, listen: str = "127.0.0.1:0") -> None:
        self.pulse = Pulse({})
        self.why_not = {"journal": "", "gallery": ""}
        registry = CollectorRegistry()
        Counter("turnstile_x", "Something.", registry=registry).inc()
        self.endpoint = Endpoint(listen, registry, pulse=self.pulse, why_not=lambda: self.why_not)
        host, _, port = self.endpoint.address.rpartition(":")
        self.at = host.strip("[]"), int(port)

    def ask(self, path: str, *, method: str = "GET") -> tuple[int, str]:
        """Return the status and the text of an answer."""
        connection = http.client.HTTPConnection(*self.at, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Give an endpoint on a free port."""
    ports = Ports()
    yield ports
    ports.endpoint.close()


def test_prometheus_gets_the_metrics(ports: Ports) -> None:
    """In its text format."""
    status, text = ports.ask("/metrics")
    assert (status, "turnstile_x_total 1.0" in text) == (200, True)


def test_a_broker_that_is_well_says_so(ports: Ports) -> None:
    """Each subject on a line, for people."""
    assert ports.ask("/healthz") == (200, "loop: ok\n")
    assert ports.ask("/readyz") == (200, "loop: ok\njournal: ok\ngallery: ok\n")


def test_a_loop_that_hangs_is_neither_healthy_nor_ready(ports: Ports) -> None:
    """Though the thread that answers is alive."""
    ports.pulse.turned_s -= HUNG_AFTER_S + 1
    status, text = ports.ask("/healthz")
    assert status == 503
    assert text.startswith("loop: has not turned for ")
    assert ports.ask("/readyz")[0] == 503
    ports.pulse.turned("live")
    assert ports.ask("/healthz")[0] == 200


def test_a_broker_that_cannot_record_is_healthy_but_not_ready(ports: Ports) -> None:
    """To start it again would not help: the disk is full."""
    ports.why_not["journal"] = "journal cannot be written: disk full"
    assert ports.ask("/healthz")[0] == 200
    assert ports.ask("/readyz") == (
        503,
        "loop: ok\njournal: journal cannot be written: disk full\ngallery: ok\n",
    )


def test_nothing_else_is_answered(ports: Ports) -> None:
    """No other path, and nothing is taken in."""
    assert ports.ask("/")[0] == 404
    assert ports.ask("/metrics/../etc/passwd")[0] == 404
    assert ports.ask("/metrics", method="POST")[0] == 405


def test_those_who_say_nothing_are_cut_off_after_a_while(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their places are free again."""
    monkeypatch.setattr(endpoint, "ANSWER_WITHIN_S", 0.3)
    silent = [socket.create_connection(ports.at, timeout=30) for _ in range(MAX_REQUESTS)]
    assert [one.recv(1) for one in silent] == [b""] * MAX_REQUESTS
    for one in silent:
        one.close()


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nX: "])
def test_those_who_say_nothing_keep_out_nobody(ports: Ports, said: bytes) -> None:
    """Every probe is answered, from their own address too, while they take all places again and again."""
    with ExitStack() as stack:
        for _ in range(20):
            for _ in range(MAX_REQUESTS):
                silent = stack.enter_context(socket.create_connection(ports.at, timeout=30))
                silent.sendall(said)
            assert ports.ask("/healthz")[0] == 200


def test_who_has_one_connection_keeps_it(ports: Ports) -> None:
    """Those of an address that has many go first, although they are newer."""
    with ExitStack() as stack:
        slow = stack.enter_context(socket.create_connection(ports.at, timeout=30))
        for _ in range(2 * MAX_REQUESTS):
            stack.enter_context(
                socket.create_connection(ports.at, timeout=30, source_address=("127.0.0.2", 0))
            )
        assert ports.ask("/healthz")[0] == 200
        slow.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b"200 OK" in slow.recv(1000)


def test_an_address_that_is_taken_is_a_mistake_in_the_site_file(ports: Ports) -> None:
    """The sentence names the key."""
    with pytest.raises(ConfigError, match=r"metrics\.listen: cannot bind 127\.0\.0\.1:\d+: Address already"):
        Ports(ports.endpoint.address)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_is_spoken() -> None:
    """In brackets, as everywhere."""
    try:
        ports = Ports("[::1]:0")
    except ConfigError as error:
        pytest.skip(str(error))
    assert ports.ask("/healthz")[0] == 200
    ports.endpoint.close()


def test_others_get_in_only_if_the_site_file_says_so(folder: Path) -> None:
    """It asks nobody for a password."""
    with pytest.raises(ConfigError, match=r"metrics\.listen: others can reach 0\.0\.0\.0:9464.*open: true"):
        load(write_site(folder, "metrics: {listen: '0.0.0.0:9464'}"))
    site = load(write_site(folder, "metrics: {listen: '0.0.0.0:9464', open: true}"))
    assert site.metrics is not None
    assert load(write_site(folder)).metrics is None
