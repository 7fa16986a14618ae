"""Recorded results, folded again with other settings: which verdicts would be others.

A recording holds what reached the decision: results with their encodings and without pictures, how late
each was, and the verdicts given. Pure: a recording comes in as records, whoever read them.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from turnstile.access.decider import Decider, Now
from turnstile.errors import WireError
from turnstile.protocol.fields import Nanoseconds, Seconds
from turnstile.protocol.messages import Access, Result

MATCH_NS = 5_000_000_000
"""Verdicts on visits that began in another frame are compared when they are no further apart."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    """What one entry of a recording has in common with the others."""

    at_ns: Nanoseconds
    """Broker's clock."""


class RecordedResult(Recorded, frozen=True, kw_only=True, tag="taken/1"):
    """A result that the broker decided upon."""

    age_s: Seconds
    result: Result


class RecordedVerdict(Recorded, frozen=True, kw_only=True, tag="told/1"):
    """A verdict given then."""

    access: Access


AnyRecord = RecordedResult | RecordedVerdict

Change = Literal["other verdict", "other reason", "no longer decided", "newly decided"]


class Difference(NamedTuple):
    """A visit on which another verdict is given."""

    change: Change
    before: Access | None
    after: Access | None
    at_ns: int
    """Broker's clock: when it was decided upon then, or would be now."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)


def taken(result: Result, *, age_s: float, at_ns: int) -> bytes:
    """Return a result as it is recorded: without its token and thumbnails."""
    faces = tuple(msgspec.structs.replace(face, thumbnail=b"") for face in result.faces)
    bare = msgspec.structs.replace(result, token="", faces=faces)
    return _encoder.encode(RecordedResult(at_ns=at_ns, age_s=age_s, result=bare))


def told(access: Access) -> bytes:
    """Return a verdict as it is recorded: without its thumbnail."""
    bare = msgspec.structs.replace(access, thumbnail=b"")
    return _encoder.encode(RecordedVerdict(at_ns=access.decided_ns, access=bare))


def decode(body: bytes) -> AnyRecord:
    """Return a record.

    Raises:
        WireError: it is none.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as error:
        raise WireError(f"not a record of results: {error}") from error


def replay(
    records: Iterable[AnyRecord], decider: Decider, *, local: Callable[[int], dt.datetime]
) -> tuple[list[Access], list[Access]]:
    """Return the verdicts given then, and those that `decider` gives on the same results.

    Args:
        records: in the order recorded.
        decider: with the settings and rules to try, and no doors open yet.
        local: the time of the rules at a time of the broker's clock, in nanoseconds.
    """
    before: list[Access] = []
    after: list[Access] = []
    for record in records:
        match record:
            case RecordedVerdict():
                before.append(record.access)
            case RecordedResult():
                now = Now(record.at_ns, record.at_ns, local(record.at_ns))
                after += decider.decide(record.result, age_s=record.age_s, now=now)
    return before, after


def differences(before: Iterable[Access], after: Iterable[Access]) -> list[Difference]:
    """Return the visits whose verdict, person or reason is another, in the order of time."""
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
