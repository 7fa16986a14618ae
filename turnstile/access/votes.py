"""What one frame says about a face, and what several frames say together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Face, Result, Verdict
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings


class Ballot(NamedTuple):
    """What one face of one frame says."""

    person: str | None
    """The person near enough and ahead of everybody else; `None` means unknown."""
    reason: Reason | None
    """`RECOGNISED`, or why it is for nobody or does not count; `None` if the face is not to be decided."""
    counts: bool
    """Whether it is a vote."""
    distance: float | None
    margin: float | None


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """A ballot that counts."""

    person: str | None
    distance: float | None
    margin: float | None
    captured_ns: int


class Conclusion(NamedTuple):
    """What the votes of a visit come to."""

    verdict: Verdict
    reason: Reason
    person: str | None
    distance: float | None
    """The smallest among the votes that agree."""
    margin: float | None
    """Of that vote."""
    votes: int
    of: int


def ballots(result: Result, settings: DecisionSettings, *, too_old: bool) -> list[Ballot]:
    """Return the ballot of each face of a result. Only clear, big enough faces of timely results vote."""
    nearest = max((face.box_px.width * face.box_px.height for face in result.faces), default=0)
    cast: list[Ballot] = []
    for face in result.faces:
        margin = margin_of(face)
        person, said = _named(face, margin, settings)
        reason: Reason | None = said
        counts = False
        if too_old:
            reason = Reason.RESULT_TOO_OLD
        elif settings.nearest_only and face.box_px.width * face.box_px.height < nearest:
            reason = None
        elif face.box_px.width < settings.min_face_px:
            reason = Reason.TOO_SMALL
        elif face.sharpness < settings.min_sharpness:
            reason = Reason.BLURRED
        else:
            counts = True
        cast.append(Ballot(person, reason, counts, face.distance, margin))
    return cast


def margin_of(face: Face) -> float | None:
    """Return how much farther the second-best person is; `None` if there is no second."""
    if face.distance is None or face.second_distance is None:
        return None
    return face.second_distance - face.distance


def grant(votes: Sequence[Vote], person: str | None, settings: DecisionSettings) -> Conclusion | None:
    """Return the conclusion that enough of these votes are for `person`; `None` if not.

    Args:
        votes: the latest of a visit, at most `votes_of`, one a frame.
        person: the person of the frame at hand.
        settings: how many must agree.
    """
    if person is None:
        return None
    valid = _within_window(votes, settings)
    agreeing = [vote for vote in valid if vote.person == person]
    if len(agreeing) < settings.votes_needed:
        return None
    best = min(agreeing, key=_by_distance)
    return Conclusion(
        "granted", Reason.RECOGNISED, person, best.distance, best.margin, len(agreeing), len(valid)
    )


def denial(votes: Sequence[Vote], reasons: Mapping[Reason, int], settings: DecisionSettings) -> Conclusion:
    """Return the conclusion that nobody was recognised, for the reason most frames of the visit had."""
    valid = _within_window(votes, settings)
    against = [vote for vote in valid if vote.person is None] or valid
    best = min(against, key=_by_distance, default=None)
    return Conclusion(
        "denied",
        _prevailing(reasons),
        None,
        best.distance if best else None,
        best.margin if best else None,
        len(against),
        len(valid),
    )


def _named(face: Face, margin: float | None, settings: DecisionSettings) -> tuple[str | None, Reason]:
    if face.person is None or face.distance is None or face.distance > settings.max_distance:
        return None, Reason.UNKNOWN
    if margin is not None and margin < settings.min_margin:
        return None, Reason.AMBIGUOUS
    return face.person, Reason.RECOGNISED


def _within_window(votes: Sequence[Vote], settings: DecisionSettings) -> list[Vote]:
    newest_ns = max((vote.captured_ns for vote in votes), default=0)
    return [vote for vote in votes if newest_ns - vote.captured_ns <= settings.window_s * 1e9]


def _by_distance(vote: Vote) -> float:
    return float("inf") if vote.distance is None else vote.distance


def _prevailing(reasons: Mapping[Reason, int]) -> Reason:
    """Return the most frequent reason. It is `AMBIGUOUS` if frames named people without agreeing."""
    counts = dict.fromkeys(Reason, 0) | dict(reasons)
    counts[Reason.AMBIGUOUS] += counts.pop(Reason.RECOGNISED)
    return max(counts, key=lambda reason: (counts[reason], reason is Reason.UNKNOWN))
