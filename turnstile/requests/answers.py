"""What the broker and loggers answer to a wish."""

from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import WireError
from turnstile.protocol.envelope import UNREADABLE
from turnstile.protocol.fields import (
    Count,
    Distance,
    Looks,
    Name,
    Nanoseconds,
    PersonName,
    Share,
    Text,
    Thumbnail,
)
from turnstile.protocol.messages import Verdict

Words = Annotated[str, Meta(max_length=4000)]


class WishAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    """What all answers share: immutable, tagged, no unknown fields."""


class RefusedWish(WishAnswer, frozen=True, kw_only=True, tag="refused"):
    """Nothing was changed."""

    problem: Words
    """For people: what is wrong, and what would be valid."""
    forbidden: bool = False
    """The account may not want this."""
    may_anyway: bool = False
    """The same wish with `anyway` would be done."""


class Done(WishAnswer, frozen=True, kw_only=True, tag="done"):
    """It is done and on record."""

    words: Words
    """What was done, for people."""
    undo: Text = ""
    """By this `wishes.UndoEnrolment` takes it back; empty: it does not."""


class VisitEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the log."""

    number: Count
    event: Text
    camera: Name
    verdict: Verdict
    reason: Text
    person: str | None
    """A name, or the pseudonym of somebody erased; `None`: not recognised."""
    nearest: str | None = None
    """Who was nearest, of somebody not recognised."""
    distance: Distance | None = None
    margin: Annotated[float, Meta(ge=-4, le=4)] | None = None
    max_distance: Distance | None = None
    votes: Count
    of: Count
    visit: Text
    decided_ns: Nanoseconds
    recognizer: Text = ""
    encoding: Text = ""
    gallery_version: Text = ""
    config_hash: Text = ""
    picture: Thumbnail = b""
    hash: Text = ""
    """Of the entry in the chain, in hexadecimal digits."""


class ActEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody did or what happened to the log, on record between the visits."""

    number: Count
    at_ns: Nanoseconds
    words: Words


class VisitsFound(WishAnswer, frozen=True, kw_only=True, tag="visits"):
    """Entries, newest first."""

    logger: Name
    visits: tuple[VisitEntry, ...]
    acts: tuple[ActEntry, ...] = ()
    """Those between the visits, where nothing restricts."""
    more: bool = False


class LastSeenFound(WishAnswer, frozen=True, kw_only=True, tag="last-seen"):
    """Name → when, where, and which event."""

    people: dict[str, tuple[Nanoseconds, Name, Text]]


class HelpfulVisit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A granted visit whose picture may be enrolled."""

    event: Text
    camera: Name
    at_ns: Nanoseconds
    digest: Text
    """SHA-256 of its picture, in hexadecimal digits."""


class HelpfulFound(WishAnswer, frozen=True, kw_only=True, tag="helpful"):
    """Name, as it was asked for → visits, the newest last; nobody without any."""

    people: dict[str, tuple[HelpfulVisit, ...]]


class ChainFound(WishAnswer, frozen=True, kw_only=True, tag="chain"):
    """How far a log is."""

    logger: Name
    head_number: Count
    head_hash: Text
    verified_ns: Nanoseconds = 0
    """When it was verified last; 0: not since the logger started."""
    problems: tuple[Words, ...] = ()
    """What was found wrong then."""


class EnrolledPictureState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the faces folder."""

    file: Text
    state: Text
    """``used``, ``weak``, ``not used`` or ``waiting``."""
    digest: Text = ""
    """SHA-256, in hexadecimal digits."""
    reason: Words = ""
    looks: Looks | None = None


class PersonEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody enrolled."""

    person: PersonName
    pictures: tuple[EnrolledPictureState, ...]
    limit: Distance | None = None
    """Largest distance at which they are recognised."""
    closest: PersonName | None = None
    closest_distance: Distance | None = None
    rejection: Share | None = None
    """Share of their own frames expected to be refused; `None`: one picture says nothing of it."""
    anchors: tuple[Text, ...] = ()
    """Events that were not of them."""
    blocked: bool = False
    from_day: Text = ""
    until_day: Text = ""
    doors: tuple[Name, ...] = ()
    """Which they may use at some time."""
    hint: Words = ""
    """What would help: more pictures. `wishes.FindHelpful` finds visits to take them from."""


class PeopleFound(WishAnswer, frozen=True, kw_only=True, tag="people"):
    """Everybody enrolled."""

    people: tuple[PersonEntry, ...]
    unused: tuple[EnrolledPictureState, ...] = ()
    """Files that name nobody."""
    own_distances: tuple[Distance, ...] = ()
    """Between two pictures of one person, at most 2,000."""
    other_distances: tuple[Distance, ...] = ()
    """Between pictures of two people, the smallest of at most 2,000 people."""
    max_distance: Distance | None = None
    stranger_rate: Share | None = None
    """Share of strangers who would be taken for somebody, as measured for such a gallery."""


class PictureFound(WishAnswer, frozen=True, kw_only=True, tag="picture"):
    """An enrolment picture as a JPEG of at most 320 pixels."""

    jpeg: bytes


class PictureJudged(WishAnswer, frozen=True, kw_only=True, tag="judged"):
    """What enrolment would say of a picture."""

    problem: Words = ""
    """Why it would be refused; empty: it would be kept."""
    may_anyway: bool = False
    weaknesses: Words = ""
    looks: Looks | None = None
    closest: PersonName | None = None
    closest_distance: Distance | None = None


class UnknownPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Visits that show one face, of nobody enrolled."""

    id: Text
    """Holds while their newest visit is kept."""
    visits: Count
    cameras: tuple[Name, ...]
    first_ns: Nanoseconds
    last_ns: Nanoseconds
    events: tuple[Text, ...]
    """The newest, at most 20."""
    picture: Thumbnail
    """The best."""
    nearest: PersonName | None = None
    distance: Distance | None = None
    ignored: bool = False


class UnknownsFound(WishAnswer, frozen=True, kw_only=True, tag="unknowns"):
    """Newest first."""

    unknowns: tuple[UnknownPerson, ...]
    keep_days: Annotated[float, Meta(ge=0)]
    more: bool = False


class RulesFound(WishAnswer, frozen=True, kw_only=True, tag="rules"):
    """The rules file."""

    text: str
    """Empty where there is no file."""
    version: Text
    """Changes whenever the file does."""
    path: Text
    problem: Words = ""
    """Why the file as it is is not used."""
    absent: Words = ""
    may_undo: bool = False
    timezone: Text = ""
    """As `ZoneFound` has it."""
    now_ns: Nanoseconds = 0
    """Broker's clock."""


class ZoneFound(WishAnswer, frozen=True, kw_only=True, tag="zone"):
    """The time zone of the rules, or of the broker's machine where they name none."""

    timezone: Text
    """Such as ``Europe/Vienna``; empty if nobody can tell."""


AnyAnswer = (
    RefusedWish
    | Done
    | VisitsFound
    | LastSeenFound
    | HelpfulFound
    | ChainFound
    | PeopleFound
    | PictureFound
    | PictureJudged
    | UnknownsFound
    | RulesFound
    | ZoneFound
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyAnswer] = msgspec.msgpack.Decoder(AnyAnswer)


def encode_answer(answer: AnyAnswer) -> bytes:
    """Return an answer as it travels."""
    return _encoder.encode(answer)


def decode_answer(body: bytes) -> AnyAnswer:
    """Return the answer in a body.

    Raises:
        WireError: it is none, or a value is out of range.
    """
    try:
        return _decoder.decode(body)
    except UNREADABLE as error:
        raise WireError(f"not an answer: {error}") from error
