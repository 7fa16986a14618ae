"""A visit decided again from what was recorded, with other settings and without the rules."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import msgspec

from turnstile.access.decider import Decider
from turnstile.access.replay import AnyRecord, RecordedResult, replay
from turnstile.protocol.messages import Access
from turnstile.protocol.reasons import WORDS
from turnstile.requests.answers import VisitEntry
from turnstile.site.settings import DecisionSettings
from turnstile.web.forms import FormError

NEAR_NS = 60 * 1_000_000_000
"""How long before and after its verdict a visit's results are looked for."""

_SAME_NS = 5_000_000_000


class TrialSettings(NamedTuple):
    """The settings to try, as typed; an empty one stays as it is."""

    max_distance: str = ""
    min_margin: str = ""
    votes_needed: str = ""
    votes_of: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """Return the fields of an address; others are passed over."""
        return cls(**{name: fields.get(name, "").strip() for name in cls._fields})

    @property
    def is_filled(self) -> bool:
        """Tell whether there is something to try."""
        return any(self)


class Tried(NamedTuple):
    """What came of it."""

    words: str
    results: int
    """How many recorded frames it is from."""


def settings_to_try(trial: TrialSettings, decision: DecisionSettings) -> DecisionSettings:
    """Return a site's settings with those to try.

    Raises:
        FormError: one is out of its range.
    """
    changed = {name: value for name, value in trial._asdict().items() if value}
    if "max_distance" in changed:
        changed["stranger_rate"] = None
    try:
        return msgspec.convert(msgspec.to_builtins(decision) | changed, DecisionSettings, strict=False)
    except msgspec.ValidationError as error:
        raise FormError(f"this cannot be tried: {error}") from error


def try_again(
    records: Iterable[AnyRecord], visit: VisitEntry, settings: DecisionSettings, *, encoding: str
) -> Tried:
    """Return how a visit would have ended with other settings.

    Args:
        records: of the visit's door, around it.
        visit: as it is in the log.
        settings: to try. A distance counts for everybody, whatever limits they have.
        encoding: as the site has it.
    """
    taken = [_with_one_limit(one, settings) for one in records if isinstance(one, RecordedResult)]
    if not taken:
        return Tried("no frame of this visit is in the recording any more", 0)
    decider = Decider(settings=settings, encoding=encoding)
    _, after = replay(taken, decider, local=lambda at_ns: dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC))
    near = [one for one in after if abs(one.decided_ns - visit.decided_ns) <= _SAME_NS]
    same = [one for one in after if one.visit == visit.visit] or sorted(
        near, key=lambda one: abs(one.decided_ns - visit.decided_ns)
    )
    return Tried(_in_words(same[0]) if same else "it would not have been decided", len(taken))


def _with_one_limit(record: RecordedResult, settings: DecisionSettings) -> RecordedResult:
    if settings.stranger_rate is not None:
        return record
    faces = tuple(msgspec.structs.replace(face, limit=None) for face in record.result.faces)
    return msgspec.structs.replace(record, result=msgspec.structs.replace(record.result, faces=faces))


def _in_words(access: Access) -> str:
    who = f" {access.person}" if access.person else ""
    distance = "" if access.distance is None else f" at {access.distance:.2f}"
    return f"{access.verdict}{who}{distance}, {WORDS[access.reason]}, {access.votes} of {access.of} frames"
