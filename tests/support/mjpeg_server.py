"""A network camera that tests can make hang, drop, freeze and come back: MJPEG over HTTP on loopback."""

import contextlib
import http.server
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from tests.support.waiting import PATIENCE_S

BOUNDARY = b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


class MjpegServer:
    """Serves moving pictures on port 0 until told otherwise. Everything it is asked takes effect at once.

    Attributes:
        silent: takes connections and requests, and says nothing.
        hanging: sends no further picture, and keeps connections open.
        frozen: sends the same picture again and again.
        refusing: the HTTP status to answer with instead of pictures; 0 for pictures.
    """

    def __init__(self, *, width_px: int = 160, height_px: int = 120, fps: float = 25.0) -> None:
        """Get ready; it serves inside ``with``."""
        self.silent = self.hanging = self.frozen = False
        self.refusing = 0
        self._size = height_px, width_px
        self._interval_s = 1 / fps
        self._changed = threading.Condition()
        self._sent = self._asked = 0
        self._picture = b""
        self._connections: set[socket.socket] = set()
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """Return what to write in the site file."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/video"

    @property
    def sent(self) -> int:
        """Return how many pictures have left, over all connections."""
        return self._sent

    def drop(self) -> None:
        """Cut all connections."""
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def wait_for_requests(self, count: int) -> None:
        """Return when so many requests have come since the start."""
        self._wait(lambda: self._asked >= count)

    def wait_for_pictures(self, count: int) -> None:
        """Return when so many further pictures have left."""
        goal = self._sent + count
        self._wait(lambda: self._sent >= goal)

    def wait_until_alone(self) -> None:
        """Return when nobody is connected."""
        self._wait(lambda: not self._connections)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._over.set()
        self.drop()
        self._server.shutdown()
        self._server.server_close()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        serve = self._serve

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        return Handler

    def _serve(self, request: http.server.BaseHTTPRequestHandler) -> None:
        with self._changed:
            self._asked += 1
            self._connections.add(request.connection)
            self._changed.notify_all()
        try:
            self._answer(request)
        except OSError:
            pass
        finally:
            with self._changed:
                self._connections.remove(request.connection)
                self._changed.notify_all()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self._hold_while(lambda: self.silent, request.connection)
        if self.refusing:
            request.send_response(self.refusing)
            if self.refusing == 401:
                request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        request.end_headers()
        while not self._over.wait(self._interval_s):
            self._hold_while(lambda: self.hanging, request.connection)
            with self._changed:
                if not (self.frozen and self._picture):
                    self._picture = self._noise()
                picture = self._picture
            request.wfile.write(BOUNDARY % len(picture) + picture + b"\r\n")
            with self._changed:
                self._sent += 1
                self._changed.notify_all()

    def _hold_while(self, wanted: Callable[[], bool], connection: socket.socket) -> None:
        """Keep a connection without a word, until it is closed from the other side."""
        while wanted() and not self._over.is_set():
            readable, _, _ = select.select([connection], [], [], 0.02)
            if readable and not connection.recv(4096):
                raise ConnectionResetError("the reader left")

    def _noise(self) -> bytes:
        noise = np.random.default_rng(time.monotonic_ns()).integers(0, 255, (*self._size, 3), dtype=np.uint8)
        done, jpeg = cv2.imencode(".jpg", noise)
        assert done
        return jpeg.tobytes()
