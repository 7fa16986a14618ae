"""Events, open visits and the newest time as they stand in the journal: MessagePack behind a digest.

One flipped bit in a name or a distance would still be valid MessagePack. The digest covers whose bytes they
are, too: those of an event are not taken for another's, nor a door's for another door's.
"""

import hashlib

import msgspec

from turnstile.access.door import Door
from turnstile.protocol.messages import Access
from turnstile.protocol.requests import Act

_MARK = b"\xc1"
"""MessagePack never begins with this byte. Bodies without it were written before November 2026."""

_DIGEST_BYTES = 16
_START = len(_MARK) + _DIGEST_BYTES


def write_event(event: Access | Act) -> bytes:
    """Return an event as it is stored."""
    return _sealed(f"event {event.seq} {event.visit}", msgspec.msgpack.encode(event))


def read_event(body: object, *, seq: int, visit: str) -> Access | Act:
    """Return an event that is stored under a number and a visit.

    Raises:
        msgspec.MsgspecError: it is damaged.
    """
    data = _opened(f"event {seq} {visit}", body)
    for before, now in ((b"access/2", b"access/3"), (b"act/1", b"act/2")):
        data = data.replace(before, now, 1) if before in data[:20] else data
    event = msgspec.msgpack.decode(data, type=Access | Act)
    if (event.seq, event.visit) != (seq, visit):
        raise msgspec.DecodeError(f"it is event {event.seq} of visit {event.visit}")
    return event


def write_door(camera: str, door: Door) -> bytes:
    """Return the open visits of a camera as they are stored."""
    return _sealed(f"door {camera}", msgspec.msgpack.encode(door))


def read_door(camera: str, body: object) -> Door:
    """Return the open visits of a camera.

    Raises:
        msgspec.MsgspecError: they are damaged, or of another version.
    """
    return msgspec.msgpack.decode(_opened(f"door {camera}", body), type=Door)


def write_clock(newest_ns: int) -> bytes:
    """Return the newest time that is known as it is stored."""
    return _sealed("clock", msgspec.msgpack.encode(newest_ns))


def read_clock(body: object) -> int:
    """Return the newest time that is known.

    Raises:
        msgspec.MsgspecError: it is damaged.
    """
    return msgspec.msgpack.decode(_opened("clock", body), type=int)


def _sealed(whose: str, data: bytes) -> bytes:
    return _MARK + _digest(whose, data) + data


def _opened(whose: str, body: object) -> bytes:
    if not isinstance(body, bytes):
        raise msgspec.DecodeError("it is not made of bytes")
    if not body.startswith(_MARK):
        return body
    data = body[_START:]
    if _digest(whose, data) != body[len(_MARK) : _START]:
        raise msgspec.DecodeError("its bytes do not give its digest")
    return data


def _digest(whose: str, data: bytes) -> bytes:
    return hashlib.blake2b(
        data, digest_size=_DIGEST_BYTES, key=hashlib.sha256(whose.encode()).digest()
    ).digest()
