"""The protocol: its bytes are pinned, and nothing that is not a valid message gets through."""

import json
import math
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import (
    a_beat,
    a_box,
    a_face,
    a_frame,
    a_picture,
    a_ready,
    a_result,
    a_template,
    a_work,
    an_access,
    some_looks,
    some_people,
)
from turnstile.errors import WireError
from turnstile.protocol.envelope import Message
from turnstile.protocol.fields import ENCODING_BYTES, MAX_FACES, MAX_LABELS, Advised, Hint
from turnstile.protocol.messages import (
    ALL_MESSAGES,
    Beat,
    Bye,
    Entries,
    Fetch,
    Frame,
    Guide,
    Log,
    Query,
    Result,
    Rivals,
    Taken,
    Unlock,
    decode,
    encode,
)
from turnstile.protocol.public import for_everybody
from turnstile.protocol.reasons import Advice
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.state import State
from turnstile.protocol.topics import log_topic, topic, work_topic
from turnstile.requests.answers import Done, encode_answer
from turnstile.requests.wishes import ReadPeople, encode_wish

GOLDEN = Path(__file__).with_name("golden_messages.json")
"""Tag → body in hexadecimal. A body that changes is another version of the message: give it a new tag."""

ONE = b"\x00\x00\x80\x3f"
"""1.0 as little-endian float32."""

EXAMPLES: list[Message] = [
    msgspec.structs.replace(a_frame(jpeg=b"\xff\xd8\xff\xd9"), change=0.25),
    a_ready(gallery_version="v1"),
    Bye(name="recognizer-1", instance="recognizer-1-a1b2c3d4"),
    msgspec.structs.replace(
        a_work(
            a_frame(jpeg=b"\xff\xd8\xff\xd9"),
            hint=Hint(boxes_px=(a_box(),), age_s=0.25, frames_since_full_scan=2, find_only=(0,)),
        ),
        check_alive=True,
        taken="00ff",
    ),
    a_picture(),
    msgspec.structs.replace(
        a_result(msgspec.structs.replace(a_face(), turn=0.25, alive=0.75), a_face(None), problem="a problem"),
        credits=1,
    ),
    msgspec.structs.replace(a_template(encoding=128 * ONE), looks=some_looks()),
    Taken(token="00ff"),
    msgspec.structs.replace(some_people(), persons=("Ann", "Bob"), owners=(0, 1, 1), encodings=3 * 128 * ONE),
    an_access(),
    Guide(
        camera="front_door",
        captured_ns=5,
        frame_seq=1,
        advice=(Advised(advice=Advice.COME_CLOSER, box_px=a_box()), Advised(advice=Advice.WAIT)),
    ),
    Fetch(name="log", instance="log-a1b2c3d4", source="aaaa", after_seq=17, visit="front_door-17"),
    Log(
        source="aaaa",
        after_seq=0,
        next_seq=1,
        events=(an_access(1), an_access(2, verdict="denied", person=None)),
        repeats_to=1,
        reason="the journal was put back from a copy",
    ),
    Query(asker="tail-1", last=5, cursor=3, log="aaaa"),
    Entries(asker="tail-1", logger="log", log="aaaa", cursor=3, lines=("one", "two"), more=True),
    a_beat(),
    Unlock(asker="operator-a1b2c3d4", camera="front_door"),
    Rivals(node="front_door", served="front_door-a1b2c3d4", refused="front_door-00000000"),
    Request(
        asker="web-a1b2c3d4",
        token="00ff",
        to="broker",
        by="Ann",
        role="clerk",
        doors=("front_door",),
        wish=encode_wish(ReadPeople()),
    ),
    Reply(asker="web-a1b2c3d4", token="00ff", sender="broker", answer=encode_answer(Done(words="done"))),
]

examples = pytest.mark.parametrize("message", EXAMPLES, ids=lambda one: type(one).__name__)

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=20),
        st.binary(max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


def tag(message: Message | type[Message]) -> str:
    """Return the versioned tag that stands in a message's body."""
    return str(message.__struct_config__.tag)


def body_with(message: Message, **changed: object) -> bytes:
    """Return the body of a message with fields set to values that its type may not allow."""
    fields = msgspec.msgpack.decode(encode(message))
    return msgspec.msgpack.encode(fields | changed)


def numbers(value: object) -> list[float]:
    """Return all floats inside a value, however deep."""
    if isinstance(value, float):
        return [value]
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers(inner)]
    return []


def test_every_message_is_pinned() -> None:
    """A new message comes with its golden bytes, and a changed tag with new ones."""
    tags = {tag(kind) for kind in ALL_MESSAGES}
    assert {tag(message) for message in EXAMPLES} == tags
    assert set(json.loads(GOLDEN.read_text())) == tags
    assert all(re.fullmatch(r"[a-z]+/[0-9]+", one) for one in tags)


