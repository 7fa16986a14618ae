"""Recorded results decided again: the same settings change nothing, others show what they change."""

import datetime as dt

import msgspec
import pytest

from tests.support.builders import START_NS, a_result, an_access
from tests.support.crowd import ANN, EVE, SETTINGS, STEP_NS, seen
from turnstile.access.decider import Decider, Now
from turnstile.access.replay import (
    AnyRecord,
    RecordedResult,
    RecordedVerdict,
    decode,
    differences,
    replay,
    taken,
    told,
)
from turnstile.errors import WireError
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

LOCAL = dt.datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001 - a local time


def a_decider(settings: DecisionSettings = SETTINGS) -> Decider:
    """Return a decider without rules."""
    return Decider(settings=settings, encoding="dlib-resnet-v1/raw")


def a_recording(*frames: tuple[Face, ...]) -> list[AnyRecord]:
    """Return what a broker records of frames with these faces, ten a second."""
    broker, bodies = a_decider(), []
    for seq, faces in enumerate(frames, 1):
        at_ns = START_NS + seq * STEP_NS
        result = a_result(*faces, seq=seq, captured_ns=at_ns)
        bodies.append(taken(result, came_ns=at_ns, age_s=0.1, at_ns=at_ns))
        now = Now(at_ns, at_ns, LOCAL)
        bodies += map(told, broker.decide(result, came_ns=at_ns, age_s=0.1, now=now))
    return [decode(body) for body in bodies]


DAY = a_recording(
    *[(seen(ANN, distance=0.40),)] * 10,
    *[()] * 25,
    *[(seen(EVE),)] * 10,
    *[()] * 25,
    *[(seen(ANN, margin=0.01),)] * 10,
)
"""Three visits: granted, unknown, ambiguous."""


def test_the_same_settings_change_nothing() -> None:
    """Recording and replaying lose nothing that decides."""
    before, after = replay(DAY, a_decider(), local=lambda _: LOCAL)
    assert [one.verdict for one in before] == ["granted", "denied", "denied"]
    assert before == after
    assert differences(before, after) == []


def test_other_settings_show_what_they_change() -> None:
    """A stricter distance denies, no margin admits, and the stranger stays one."""
    stricter = msgspec.structs.replace(SETTINGS, max_distance=0.38, min_margin=0.0)
    found = differences(*replay(DAY, a_decider(stricter), local=lambda _: LOCAL))
    changed = [
        (one.change, one.before and one.before.verdict, one.after and one.after.verdict) for one in found
    ]
    assert changed == [("other verdict", "granted", "denied"), ("other verdict", "denied", "granted")]


def test_visits_that_are_no_longer_decided_or_only_now_are_named() -> None:
    """A bound that needs more time than there was leaves no verdict."""
    slower = msgspec.structs.replace(SETTINGS, deny_after_votes=40, deny_not_before_s=5.0)
    before, after = replay(DAY, a_decider(slower), local=lambda _: LOCAL)
    assert len(after) == 1
    assert [one.change for one in differences(before, after)] == ["no longer decided"] * 2
    assert [one.change for one in differences(after, before)] == ["newly decided"] * 2


def test_visits_that_begin_in_another_frame_are_compared_by_time() -> None:
    """Settings that link faces otherwise name visits otherwise."""
    before, after = an_access(), msgspec.structs.replace(an_access(), visit="another")
    assert differences([before], [after]) == []
    later_ns = before.decided_ns + 60 * 10**9
    late = msgspec.structs.replace(after, captured_ns=later_ns, decided_ns=later_ns)
    assert [one.change for one in differences([before], [late])] == ["no longer decided", "newly decided"]


def test_recordings_hold_no_picture_and_no_token() -> None:
    """Encodings must be there: faces are linked by them."""
    face = msgspec.structs.replace(seen(ANN), thumbnail=b"jpeg")
    record = decode(taken(a_result(face), came_ns=1, age_s=0.1, at_ns=1))
    assert isinstance(record, RecordedResult)
    assert (record.result.token, record.result.faces[0].thumbnail) == ("", b"")
    assert record.result.faces[0].encoding == face.encoding
    access = decode(told(msgspec.structs.replace(an_access(), thumbnail=b"jpeg")))
    assert isinstance(access, RecordedVerdict)
    assert access.access.thumbnail == b""


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x81\xa1t\xa7taken/1", b"\xff" * 40])
def test_what_is_no_record_is_refused(body: bytes) -> None:
    """One error, whatever is wrong."""
    with pytest.raises(WireError, match="not a record"):
        decode(body)


def test_the_same_verdict_for_another_reason_is_named() -> None:
    """A stranger who becomes ambiguous is still denied."""
    before = msgspec.structs.replace(an_access(), verdict="denied", person=None, reason=Reason.UNKNOWN)
    after = msgspec.structs.replace(before, reason=Reason.AMBIGUOUS)
    assert [one.change for one in differences([before], [after])] == ["other reason"]
