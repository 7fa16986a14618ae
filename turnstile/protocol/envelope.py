"""What all messages have in common, and what to say about one of another version than ours."""

from collections.abc import Iterable

import msgspec

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError)
"""What decoding raises for bytes that are no message."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    """What all messages share: immutable, keyword-only, tagged, no unknown fields."""


class _Tagged(msgspec.Struct):
    t: str


_decoder = msgspec.msgpack.Decoder(_Tagged)


def another_version(body: bytes | memoryview, tags: Iterable[str]) -> str:
    """Return what to say about a body that has one of our `tags` in another version; empty if it has none."""
    try:
        name, _, version = _decoder.decode(body).t.partition("/")
    except UNREADABLE:
        return ""
    ours = dict(tag.split("/") for tag in tags).get(name, version)
    if ours == version or not version.isdecimal():
        return ""
    return f"a {name} of version {version[:8]}; this node speaks version {ours}"
