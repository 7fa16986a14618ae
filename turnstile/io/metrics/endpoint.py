"""The broker over HTTP: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whoever restarts it.

``/healthz`` answers 200 while the broker's loop turns and 503 when it has not for 5 s, although this is
answered by a thread of its own. ``/readyz`` wants besides: the journal can be written, the faces folder has
been read. The ports are bound before this is. Recognizers are none of its business: what is not ready may be
cut off from the network by who asks, and then no recognizer could ever come.

Policy: at most 16 connections at a time, each answered or cut off within 5 s, so that whoever is slow or
malicious takes bounded memory. One more cuts off the oldest of the address that has most of them: a probe is
answered however many others say nothing. No password is asked, see `metrics.open`.
"""

import logging
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from turnstile.errors import ConfigError
from turnstile.io.runner.watchdog import Pulse
from turnstile.io.runner.worker import Worker
from turnstile.site.settings import MetricsSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HUNG_AFTER_S = 5.0
ANSWER_WITHIN_S = 5.0
MAX_REQUESTS = 16
PLACE_WITHIN_S = 1.0
"""How long a newcomer waits for the place of a connection that was cut off."""

log = logging.getLogger("turnstile")


class Endpoint:
    """Answers from a thread, until it is closed.

    Attributes:
        address: where it listens, with the port that was found if none was wanted.
    """

    def __init__(
        self,
        listen: str,
        registry: CollectorRegistry,
        *,
        pulse: Pulse,
        why_not: Callable[[], Mapping[str, str]],
    ) -> None:
        """Bind and start.

        Args:
            listen: ``address:port``.
            registry: what ``/metrics`` tells.
            pulse: of the loop that is to turn.
            why_not: by subject, why the broker is not ready, empty where it is; asked from another thread.

        Raises:
            ConfigError: the address is taken or not this machine's.
        """
        host, _, port = listen.rpartition(":")
        app = _App(make_wsgi_app(registry), pulse, why_not)
        try:
            self._server = _server_of(host)((host.strip("[]"), int(port)), _Handler)
        except OSError as error:
            raise ConfigError(f"metrics.listen: cannot bind {listen}: {error.strerror or error}") from error
        self._server.set_app(app)
        self.address = f"{host}:{self._server.server_port}"
        serve = partial(self._server.serve_forever, poll_interval=0.1)
        self._worker = Worker("metrics", serve)
        self._worker.start()
        log.info("metrics at http://%s/metrics", self.address)

    def check(self) -> None:
        """Raise what ended the answering, if anything did."""
        self._worker.check()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._worker.close()
        self._server.server_close()


def open_endpoint(
    metrics: MetricsSettings | None,
    registry: CollectorRegistry | None,
    *,
    pulse: Pulse,
    why_not: Callable[[], Mapping[str, str]],
) -> Endpoint | None:
    """Return what answers for a broker; none if its site file has no metrics. Else as `Endpoint`."""
    if metrics is None or registry is None:
        return None
    return Endpoint(metrics.listen, registry, pulse=pulse, why_not=why_not)


class _App:
    """The pages, as WSGI wants them."""

    def __init__(
        self, metrics: Callable[..., Any], pulse: Pulse, why_not: Callable[[], Mapping[str, str]]
    ) -> None:
        self._metrics, self._pulse, self._why_not = metrics, pulse, why_not

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _answer(start_response, "405 Method Not Allowed", "only GET is answered\n")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path == "/healthz":
            return self._report(start_response, self._hung())
        if path == "/readyz":
            return self._report(start_response, {**self._hung(), **self._why_not()})
        return _answer(start_response, "404 Not Found", "there are /metrics, /healthz and /readyz\n")

    def _hung(self) -> Mapping[str, str]:
        age_s = self._pulse.age_s
        return {"loop": f"has not turned for {age_s:.1f} s" if age_s > HUNG_AFTER_S else ""}

    def _report(self, start_response: "StartResponse", why_not: Mapping[str, str]) -> Iterable[bytes]:
        status = "503 Service Unavailable" if any(why_not.values()) else "200 OK"
        text = "".join(f"{subject}: {why or 'ok'}\n" for subject, why in why_not.items())
        return _answer(start_response, status, text)


def _answer(start_response: "StartResponse", status: str, text: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request, a bounded number of them for a bounded time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._room = threading.BoundedSemaphore(MAX_REQUESTS)
        self._open: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        super().__init__(*arguments, **keywords)

    def server_bind(self) -> None:
        """Bind without asking for the machine's full name, which takes seconds where there is no DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, in the place of another one if need be."""
        if not self._room.acquire(blocking=False):
            self._cut_one()
            if not self._room.acquire(timeout=PLACE_WITHIN_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._open[request] = str(client_address[0])
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and cut off who takes too long over it."""
        deadline = threading.Timer(ANSWER_WITHIN_S, _cut, [request])
        deadline.daemon = True
        deadline.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            deadline.cancel()
            self._room.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, which is nobody's place from now on."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def _cut_one(self) -> None:
        """Cut off the oldest connection of the address that has most."""
        with self._lock:
            counts = Counter(self._open.values())
            oldest = max(self._open, key=lambda one: counts[self._open[one]], default=None)
            if oldest is not None:
                del self._open[oldest]
                _cut(oldest)

    def handle_error(self, *_: object) -> None:
        """Leave those alone who went away."""
        log.debug("a request for metrics failed", exc_info=sys.exception())


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, *_: object) -> None:
        pass


def _server_of(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server


def _cut(request: socket.socket) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
