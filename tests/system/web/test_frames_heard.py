"""The broker passes on a camera's frames while a page shows it, and holds them back otherwise."""

import itertools
import json
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import PASSWORD, WebSite
from tests.support.builders import a_frame
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.topics import topic

pytestmark = pytest.mark.system


class PlayedCamera:
    """A camera of a site without recognizers, which sends a frame whenever a test says so."""

    def __init__(self, web: WebSite, bus: Bus) -> None:
        self._site, self._bus, self._seqs = web.site, bus, itertools.count(1)

    def send(self) -> int:
        """Send a frame, and return its number."""
        frame = a_frame(camera="door", seq=next(self._seqs), captured_ns=time.time_ns())
        self._bus.send(topic("frame", "door"), frame)
        return frame.seq

    def send_until_some_are_unseen(self) -> None:
        """Send frames until the broker has dropped some that nobody needed before newer ones came."""
        before = self._site.count("broker", "dropped_unseen")
        self._send_until(lambda: self._site.count("broker", "dropped_unseen") > before)

    def send_until_seen(self, page: ClientConnection) -> None:
        """Send frames until a page gets one."""
        self._send_until(lambda: _picture(page, within_s=0.1) is not None)

    def _send_until(self, condition: Callable[[], bool]) -> None:
        self._site.wait_for(lambda: self.send() > 0 and condition())


def _picture(page: ClientConnection, *, within_s: float | None = None) -> int | None:
    """Return the number of the next picture that a page gets, and be ready for another; `None`: none came."""
    while True:
        try:
            data = page.recv(within_s, decode=False)
        except TimeoutError:
            return None
        (length,) = struct.unpack_from(">I", data)
        if len(data) > 4 + length:
            page.send(json.dumps({"ready": ["door"]}))
            seq: int = json.loads(data[4 : 4 + length])["seq"]
            return seq


def _a_page(web: WebSite) -> ClientConnection:
    """Return the WebSocket of a page of somebody who has signed in."""
    with httpx.Client(base_url=web.address, headers={"Origin": web.address}) as browser:
        browser.post(urlsplit(web.invite("Ada")).path, data={"password": PASSWORD, "again": PASSWORD})
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Origin": web.address, "Cookie": cookies}
    return connect(f"{web.address.replace('http', 'ws')}/live", additional_headers=headers, proxy=None)


def test_the_broker_passes_on_frames_while_a_page_shows_their_camera(folder: Path) -> None:
    """Then each of them; before and after, those that newer ones overtake are dropped unseen."""
    with WebSite(folder, recognizers=()) as web, closing(Bus(web.site.site.broker)) as bus:
        web.site.start("broker")
        web.start()
        camera = PlayedCamera(web, bus)
        camera.send_until_some_are_unseen()
        with _a_page(web) as page:
            page.send(json.dumps({"watch": {"door": "all"}}))
            camera.send_until_seen(page)
            for _ in range(5):
                sent = camera.send()
                while _picture(page) != sent:
                    pass
        camera.send_until_some_are_unseen()
