"""What an account of the web node can want. Each wish is answered by one of `turnstile.requests.answers`.

A wish travels as MessagePack in a `Request`. `FindVisits`, `FindLastSeen`, `FindHelpful` and `ReadChain` are
for a logger, all others for the broker. A change is on record in the log's chain before its answer is sent.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import WireError
from turnstile.protocol.envelope import UNREADABLE
from turnstile.protocol.fields import Count, Name, PersonName, Text, Token
from turnstile.protocol.messages import Verdict

MAX_PICTURE_BYTES = 7_900_000
"""The broker takes no larger message; `turnstile.vision.shrinking` makes pictures smaller."""
MAX_RULES_CHARS = 1_000_000
MAX_VISITS = 200

FileName = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\A[^\\\x00-\x1f\x7f]+\Z")]
"""A picture's path below the faces folder, as `answers.EnrolledPictureState.file` has it."""
EventName = Annotated[str, Meta(pattern=r"\A[0-9a-f]{1,32}:[0-9]{1,18}\Z")]
"""As at the end of a line of the log: source and number, which a database holds."""
UnknownIds = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=1000)]


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    """What all wishes share: immutable, tagged, no unknown fields."""


class FindVisits(Wish, frozen=True, kw_only=True, tag="find-visits"):
    """Entries of the log, newest first; a field that is `None` does not restrict."""

    person: Annotated[str, Meta(max_length=200)] | None = None
    """In any case; ``unknown`` is everybody who was not recognised."""
    camera: Name | None = None
    verdict: Verdict | None = None
    reason: Text | None = None
    since_ns: Count | None = None
    until_ns: Count | None = None
    """Exclusive."""
    event: EventName | None = None
    before: Count | None = None
    """Only entries with a smaller number in the log, to page."""
    at_most: Annotated[int, Meta(ge=1, le=MAX_VISITS)] = 50
    pictures: bool = True


class FindLastSeen(Wish, frozen=True, kw_only=True, tag="find-last-seen"):
    """When each person was granted entry last, and where."""


class FindHelpful(Wish, frozen=True, kw_only=True, tag="find-helpful"):
    """Recent granted visits of some people whose pictures would help to recognise them."""

    people: Annotated[tuple[PersonName, ...], Meta(max_length=10_000)]
    min_face_px: Count = 0
    """Width of the smallest face that is enrolled."""


class ReadChain(Wish, frozen=True, kw_only=True, tag="read-chain"):
    """How far the log is, and what its last verification found."""


class ReadPeople(Wish, frozen=True, kw_only=True, tag="read-people"):
    """Everybody enrolled, with pictures, limits, anchors and what the distances promise."""


class ReadPicture(Wish, frozen=True, kw_only=True, tag="read-picture"):
    """An enrolment picture, made small."""

    file: FileName


class JudgePicture(Wish, frozen=True, kw_only=True, tag="judge-picture"):
    """Look at a picture as enrolment does, and keep nothing."""

    person: PersonName | None = None
    data: Annotated[bytes, Meta(max_length=MAX_PICTURE_BYTES)]


class SeenVisit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A visit, and whom it was of as the log has it."""

    event: EventName
    person: Annotated[str, Meta(max_length=200)] | None
    """`None`: nobody who was recognised."""


class EnrolPicture(Wish, frozen=True, kw_only=True, tag="enrol-picture"):
    """Keep a picture for a person, if it is good enough and nobody else's."""

    person: PersonName
    data: Annotated[bytes, Meta(max_length=MAX_PICTURE_BYTES)]
    visit: SeenVisit | None = None
    """The visit that it comes from."""
    anyway: bool = False
    """Keep what would be refused, unless it shows no face."""


class UndoEnrolment(Wish, frozen=True, kw_only=True, tag="undo-enrolment"):
    """Take back what the same account enrolled a moment ago."""

    undo: Text
    """As `answers.Done.undo` has it."""


class RemovePicture(Wish, frozen=True, kw_only=True, tag="remove-picture"):
    """Take a picture out of the faces folder."""

    file: FileName


class RenamePerson(Wish, frozen=True, kw_only=True, tag="rename-person"):
    """Give a person's pictures, anchors and rules another name. The log keeps the old one."""

    person: PersonName
    to: PersonName


