"""The one sentence that explains a visit: who was nearest, how far, the limit, the margin and the votes."""

import unicodedata
from collections.abc import Callable

from msgspec.structs import replace

from turnstile.counts import counted
from turnstile.protocol.reasons import WORDS, Reason
from turnstile.requests.answers import VisitEntry


def explain(visit: VisitEntry, *, with_names: bool) -> str:
    """Return why a visit ended as it did, for people.

    Args:
        visit: as a logger has it.
        with_names: whether names of people who were merely near may be told.
    """
    reason = _reason_of(visit)
    visit = replace(visit, person=_apart(visit.person), nearest=_apart(visit.nearest))
    told = _SENTENCES.get(reason) if reason is not None else None
    if told is not None:
        return told(visit, (visit.nearest or "") if with_names else "")
    words = WORDS[reason] if reason is not None else visit.reason
    who = f"{visit.person}: " if visit.person else ""
    return f"{_verdict(visit)}: {who}{words}{_in_brackets(visit)}."


def _granted(visit: VisitEntry, _nearest: str) -> str:
    votes = f"{visit.votes} of {counted(visit.of, 'frame')}"
    verb = "was" if visit.of == 1 else "were"
    if visit.distance is None or visit.max_distance is None:
        return f"{_verdict(visit)}: {votes} agreed on {visit.person}."
    return (
        f"{_verdict(visit)}: {votes} {verb} nearer to {visit.person} ({visit.distance:.2f}) than the limit "
        f"{visit.max_distance:.2f}{_next(visit)}."
    )


def _unknown(visit: VisitEntry, nearest: str) -> str:
    if visit.distance is None:
        return f"{_verdict(visit)}: the face is of nobody enrolled."
    who = f"The nearest person, {nearest}," if nearest else "The nearest person"
    limit = "" if visit.max_distance is None else f"; the limit is {visit.max_distance:.2f}"
    return f"{_verdict(visit)}: not recognised. {who} was at {visit.distance:.2f}{limit}."


def _ambiguous(visit: VisitEntry, nearest: str) -> str:
    if visit.distance is None or visit.margin is None:
        return f"{_verdict(visit)}: looks like two enrolled people."
    who = f"The nearer one, {nearest}," if nearest else "The nearer one"
    return (
        f"{_verdict(visit)}: two enrolled people were about equally near. {who} was at "
        f"{visit.distance:.2f}, the other only {visit.margin:.2f} farther."
    )


def _known(told: str) -> Callable[[VisitEntry, str], str]:
    """Return the sentence for somebody recognised who may not enter."""

    def sentence(visit: VisitEntry, _nearest: str) -> str:
        who = visit.person or "Somebody"
        return f"{_verdict(visit)}: {who} was recognised{_in_brackets(visit)}, but {told}."

    return sentence


def _unseen(told: str) -> Callable[[VisitEntry, str], str]:
    """Return the sentence for a face that could not be judged."""

    def sentence(visit: VisitEntry, _nearest: str) -> str:
        frames = f"in {visit.votes} of {counted(visit.of, 'frame')} " if visit.of else ""
        return f"{_verdict(visit)}: {frames}{told}."

    return sentence


_SENTENCES: dict[Reason, Callable[[VisitEntry, str], str]] = {
    Reason.RECOGNISED: _granted,
    Reason.UNKNOWN: _unknown,
    Reason.AMBIGUOUS: _ambiguous,
    Reason.OUTSIDE_SCHEDULE: _known("may use this door at other times only"),
    Reason.NOT_ALLOWED: _known("may not use this door"),
    Reason.BLOCKED: _known("is blocked"),
    Reason.NOT_ALIVE: _known("the face may have been a picture: it moved too little"),
    Reason.RULES_UNKNOWN: _known("the rules cannot be read, so nobody enters"),
    Reason.CLOCK_BEHIND: _known("the broker's clock is wrong, so nobody enters"),
    Reason.NO_RECORD: _known("the decision could not be put on record"),
    Reason.TOO_SMALL: _unseen("the face was too small to tell"),
    Reason.BLURRED: _unseen("the face was not sharp enough to tell"),
    Reason.TURNED_AWAY: _unseen("the head was turned too far from the camera to tell"),
    Reason.RESULT_TOO_OLD: _unseen("recognition took too long for the frames to count"),
    Reason.TOO_MANY_TRIES: _unseen("the door was locked after many tries"),
}


def _reason_of(visit: VisitEntry) -> Reason | None:
    try:
        return Reason(visit.reason)
    except ValueError:
        return None


def _apart(name: str | None) -> str | None:
    """Keep a name that is written from right to left from turning round what follows it (UAX #9, 6.3)."""
    turns = any(unicodedata.bidirectional(char) in ("R", "AL") for char in name or "")
    return f"\u2068{name}\u2069" if turns else name


def _verdict(visit: VisitEntry) -> str:
    return visit.verdict.capitalize()


def _next(visit: VisitEntry) -> str:
    if visit.margin is None:
        return ""
    if visit.margin < 0:
        return f"; another person was {-visit.margin:.2f} nearer"
    return f"; the next person was {visit.margin:.2f} farther"


def _in_brackets(visit: VisitEntry) -> str:
    if visit.distance is None:
        return ""
    limit = "" if visit.max_distance is None else f", limit {visit.max_distance:.2f}"
    return f" ({visit.distance:.2f}{limit})"
