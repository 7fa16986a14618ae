"""Why a visit was granted or denied, in one enumeration, and what to say to people about it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a verdict is what it is. Logs, doors and tests rely on these values; they never change meaning."""

    RECOGNISED = "recognised"
    """Enough frames agreed on one person, who may enter; the only reason to grant."""
    UNKNOWN = "unknown"
    """The face is of nobody enrolled."""
    AMBIGUOUS = "ambiguous"
    """Two enrolled people are about equally near."""
    TOO_SMALL = "too_small"
    """The face had too few pixels to tell."""
    BLURRED = "blurred"
    """The face was not sharp enough to tell."""
    TURNED_AWAY = "turned_away"
    """The head was turned too far from the camera to tell."""
    OUTSIDE_SCHEDULE = "outside_schedule"
    """The person may use this door, at another time."""
    NOT_ALLOWED = "not_allowed"
    """The person may not use this door."""
    BLOCKED = "blocked"
    """The person stands on the block list."""
    RESULT_TOO_OLD = "result_too_old"
    """Results reached the broker too late to vote."""
    TOO_MANY_TRIES = "too_many_tries"
    """The door was locked for a while after many denials."""
    RULES_UNKNOWN = "rules_unknown"
    """Nobody can tell what the rules are, so nobody enters."""
    CLOCK_BEHIND = "clock_behind"
    """The broker's clock stands before the newest time on record, so nobody enters."""
    NOT_ALIVE = "not_alive"
    """The face may be a picture of somebody, see `turnstile.liveness`."""
    NO_RECORD = "no_record"
    """The decision could not be put on record, so nobody enters."""


class Advice(StrEnum):
    """What a person at a door can do to be decided about."""

    COME_CLOSER = "come_closer"
    HOLD_STILL = "hold_still"
    LOOK_AT_CAMERA = "look_at_camera"
    ONE_AT_A_TIME = "one_at_a_time"
    WAIT = "wait"


WORDS: dict[Reason, str] = {
    Reason.RECOGNISED: "recognised",
    Reason.UNKNOWN: "not recognised",
    Reason.AMBIGUOUS: "looks like two enrolled people",
    Reason.TOO_SMALL: "too far away",
    Reason.BLURRED: "picture not sharp",
    Reason.TURNED_AWAY: "turned away",
    Reason.OUTSIDE_SCHEDULE: "not at this time",
    Reason.NOT_ALLOWED: "not at this door",
    Reason.BLOCKED: "blocked",
    Reason.RESULT_TOO_OLD: "recognition is too slow",
    Reason.TOO_MANY_TRIES: "too many tries, please wait",
    Reason.RULES_UNKNOWN: "the rules cannot be read",
    Reason.CLOCK_BEHIND: "the clock is wrong",
    Reason.NOT_ALIVE: "not alive",
    Reason.NO_RECORD: "the log cannot be written",
}
"""A few words for the person at the door."""

ADVICE_WORDS: dict[Advice, str] = {
    Advice.COME_CLOSER: "come closer",
    Advice.HOLD_STILL: "hold still",
    Advice.LOOK_AT_CAMERA: "look at the camera",
    Advice.ONE_AT_A_TIME: "one person at a time",
    Advice.WAIT: "please wait",
}
"""A few words for the person at the door."""

ADVICE_FOR: dict[Reason, Advice] = {
    Reason.UNKNOWN: Advice.LOOK_AT_CAMERA,
    Reason.AMBIGUOUS: Advice.LOOK_AT_CAMERA,
    Reason.TOO_SMALL: Advice.COME_CLOSER,
    Reason.BLURRED: Advice.HOLD_STILL,
    Reason.TURNED_AWAY: Advice.LOOK_AT_CAMERA,
    Reason.RESULT_TOO_OLD: Advice.WAIT,
    Reason.TOO_MANY_TRIES: Advice.WAIT,
}
"""What to advise somebody whose visit is not decided yet and would be denied for this reason."""