class ErasePerson(Wish, frozen=True, kw_only=True, tag="erase-person"):
    """Remove a person's pictures, encodings, anchors, rules and name for ever."""

    person: PersonName
    dry_run: bool = False


class AddAnchor(Wish, frozen=True, kw_only=True, tag="add-anchor"):
    """Say that a visit was not of a person."""

    person: PersonName
    event: EventName
    picture: Annotated[bytes, Meta(max_length=MAX_PICTURE_BYTES)]
    """The visit's picture, as the log has it."""


class UndoAnchor(Wish, frozen=True, kw_only=True, tag="undo-anchor"):
    """Take that back."""

    person: PersonName
    event: EventName


class ReadUnknowns(Wish, frozen=True, kw_only=True, tag="read-unknowns"):
    """People seen and not known, one a person."""

    ignored: bool = False
    """Also those that somebody chose to ignore."""


class NameUnknowns(Wish, frozen=True, kw_only=True, tag="name-unknowns"):
    """Enrol unknown people as one person by their best pictures."""

    unknowns: UnknownIds
    person: PersonName
    anyway: bool = False


class IgnoreUnknowns(Wish, frozen=True, kw_only=True, tag="ignore-unknowns"):
    """Show them no more, also when they come again; `undo` takes it back."""

    unknowns: UnknownIds
    undo: bool = False


class DiscardUnknowns(Wish, frozen=True, kw_only=True, tag="discard-unknowns"):
    """Delete what is kept of them."""

    unknowns: UnknownIds


class ReadZone(Wish, frozen=True, kw_only=True, tag="read-zone"):
    """In which time zone the site's hours are."""


class ReadRules(Wish, frozen=True, kw_only=True, tag="read-rules"):
    """The rules file, and what it means now."""


class ReplaceRules(Wish, frozen=True, kw_only=True, tag="replace-rules"):
    """Write the rules file anew, once it is checked."""

    text: Annotated[str, Meta(max_length=MAX_RULES_CHARS)]
    was: Text
    """`answers.RulesFound.version` of what was edited: another's edit meanwhile is not written over."""


class BlockPerson(Wish, frozen=True, kw_only=True, tag="block-person"):
    """Put a person on the rules file's list of those barred, or take them off it."""

    person: PersonName
    blocked: bool


class SetValidity(Wish, frozen=True, kw_only=True, tag="set-validity"):
    """Set on which days a person may enter, both included; empty: any."""

    person: PersonName
    from_day: Annotated[str, Meta(pattern=r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})?\Z")] = ""
    until_day: Annotated[str, Meta(pattern=r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})?\Z")] = ""


class UndoRules(Wish, frozen=True, kw_only=True, tag="undo-rules"):
    """Take back the last change of the rules that came from here."""

    was: Text


class UnlockDoor(Wish, frozen=True, kw_only=True, tag="unlock-door"):
    """End a door's lockout."""

    camera: Name


class RecordAct(Wish, frozen=True, kw_only=True, tag="record-act"):
    """Put on record what the web node did itself: a sign-in, an account, a restart."""

    words: Text
    once: Token = ""
    """What tells it from every other act, so that one asked for again is on record once. Empty: it is new."""


AnyWish = (
    FindVisits
    | FindLastSeen
    | FindHelpful
    | ReadChain
    | ReadPeople
    | ReadPicture
    | JudgePicture
    | EnrolPicture
    | UndoEnrolment
    | RemovePicture
    | RenamePerson
    | ErasePerson
    | AddAnchor
    | UndoAnchor
    | ReadUnknowns
    | NameUnknowns
    | IgnoreUnknowns
    | DiscardUnknowns
    | ReadZone
    | ReadRules
    | ReplaceRules
    | BlockPerson
    | SetValidity
    | UndoRules
    | UnlockDoor
    | RecordAct
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyWish] = msgspec.msgpack.Decoder(AnyWish)


def encode_wish(wish: AnyWish) -> bytes:
    """Return a wish as it travels."""
    return _encoder.encode(wish)


def decode_wish(body: bytes) -> AnyWish:
    """Return the wish in a body.

    Raises:
        WireError: it is none, or a value is out of range.
    """
    try:
        return _decoder.decode(body)
    except UNREADABLE as error:
        raise WireError(f"not a wish: {error}") from error
