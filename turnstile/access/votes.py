"""What one frame says about a face, and what several frames say together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Face, Result, Verdict
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame measured of a face, and the bound that it was held against."""

    nearest: str | None = None
    """The nearest enrolled person, near enough or not."""
    distance: float | None = None
    """To that person."""
    margin: float | None = None
    """How much farther the second-best person is; `None` if there is no second."""
    limit: float | None = None
    """The largest distance that counted as that person."""


NOTHING_MEASURED = Measure()


class Ballot(NamedTuple):
    """What one face of one frame says."""

    person: str | None
    """The person near enough and ahead of everybody else; `None` means unknown."""
    reason: Reason | None
    """`RECOGNISED`, or why it is for nobody or does not count; `None` if the face is not to be decided."""
    counts: bool
    """Whether it is a vote."""
    measure: Measure = NOTHING_MEASURED


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """A ballot that counts."""

    person: str | None
    came_ns: int
    """When the frame came, on the broker's running clock."""
    measure: Measure = NOTHING_MEASURED


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many frames of a visit gave a reason, and what the one with the smallest distance measured."""

    frames: int = 0
    measure: Measure = NOTHING_MEASURED


MAX_TURN = 0.4
"""Faces turned farther (`Looks.turn`) do not vote: 0.5 % of LFW's development pictures. Of 11 such whose
person was enrolled from others, 4 lie beyond 0.32; of straight ones 13 % do. A woman who turns her head
(`head_turns`) is then 0.30 to 0.37 from her straight frames, and 0.13 to 0.34 before (November 2026)."""

NEAR_SHARE = 0.9
"""A person is near the limit if the mean of the nearest `votes_needed` votes is over this share of it."""

MORE_VOTES = 2
"""A person near the limit needs so many more votes, among as many more.

Frames of one face agree with each other: more votes remove what chance gives strangers, not look-alikes.
Stills of LFW's development pictures were shown as visits of 8 frames to people of three pictures. At a limit
of 0.32, one frame takes 28 of a million strangers for a person, 3 of 5 votes take 33, and this rule 17. With
limits that let in 10 of a million, set on half of the people, it recognises .88 of the other half. 3 of 5
votes recognise .84. The distance of a visit's mean encoding does no better (November 2026)."""

CERTAIN_SHARE, CERTAIN_MARGINS = 0.8, 2.0
"""Beyond doubt is who is recognised in every vote of the window. Each is at no more than 0.8 of
`max_distance` and ahead of everybody else by at least 2 `min_margin`. Of 1,123,984 impostor comparisons of
LFW, each pair of pictures both ways, 61 lie within 0.32 (``mirror+paddings``), 1 within 0.8 of it; raw
encodings within 0.45: 68 and none (2026-11). The share was chosen before; margin and votes, which help, are
left out."""


class Conclusion(NamedTuple):
    """What the votes of a visit come to."""

    verdict: Verdict
    reason: Reason
    person: str | None
    measure: Measure
    """Of one frame: the nearest of those that gave this reason."""
    votes: int
    of: int
    beyond_doubt: bool = False
    """See `CERTAIN_SHARE`; a lockout does not keep such people out."""


def ballots(result: Result, settings: DecisionSettings, *, too_old: bool) -> list[Ballot]:
    """Return the ballot of each face of a result.

    Only clear, big enough faces that are not turned away vote, of timely results.
    """
    nearest = max((face.box_px.width * face.box_px.height for face in result.faces), default=0)
    cast: list[Ballot] = []
    for face in result.faces:
        margin = margin_of(face)
        person, said = _named(face, margin, settings)
        reason: Reason | None = said
        counts = False
        if too_old:
            reason = Reason.RESULT_TOO_OLD
        elif face.unread or (settings.nearest_only and face.box_px.width * face.box_px.height < nearest):
            reason = None
        elif face.box_px.width < settings.min_face_px:
            reason = Reason.TOO_SMALL
        elif face.sharpness < settings.min_sharpness:
            reason = Reason.BLURRED
        elif face.turn is not None and face.turn > MAX_TURN:
            reason = Reason.TURNED_AWAY
        else:
            counts = True
        measure = Measure(
            nearest=face.person, distance=face.distance, margin=margin, limit=limit_of(face, settings)
        )
        cast.append(Ballot(person, reason, counts, measure))
    return cast


def limit_of(face: Face, settings: DecisionSettings) -> float:
    """Return the largest distance at which the person of a face is recognised."""
    return settings.max_distance if face.limit is None else face.limit


def margin_of(face: Face) -> float | None:
    """Return how much farther the second-best person is; `None` if there is no second."""
    if face.distance is None or face.second_distance is None:
        return None
    return face.second_distance - face.distance


