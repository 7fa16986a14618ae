"""All attacks, whom each lets others hear, and what it gained beyond that."""

from tests.support.attacks.attacked_site import Outcome
from tests.support.attacks.flooding import FLOODS
from tests.support.attacks.impersonation import IMPOSTORS

ATTACKS = IMPOSTORS | FLOODS

_CAMERA = frozenset({"rogue_camera"})
ALLOWED: dict[str, frozenset[str]] = {
    "key revoked while speaking": _CAMERA,
    "replayed results": frozenset({"rogue_recognizer"}),
    "replayed connection": _CAMERA,
    "flood of frames": _CAMERA,
    "flood of frames, 100 a second": _CAMERA,
    "flood of frames of 1 MB": _CAMERA,
    "flood of beats": frozenset({"rogue_display"}),
    "flood of queries": frozenset({"Query of rogue_observer-1"}),
}
"""Whom others may hear: an intruder's key lets it send frames of its own, and answer what it was given."""


def gained(outcome: Outcome) -> list[str]:
    """Return what somebody heard that the intruder's keys do not allow."""
    wrong = sorted(set(outcome.heard_of) - ALLOWED.get(outcome.attack, frozenset()))
    if outcome.twice and not outcome.attack.startswith("flood"):
        wrong.append(f"{outcome.twice} heard twice")
    return wrong
