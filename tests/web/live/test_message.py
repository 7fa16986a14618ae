"""Messages to a page and from it."""

import json
import struct

import pytest

from tests.support.builders import a_frame
from turnstile.errors import WireError
from turnstile.protocol.fields import Box
from turnstile.screen.scene import Mark, View
from turnstile.web.live.message import PageWish, of_door, pack, read_wish


def test_a_message_is_a_header_and_the_picture_as_it_came() -> None:
    """The JPEG's bytes are the camera's."""
    frame = a_frame(seq=7)
    mark = Mark(box_px=Box(left=1, top=2, right=3, bottom=4), kind="granted", label="Ann & Bob")
    view = View(camera=frame.camera, light="live", frame_px=(64, 48), marks=(mark,))
    packed = pack(of_door(view, "live", frame, age_s=0.0123), frame.jpeg)
    (length,) = struct.unpack_from(">I", packed)
    header = json.loads(packed[4 : 4 + length])
    assert packed[4 + length :] == frame.jpeg
    assert header["t"] == "door"
    assert (header["camera"], header["seq"], header["age_ms"]) == (frame.camera, 7, 12.3)
    assert header["marks"][0]["label"] == "Ann & Bob"
    assert header["marks"][0]["box_px"]["right"] == 3


def test_what_a_page_says_is_read() -> None:
    """Which doors are in view, and what it has drawn."""
    wish = read_wish('{"watch": {"front_door": "calm"}, "ready": ["store"]}')
    assert wish == PageWish(watch={"front_door": "calm"}, ready=("store",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"watch": {"a": "fast"}}', '{"more": 1}', "[" * 100_000])
def test_anything_else_is_refused(text: str) -> None:
    """Whoever says it is no page of ours."""
    with pytest.raises(WireError, match="not understood"):
        read_wish(text)