def grant(
    votes: Sequence[Vote], person: str | None, settings: DecisionSettings, *, stayed: bool = False
) -> Conclusion | None:
    """Return the conclusion that enough of these votes are for `person`; `None` if not.

    Args:
        votes: the latest of a visit, at most `votes_of` and `MORE_VOTES`, one a frame.
        person: the person of the frame at hand.
        settings: how many must agree.
        stayed: whether the person was in view for long enough to be granted near the limit.
    """
    if person is None:
        return None
    for more in (0, MORE_VOTES) if stayed else (0,):
        needed = settings.votes_needed + more
        valid = _within_window(votes[-(settings.votes_of + more) :], settings)
        agreeing = sorted((vote for vote in valid if vote.person == person), key=_by_distance)
        if len(agreeing) >= needed and (more or _are_far_inside(agreeing[:needed], settings)):
            return _granted(person, agreeing, valid, settings)
    return None


def most_votes(votes: Sequence[Vote]) -> int:
    """Return how many votes the person has whom most of them name; 0 if they name nobody."""
    named = Counter(vote.person for vote in votes if vote.person is not None)
    return max(named.values(), default=0)


def _granted(
    person: str, agreeing: Sequence[Vote], valid: Sequence[Vote], settings: DecisionSettings
) -> Conclusion:
    certain = len(agreeing) == len(valid) and all(_is_certain(vote.measure, settings) for vote in valid)
    return Conclusion(
        "granted",
        Reason.RECOGNISED,
        person,
        agreeing[0].measure,
        len(agreeing),
        len(valid),
        beyond_doubt=certain,
    )


def _are_far_inside(votes: Sequence[Vote], settings: DecisionSettings) -> bool:
    """Tell whether votes are, on average, not near the limit."""
    distances = sum(_distance(vote.measure) for vote in votes)
    return distances <= NEAR_SHARE * sum(_limit(vote.measure, settings) for vote in votes)


def denial(reasons: Mapping[Reason, Grounds], *, people: int) -> Conclusion:
    """Return the conclusion that nobody was recognised, for the reason most frames of the visit had.

    Its votes are the frames that gave this reason, of all that gave one.

    Args:
        reasons: the visit's.
        people: how many its frames named.
    """
    reason, grounds = _prevailing(reasons, people)
    frames = sum(one.frames for one in reasons.values())
    return Conclusion("denied", reason, None, grounds.measure, grounds.frames, frames)


def with_frame(grounds: Grounds | None, measure: Measure) -> Grounds:
    """Return the grounds after one more frame that gave the same reason."""
    frame = Grounds(frames=1, measure=measure)
    return frame if grounds is None else joined_grounds(grounds, frame)


def joined_grounds(one: Grounds, other: Grounds) -> Grounds:
    """Return the grounds of the frames of both."""
    nearest = min(one.measure, other.measure, key=_distance)
    return Grounds(frames=one.frames + other.frames, measure=nearest)


def _named(face: Face, margin: float | None, settings: DecisionSettings) -> tuple[str | None, Reason]:
    if face.person is None or face.distance is None or face.distance > limit_of(face, settings):
        return None, Reason.UNKNOWN
    if margin is not None and margin < settings.min_margin:
        return None, Reason.AMBIGUOUS
    return face.person, Reason.RECOGNISED


def _within_window(votes: Sequence[Vote], settings: DecisionSettings) -> list[Vote]:
    newest_ns = max((vote.came_ns for vote in votes), default=0)
    return [vote for vote in votes if newest_ns - vote.came_ns <= settings.window_s * 1e9]


def _is_certain(measure: Measure, settings: DecisionSettings) -> bool:
    near = _distance(measure) <= CERTAIN_SHARE * _limit(measure, settings)
    return near and (measure.margin is None or measure.margin >= CERTAIN_MARGINS * settings.min_margin)


def _limit(measure: Measure, settings: DecisionSettings) -> float:
    return settings.max_distance if measure.limit is None else measure.limit


def _by_distance(vote: Vote) -> float:
    return _distance(vote.measure)


def _distance(measure: Measure) -> float:
    return float("inf") if measure.distance is None else measure.distance


def _prevailing(reasons: Mapping[Reason, Grounds], people: int) -> tuple[Reason, Grounds]:
    """Return the most frequent reason.

    Frames that named somebody, too few to be believed, are `AMBIGUOUS` if they named several people, else
    `UNKNOWN`. A frame that named nobody tells by how much the nearest person was missed.
    """
    grounds = dict.fromkeys(Reason, Grounds()) | dict(reasons)
    named = grounds.pop(Reason.RECOGNISED)
    heir = Reason.AMBIGUOUS if people > 1 else Reason.UNKNOWN
    own = grounds[heir]
    measure = own.measure if own.frames else named.measure
    grounds[heir] = Grounds(frames=own.frames + named.frames, measure=measure)
    reason = max(grounds, key=lambda one: (grounds[one].frames, one is Reason.UNKNOWN))
    return reason, grounds[reason]
