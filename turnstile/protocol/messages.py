"""The protocol: every message on the bus, its topic, and who says it to whom.

A message travels as two ZeroMQ frames, ``[topic, body]``. The body is one MessagePack map with a
versioned tag in ``t`` (``frame/3``); a change that old readers would misread gets a new number. Unknown
fields, unknown tags and values out of range are refused. Topics match by prefix, so each ends in a dot.

=============  ====================  ==========================  =================================
message        said by               leaves the broker on        heard by
=============  ====================  ==========================  =================================
`Frame`        capture               ``frame.<camera>.``         displays and pages of that camera
`Ready`        recognizer            (nobody)                    broker: the recognizer has a credit
`Bye`          recognizer            (nobody)                    broker: no more work, please
`Work`         broker                ``work.<name>.<instance>.`` that one recognizer
`Picture`      broker                ``work.<name>.<instance>.`` that one recognizer: encode for enrolment
`Result`       recognizer            ``result.<camera>.``        displays, anyone
`Template`     recognizer            (nobody)                    broker: the answer to a `Picture`
`Taken`        broker                ``work.<name>.<instance>.`` that one recognizer: need not be repeated
`People`       broker                ``gallery.``, ``work.…``    recognizers, and those that join
`Access`       broker                ``access.<camera>.``        displays, doors, anyone
`Guide`        broker                ``guide.<camera>.``         displays: what people at the door could do
`Fetch`        logger                (nobody)                    broker: events after a number, please
`Log`          broker                ``log.<name>.<instance>.``  that one logger
`Query`        whoever tails         ``query.``                  loggers
`Unlock`       the operator          (nobody)                    broker: end what keeps people out
`Request`      web                   ``request.<logger>.``       broker, or the logger that it is for
`Reply`        broker, logger        ``reply.<asker>.``          the web node that asked
`Entries`      logger                ``entries.<asker>.``        the one who asked
`Beat`         every node            ``status.<node>.``          status, displays, metrics
`Rivals`       broker                ``status.<node>.``          capture: another process has its name
=============  ====================  ==========================  =================================

Ordering: one sender's messages arrive in order, with gaps allowed for `Frame`, `Beat` and `Ready`. `Ready`
is repeated until work comes. A `Work` or `Picture` is answered by one `Result` or `Template` with its token,
repeated until `Taken` (or `Work.taken`) comes; the broker refuses tokens that it did not give.

Clocks: ``*_ns`` are the named machine's nanoseconds since 1970. They may jump: durations use running clocks.
"""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, field

from turnstile.errors import WireError
from turnstile.protocol.envelope import UNREADABLE, Message, another_version
from turnstile.protocol.fields import (
    ENCODING_BYTES,
    MAX_FACES,
    MAX_LABELS,
    Advised,
    Box,
    Count,
    Distance,
    Gauge,
    Hint,
    Label,
    Looks,
    Milliseconds,
    Name,
    Nanoseconds,
    PersonName,
    Seconds,
    Share,
    Size,
    Text,
    Thumbnail,
    Timings,
    Token,
)
from turnstile.protocol.reasons import Reason
from turnstile.protocol.requests import Act, Reply, Request
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import State


