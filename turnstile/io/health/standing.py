"""How the broker is: one state and one sentence, from what its desks say."""

from collections.abc import Sequence

from turnstile.dispatch.incumbents import Rivalry
from turnstile.io.access.desk import AccessDesk
from turnstile.io.people.enrolment import Enrolment
from turnstile.protocol.state import State


def standing(access: AccessDesk, enrolment: Enrolment, rivalries: Sequence[Rivalry]) -> tuple[State, str]:
    """Return why nobody can enter or what else fails, or else all that there is to know."""
    rules = access.rules.standing
    failing = access.closed or enrolment.trouble or access.journal.notice or access.unrecorded
    if failing:
        return State.DEGRADED, failing
    twice = f"two capture nodes are called {rivalries[0].name}; one is refused" if rivalries else ""
    notices = (rules.problem, access.locked_out, twice, enrolment.absent, rules.absent)
    return State.LIVE, "; ".join(filter(None, notices))
