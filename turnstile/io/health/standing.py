"""How the broker is: one state and one sentence, from what its desks say."""

from turnstile.io.access.desk import AccessDesk
from turnstile.io.people.enrolment import Enrolment
from turnstile.protocol.state import State


def standing(access: AccessDesk, enrolment: Enrolment, board: str) -> tuple[State, str]:
    """Return why nobody can enter or what else fails, or else all that there is to know.

    Args:
        access: with rules, journal and lockouts.
        enrolment: with the state of the faces folder.
        board: what the board has to say; may be empty.
    """
    rules = access.rules.standing
    failing = access.closed or enrolment.trouble or access.journal.notice or access.unrecorded
    if failing:
        return State.DEGRADED, failing
    notices = (rules.problem, access.locked_out, board, enrolment.absent, rules.absent)
    return State.LIVE, "; ".join(filter(None, notices))