class Face(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One face of a frame and its nearest enrolled people; no person when nobody is enrolled."""

    box_px: Box
    person: PersonName | None = None
    distance: Distance | None = None
    """Distance to the nearest encoding of `person`."""
    second_distance: Distance | None = None
    """Distance to the nearest encoding of any other person; `None` if only one person is enrolled."""
    limit: Distance | None = None
    """Largest distance at which `person` is recognised, by the broker; `None` where one holds for all."""
    sharpness: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    """Variance of the Laplacian of the grey face scaled to 100x100 pixels; below about 50 is blurred."""
    encoding: Annotated[bytes, Meta(max_length=ENCODING_BYTES)] = b""
    """Little-endian float32 `(128,)`, for the broker, which does not publish it; may be empty."""
    thumbnail: Thumbnail = b""
    """For the broker, which publishes it with a decision only; may be empty."""
    turn: Distance | None = None
    """As `Looks.turn`; `None` from a recognizer that does not measure it. For the broker."""
    alive: Share | None = None
    """How likely the face itself is before the camera, if asked (`Work.check_alive`). For the broker."""
    unread: bool = False
    """Found, not encoded: the frame has too many faces, or the broker wanted no more (`Hint.find_only`)."""


class Frame(Message, frozen=True, kw_only=True, tag="frame/3"):
    """One picture of a camera."""

    camera: Name
    instance: Name
    """The capture process: two of one camera's name are told apart by it."""
    seq: Count
    captured_ns: Nanoseconds
    """Capture machine's clock, when the picture left the camera."""
    width_px: Size
    height_px: Size
    jpeg: bytes
    """Baseline JPEG; the broker refuses anything else by its header."""
    change: Share | None = None
    """Share of the picture that differs from its slow background; `None` where that is not known."""


class EarlierFrame(Frame, frozen=True, kw_only=True, tag="frame/2"):
    """A frame of a capture node that measures no change yet; it is read as any other."""


class Ready(Message, frozen=True, kw_only=True, tag="ready/1"):
    """A recognizer takes `credits` pieces of work at a time, as a `Result` says too, and has this gallery."""

    name: Name
    instance: Name
    credits: Annotated[int, Meta(ge=1, le=64)] = 1
    gallery_version: Text = ""


class Bye(Message, frozen=True, kw_only=True, tag="bye/1"):
    """A recognizer stops: what it holds is done or will not be."""

    name: Name
    instance: Name


class Work(Message, frozen=True, kw_only=True, tag="work/3"):
    """A frame to recognize; the answer is a `Result` with the same token within `lease_s`."""

    token: Token
    lease_s: Seconds
    camera: Name
    seq: Count
    captured_ns: Nanoseconds
    waited_ms: Milliseconds
    """How long the frame lay in the broker before it was handed out."""
    jpeg: bytes
    hint: Hint | None = None
    check_alive: bool = False
    """Whether `Face.alive` is wanted."""
    taken: Token = ""


class Picture(Message, frozen=True, kw_only=True, tag="picture/1"):
    """An enrolment picture to encode; the answer is a `Template` with the same token."""

    token: Token
    lease_s: Seconds
    file: Annotated[str, Meta(max_length=1000)]
    data: bytes


class Result(Message, frozen=True, kw_only=True, tag="result/6"):
    """What a recognizer saw in a frame; published without some of it (`turnstile.protocol.public`)."""

    token: Token
    name: Name
    """The recognizer's; ``broker`` for an empty scene that has not changed and needed none."""
    instance: Name
    camera: Name
    seq: Count
    captured_ns: Nanoseconds
    gallery_version: Text
    faces: Annotated[tuple[Face, ...], Meta(max_length=MAX_FACES)]
    timings: Timings
    waited_ms: Milliseconds = 0.0
    full_scan: bool = True
    """False when only the surroundings of hinted faces were searched."""
    problem: Text = ""
    """Why the frame could not be recognized; empty when it was."""
    credits: Annotated[int, Meta(ge=0, le=64)] = 0


class EarlierResult(Result, frozen=True, kw_only=True, tag="result/5"):
    """A result of a recognizer that measures no turn yet; it is read as any other."""


class Template(Message, frozen=True, kw_only=True, tag="template/2"):
    """The encoding of an enrolment picture, or why there is none."""

    token: Token
    name: Name
    instance: Name
    engine: Text
    """Which engine and policy made it; only encodings of one such name may be compared."""
    encoding: Annotated[bytes, Meta(max_length=ENCODING_BYTES)] = b""
    """Little-endian float32 `(128,)`; empty when there is a problem."""
    looks: Looks | None = None
    problem: Text = ""


class Taken(Message, frozen=True, kw_only=True, tag="taken/1"):
    """The broker has received a `Result` or `Template`, in time or not; `Work.taken` says the same."""

    token: Token


class People(Message, frozen=True, kw_only=True, tag="people/1"):
    """The whole gallery: everyone enrolled."""

    version: Text
    engine: Text
    persons: tuple[PersonName, ...]
    owners: tuple[Count, ...]
    """For each encoding, the index of its person in `persons`."""
    encodings: bytes
    """Little-endian float32 `(len(owners), 128)`."""


Verdict = Literal["granted", "denied"]


class Access(Message, frozen=True, kw_only=True, tag="access/3"):
    """One decision about one visit of one person; sent once."""

    source: Token
    """Which journal numbered it; a new journal starts a new source."""
    seq: Count
    """Without gaps within a source, from 1."""
    camera: Name
    verdict: Verdict
    reason: Reason
    person: PersonName | None
    """Who was recognised, granted or not; `None` means unknown."""
    distance: Distance | None
    """To the nearest enrolled person, in the frame with the smallest of those that gave the reason."""
    margin: Annotated[float, Meta(ge=-4, le=4)] | None = None
    """How much farther the second-best person was in that frame; `None` if there is no second."""
    max_distance: Distance | None = None
    """The largest distance that counted as that person in that frame."""
    nearest: PersonName | None = None
    """Who that was, of somebody not recognised. For loggers; the broker does not publish it."""
    votes: Count
    of: Count
    """A grant: so many of the last votes agreed. A denial: so many of all frames gave the reason."""
    visit: Text
    decided_ns: Nanoseconds
    captured_ns: Nanoseconds
    """Capture machine's clock: the frame that decided."""
    frame_seq: Count
    recognizer: Name
    box_px: Box | None = None
    expires_ns: Nanoseconds = 0
    """Broker's clock: when a grant ends, for people; 0 for a denial."""
    valid_s: Seconds = 0.0
    """How long after it is published an actuator may act on a grant, by a clock that runs; 0 for a denial."""
    encoding: Text = ""
    """Which weights and policy made the distances, such as ``dlib-resnet-v1/raw``."""
    gallery_version: Text = ""
    config_hash: Text = ""
    """Names the settings and rules that decided."""
    thumbnail: Thumbnail = b""
    """The face that decided."""


class Guide(Message, frozen=True, kw_only=True, tag="guide/1"):
    """What people at a door could do now; sent when it changes and repeated, empty to take back the last."""

    camera: Name
    captured_ns: Nanoseconds
    """Capture machine's clock: the frame it was taken from."""
    frame_seq: Count
    advice: Annotated[tuple[Advised, ...], Meta(max_length=MAX_FACES + 1)]


class Fetch(Message, frozen=True, kw_only=True, tag="fetch/2"):
    """A logger asks for the events after the last one it has; it repeats this until they come."""

    name: Name
    instance: Name
    source: Token
    """The source of the last event it has; empty when it has none."""
    after_seq: Count
    visit: Text = ""
    """The visit of that event; empty when it is not known."""


class Log(Message, frozen=True, kw_only=True, tag="log/2"):
    """Journalled events in order, numbered without gaps from `next_seq`."""

    source: Token
    after_seq: Count
    """How far the logger is in this source, by what its `Fetch` said."""
    next_seq: Count
    """Events between `after_seq` and this one will never come."""
    events: Annotated[tuple[Access | Act, ...], Meta(max_length=1000)]
    repeats_to: Count = 0
    """Events up to this number may have been told under another source: their visits tell."""
    reason: Text = ""
    """Why the source began; empty for a journal's first."""
    refused: Text = ""
    """Why the logger gets nothing; then nothing else here counts."""


class Query(Message, frozen=True, kw_only=True, tag="query/1"):
    """Someone asks a logger for entries: the last `last`, or those after `cursor`."""

    asker: Name
    last: Annotated[int, Meta(ge=0, le=10_000)] = 10
    cursor: Count | None = None
    """From an earlier `Entries`; when given, `last` does not count."""
    log: Text = ""
    """The log that `cursor` is of; a cursor of another log starts again with the last `last`."""


class Unlock(Message, frozen=True, kw_only=True, tag="unlock/1"):
    """The operator ends what keeps people out; the broker's beat then no longer tells of it."""

    asker: Name
    camera: Name | None = None
    """The door whose lockout ends; `None` when the broker's clock is right though it seems to be behind."""


class Entries(Message, frozen=True, kw_only=True, tag="entries/1"):
    """Lines of the access log, oldest first."""

    asker: Name
    logger: Name
    log: Text
    cursor: Count
    lines: Annotated[tuple[Text, ...], Meta(max_length=10_000)]
    more: bool = False
    """True when there are further entries after `cursor` already."""


class Beat(Message, frozen=True, kw_only=True, tag="beat/2"):
    """A node is alive: its work loop turned. Sent about once a second, with its counters."""

    node: Name
    instance: Name
    role: NodeRole
    host: Text
    pid: Count
    version: Text
    uptime_s: Seconds
    state: State = State.LIVE
    detail: Text = ""
    """Why, for people: ``read timed out after 5 s``."""
    counts: Annotated[dict[Label, Count], Meta(max_length=MAX_LABELS)] = field(default_factory=dict)
    """Totals since the node started: ``frames_in``, ``dropped_no_credit``."""
    gauges: Annotated[dict[Label, Gauge], Meta(max_length=MAX_LABELS)] = field(default_factory=dict)
    """Values now: ``fps_out``, ``queue_age_ms``."""
    age_s: Seconds = 0.0
    """0 when live; when the broker replays a node's last beat to a newcomer, how old it is."""


class Rivals(Message, frozen=True, kw_only=True, tag="rivals/1"):
    """Two capture processes have one camera's name; the frames of the one that came second are refused."""

    node: Name
    served: Name
    refused: Name


_OfNodes = Frame | Ready | Bye | Result | Template | Fetch | Query | Entries | Unlock | Request | Reply | Beat
_OfTheBroker = Work | Picture | Taken | People | Access | Guide | Log | Rivals
AnyMessage = _OfNodes | _OfTheBroker

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(
    AnyMessage | EarlierFrame | EarlierResult
)
ALL_MESSAGES: tuple[type[Message], ...] = get_args(AnyMessage)

_TAGS = [str(one.__struct_config__.tag) for one in ALL_MESSAGES]


def encode(message: Message) -> bytes:
    """Return the body of a message."""
    return _encoder.encode(message)


def decode(body: bytes | memoryview) -> AnyMessage:
    """Return the message in a body.

    Raises:
        WireError: it is none of ours, or a value is out of range; the text names the path of the value.
    """
    try:
        return _decoder.decode(body)
    except UNREADABLE as error:
        raise WireError(another_version(body, _TAGS) or f"not a Turnstile message: {error}") from error
