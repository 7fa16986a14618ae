"""A POST whose answer must come within a time, however slowly the other side drips it.

The time-out of a socket holds for each read, so a receiver that sends a byte a second never meets it. Here a
timer shuts down the connection, from the name's resolution on: TLS handshake, headers and all.

Libraries not taken: requests, httpx and urllib3 have time-outs for each read only, too.
"""

import http.client
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any, Self


def post(request: urllib.request.Request, *, within_s: float) -> str:
    """Send a request, and return why it was not taken; empty when it was."""
    with _Deadline(within_s) as deadline:
        opener = urllib.request.build_opener(_NoRedirect, _Http(deadline), _Https(deadline))
        try:
            with opener.open(request, timeout=within_s) as answer:
                if deadline.is_over:  # the headers were cut, which http.client takes for their end
                    return f"no answer within {within_s:g} s"
                return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except urllib.error.HTTPError as error:
            return f"it answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            if deadline.is_over:
                return f"no answer within {within_s:g} s"
            reason = getattr(error, "reason", error)
            return f"no answer: {getattr(reason, 'strerror', None) or reason}"
        except ValueError as error:  # no address: a label of the host is empty or too long
            return f"cannot be sent to: {error}"


class _Deadline:
    """Shuts down the connections made under it when its time is over."""

    def __init__(self, within_s: float) -> None:
        self.is_over = False
        self._copies: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(within_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for copy in self._copies:
                copy.close()
            self._copies.clear()

    def connect(self, *arguments: Any, **keywords: Any) -> socket.socket:
        """Connect, and keep a copy of the descriptor: TLS takes the socket itself away."""
        made = socket.create_connection(*arguments, **keywords)
        with self._lock:
            self._copies.append(made.dup())
        if self.is_over:
            self._cut()
        return made

    def watched(self, kind: type[http.client.HTTPConnection], host: str, **keywords: Any) -> Any:
        """Return a connection that connects here."""
        connection: Any = kind(host, **keywords)
        connection._create_connection = self.connect  # noqa: SLF001 - http.client has no other place for it
        return connection

    def _cut(self) -> None:
        self.is_over = True
        with self._lock:
            for copy in self._copies:
                with suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def make(host: str, **keywords: Any) -> Any:
            return self._deadline.watched(http.client.HTTPConnection, host, **keywords)

        return self.do_open(make, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def make(host: str, **keywords: Any) -> Any:
            return self._deadline.watched(http.client.HTTPSConnection, host, **keywords)

        return self.do_open(make, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: a signed event goes to the address it was meant for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