@examples
def test_the_bytes_of_a_message_do_not_change(message: Message) -> None:
    """Nodes of different releases on one bus read each other."""
    assert encode(message).hex() == json.loads(GOLDEN.read_text())[tag(message)]


@examples
def test_golden_bytes_are_read(message: Message) -> None:
    """What was written once can be read."""
    assert decode(bytes.fromhex(json.loads(GOLDEN.read_text())[tag(message)])) == message


@examples
def test_a_message_of_another_version_is_refused(message: Message) -> None:
    """Both versions are named, so that whoever reads the log knows which node to renew."""
    name, version = tag(message).split("/")
    said = f"^a {name} of version 999; this node speaks version {version}$"
    with pytest.raises(WireError, match=said):
        decode(body_with(message, t=f"{name}/999"))


def test_a_frame_of_a_camera_that_measures_no_change_is_read() -> None:
    """Cameras are renewed one by one: those of version 2 are served as before."""
    fields = msgspec.msgpack.decode(encode(a_frame())) | {"t": "frame/2"}
    del fields["change"]
    read = decode(msgspec.msgpack.encode(fields))
    assert isinstance(read, Frame)
    assert (read.jpeg, read.change) == (a_frame().jpeg, None)


def test_a_result_of_a_recognizer_that_measures_no_turn_is_read() -> None:
    """Recognizers are renewed one by one: to those of version 5 all heads are straight."""
    fields = msgspec.msgpack.decode(encode(a_result(a_face()))) | {"t": "result/5"}
    del fields["faces"][0]["turn"]
    read = decode(msgspec.msgpack.encode(fields))
    assert isinstance(read, Result)
    assert read.faces == (a_face(),)


def test_a_beat_with_a_sentence_for_its_state_is_refused() -> None:
    """As nodes of version 1 sent it."""
    with pytest.raises(WireError, match=r"^a beat of version 1; this node speaks version 2$"):
        decode(body_with(a_beat(), t="beat/1", state="lost: read timed out after 5 s"))


@examples
def test_an_unknown_field_is_refused(message: Message) -> None:
    """Its name is in the error."""
    with pytest.raises(WireError, match="surprise"):
        decode(body_with(message, surprise=1))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_are_a_message(body: bytes) -> None:
    """There is one way out besides a message: WireError."""
    try:
        message = decode(body)
    except WireError:
        return
    assert isinstance(message, ALL_MESSAGES)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_damaged_message_is_refused_or_is_a_message(message: Message, data: st.DataObject) -> None:
    """Bytes changed, cut off or added behind."""
    body = bytearray(encode(message))
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode(
            bytes(body[: data.draw(st.integers(0, len(body)))]) + data.draw(st.binary(max_size=4))
        )
    except WireError:
        return
    assert decode(encode(decoded)) == decoded


@given(st.sampled_from(EXAMPLES), st.data())
def test_what_is_decoded_can_be_sent_on(message: Message, data: st.DataObject) -> None:
    """Any value in any field: refused, or a valid message with finite numbers."""
    field = data.draw(st.sampled_from(sorted(msgspec.msgpack.decode(encode(message)))))
    body = body_with(message, **{field: data.draw(values)})
    try:
        decoded = decode(body)
    except WireError:
        return
    assert decode(encode(decoded)) == decoded
    assert all(map(math.isfinite, numbers(msgspec.msgpack.decode(encode(decoded)))))


@given(st.text(max_size=70))
def test_a_name_cannot_leave_its_place_in_a_topic(name: str) -> None:
    """Letters, digits, ``_`` and ``-`` only: no dot, no space, no line's end."""
    body = body_with(Bye(name="a", instance="b"), name=name)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        assert decode(body) == Bye(name=name, instance="b")
    else:
        with pytest.raises(WireError, match="name"):
            decode(body)


@pytest.mark.parametrize(
    "name", ["front\n", "front.", "", "-front", "fr\0nt", "a" * 64, "frönt", "front door"]
)
def test_names_that_would_do_harm_are_refused(name: str) -> None:
    """Also the line's end that ``$`` in a regular expression lets pass."""
    for message, field in ((a_frame(), "camera"), (Query(asker="a"), "asker"), (a_ready(), "instance")):
        with pytest.raises(WireError, match=field):
            decode(body_with(message, **{field: name}))


@pytest.mark.parametrize(
    "person", ["", "a\nb", "a\x1b[2Jb", "a\x7f", "a\x9bb", "a\u2028b", "a\u202eb", "a" * 201]
)
def test_a_person_is_not_called_what_steers_a_terminal(person: str) -> None:
    """Names go into logs and onto screens."""
    with pytest.raises(WireError, match="person"):
        decode(body_with(an_access(), person=person))


