"""Replay: recorded results, folded again with other settings, to show which verdicts change.

A recording holds what the decision was made from: results with encodings but no pictures, how late each was,
and the verdicts. Pure: a recording comes as records.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from turnstile.access.decider import Decider, Now
from turnstile.errors import WireError
from turnstile.protocol.envelope import UNREADABLE
from turnstile.protocol.fields import Nanoseconds, Seconds
from turnstile.protocol.messages import Access, Result

MATCH_NS = 5_000_000_000
"""Largest gap between two verdicts that are compared although their visits began in other frames."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    """Fields of every record."""

    at_ns: Nanoseconds
    """Broker's clock."""


class RecordedResult(Recorded, frozen=True, kw_only=True, tag="taken/1"):
    """A result that the broker decided upon."""

    age_s: Seconds
    result: Result
    came_ns: Nanoseconds = 0
    """When its frame came, on the broker's running clock; 0 in recordings of before 2026-11-25."""


class RecordedVerdict(Recorded, frozen=True, kw_only=True, tag="told/1"):
    """A recorded verdict."""

    access: Access


AnyRecord = RecordedResult | RecordedVerdict

Change = Literal["other verdict", "other reason", "no longer decided", "newly decided"]


class Difference(NamedTuple):
    """A visit whose verdict differs."""

    change: Change
    before: Access | None
    after: Access | None
    at_ns: int
    """Broker's clock: when it was decided, or would be now."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)


def taken(result: Result, *, came_ns: int, age_s: float, at_ns: int) -> bytes:
    """Return a result as it is recorded: without its token and thumbnails."""
    faces = tuple(msgspec.structs.replace(face, thumbnail=b"") for face in result.faces)
    bare = msgspec.structs.replace(result, token="", faces=faces)
    return _encoder.encode(RecordedResult(at_ns=at_ns, came_ns=came_ns, age_s=age_s, result=bare))


def told(access: Access) -> bytes:
    """Return a verdict as it is recorded: without its thumbnail."""
    bare = msgspec.structs.replace(access, thumbnail=b"")
    return _encoder.encode(RecordedVerdict(at_ns=access.decided_ns, access=bare))


def decode(body: bytes) -> AnyRecord:
    """Return a record.

    Raises:
        WireError: it is not a record.
    """
    try:
        return _decoder.decode(body)
    except UNREADABLE as error:
        raise WireError(_another_version(body) or f"not a record of results: {error}") from error


class _Inner(msgspec.Struct):
    t: str


class _Outer(msgspec.Struct):
    t: str
    result: _Inner | None = None
    access: _Inner | None = None


_VERSIONS = {
    str(one.__struct_config__.tag).partition("/")[0]: str(one.__struct_config__.tag)
    for one in (RecordedResult, RecordedVerdict, Result, Access)
}
_versions = msgspec.msgpack.Decoder(_Outer)


def _another_version(body: bytes) -> str:
    """Return what to say about a record that another version of Turnstile wrote; empty if it is none."""
    try:
        outer = _versions.decode(body)
    except UNREADABLE:
        return ""
    for tag in (outer.t, *(one.t for one in (outer.result, outer.access) if one is not None)):
        ours = _VERSIONS.get(tag.partition("/")[0], tag)
        if ours != tag:
            return (
                f"recorded by another version of Turnstile: it holds {tag[:_TAG_CHARS]}, and this version "
                f"reads {ours}; replay it with that version, or move it away to begin a new one"
            )
    return ""


_TAG_CHARS = 24


def replay(
    records: Iterable[AnyRecord], decider: Decider, *, local: Callable[[int], dt.datetime]
) -> tuple[list[Access], list[Access]]:
    """Return the recorded verdicts, and those that `decider` gives on the same results.

    Args:
        records: in the order recorded.
        decider: with the settings and rules to try, and no doors open yet.
        local: converts nanoseconds of the broker's clock to the local time of the rules.
    """
    before: list[Access] = []
    after: list[Access] = []
    for record in records:
        match record:
            case RecordedVerdict():
                before.append(record.access)
            case RecordedResult():
                came_ns = record.came_ns or record.at_ns - round(record.age_s * 1e9)
                now = Now(record.at_ns, came_ns + round(record.age_s * 1e9), local(record.at_ns))
                after += decider.decide(record.result, came_ns=came_ns, age_s=record.age_s, now=now)
    return before, after


def differences(before: Iterable[Access], after: Iterable[Access]) -> list[Difference]:
    """Return the visits whose verdict, person or reason differs, in order of time."""
    missing = list(before)
    found: list[Difference] = []
    fresh: list[Access] = []
    for access in after:
        same = next((one for one in missing if one.visit == access.visit), None)
        if same is None:
            fresh.append(access)
        else:
            missing.remove(same)
            found += _compare(same, access)
    for access in fresh:
        near = [one for one in missing if one.camera == access.camera and _apart_ns(one, access) <= MATCH_NS]
        if near:
            same = near[int(np.argmin([_apart_ns(one, access) for one in near]))]
            missing.remove(same)
            found += _compare(same, access)
        else:
            found.append(Difference("newly decided", None, access, access.decided_ns))
    found += [Difference("no longer decided", one, None, one.decided_ns) for one in missing]
    return sorted(found, key=lambda one: one.at_ns)


def _compare(before: Access, after: Access) -> list[Difference]:
    if (before.verdict, before.person) != (after.verdict, after.person):
        return [Difference("other verdict", before, after, before.decided_ns)]
    if before.reason != after.reason:
        return [Difference("other reason", before, after, before.decided_ns)]
    return []


def _apart_ns(one: Access, other: Access) -> int:
    return abs(one.captured_ns - other.captured_ns)