@given(st.text("abcdefghijklmnopqrstuvwxyzäöüßéñøçłŁ 'áÅ陳大文אבגд-.", min_size=1, max_size=200))
def test_people_are_called_what_they_like(person: str) -> None:
    """Letters of any script."""
    decoded = decode(body_with(an_access(), person=person))
    assert getattr(decoded, "person", None) == person


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1e10, 2**63, "1.0", None, True])
def test_times_are_finite_and_not_negative(value: object) -> None:
    """A number that is none would compare as it likes."""
    for message, field in ((a_work(), "waited_ms"), (a_beat(), "uptime_s"), (a_picture(), "lease_s")):
        with pytest.raises(WireError, match=field):
            decode(body_with(message, **{field: value}))


@pytest.mark.parametrize("value", [-1, 2**63, 2**64 - 1, 1.5, math.nan, "1", None])
def test_counts_fit_into_63_bits(value: object) -> None:
    """Whoever stores them may rely on it."""
    for message, field in ((a_frame(), "seq"), (a_frame(), "captured_ns"), (an_access(), "votes")):
        with pytest.raises(WireError, match=field):
            decode(body_with(message, **{field: value}))


@pytest.mark.parametrize("distance", [math.nan, -0.01, 4.01, math.inf])
def test_a_distance_is_a_distance(distance: float) -> None:
    """NaN under a limit would be neither granted nor denied."""
    face = msgspec.to_builtins(a_face()) | {"distance": distance}
    face |= {"encoding": b"", "thumbnail": b""}
    with pytest.raises(WireError, match="distance"):
        decode(body_with(a_result(), faces=[face]))


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        (
            a_result(),
            "faces",
            [msgspec.to_builtins(a_face(None)) | {"thumbnail": b"", "encoding": b""}] * (MAX_FACES + 1),
        ),
        (a_beat(), "counts", {f"count_{at}": at for at in range(MAX_LABELS + 1)}),
        (a_beat(), "gauges", {"a" * 65: 1.0}),
        (a_beat(), "detail", "a" * 501),
        (a_beat(), "state", "asleep"),
        (a_ready(), "credits", 0),
        (a_ready(), "credits", 65),
        (Query(asker="a"), "last", 10_001),
        (msgspec.structs.replace(a_template(), looks=some_looks()), "encoding", bytes(ENCODING_BYTES + 1)),
        (a_frame(), "width_px", 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else str(value)[:12],
)
def test_sizes_are_bounded(message: Message, field: str, value: object) -> None:
    """Nobody can make others keep as much as he likes."""
    with pytest.raises(WireError, match=field):
        decode(body_with(message, **{field: value}))


@pytest.mark.parametrize("nested", [b"\x91" * 10_000, b"\x81\xa1a" * 10_000, b"\x81\xa1t" * 10_000])
def test_deep_nesting_is_refused(nested: bytes) -> None:
    """Not a crash of the one who decodes it."""
    with pytest.raises(WireError):
        decode(nested + b"\x00")


def test_an_error_names_the_path() -> None:
    """Of the value inside the message."""
    beat = body_with(a_beat(), counts={"frames_in": -1})
    with pytest.raises(WireError, match=r"^not a Turnstile message: .*counts"):
        decode(beat)


def test_a_published_result_carries_nothing_of_a_face_but_its_place_and_name() -> None:
    """Token, encodings, thumbnails and what the network for liveness said are the broker's."""
    face = msgspec.structs.replace(a_face(), encoding=128 * ONE, thumbnail=b"jpeg", turn=0.5, alive=0.5)
    far = a_face(distance=0.51)
    published = for_everybody(a_result(face, far, token="abcd"), max_distance=0.5)
    assert published == a_result(a_face(), msgspec.structs.replace(far, person=None), token="")


def test_topics_end_in_a_dot() -> None:
    """`status.door.` is not heard by who asks for `status.door_2.`."""
    assert work_topic("a", "a-1") == "work.a.a-1."
    assert log_topic("a", "a-1") == "log.a.a-1."
    assert topic("frame", "front_door") == "frame.front_door."


def test_a_beat_need_not_carry_counters() -> None:
    """Fields with a default may be left out by other implementations."""
    needed = {
        "t": "beat/2",
        "node": "a",
        "instance": "a-1",
        "role": "observer",
        "host": "",
        "pid": 1,
        "version": "",
        "uptime_s": 0.0,
    }
    decoded = decode(msgspec.msgpack.encode(needed))
    assert isinstance(decoded, Beat)
    assert (decoded.counts, decoded.gauges, decoded.state, decoded.age_s) == ({}, {}, State.LIVE, 0.0)
