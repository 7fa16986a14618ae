"""How a node is, in one enumeration, and how to say it to people."""

from enum import StrEnum

BUSY_SHARE = "busy_share."
"""Start of the gauge in the broker's beat that tells what share of the recognizers' time a camera takes."""

LOCKED_OUT = "locked_out_s."
"""Start of the gauge in the broker's beat that tells for how long a camera's door is locked out."""

CLOCK_BEHIND = "clock_behind"
"""The gauge in the broker's beat that is 1 while its clock stands before the newest time on record."""


class State(StrEnum):
    """What a beat says of its node. Machines act on these values; they never change meaning."""

    STARTING = "starting"
    """What the node needs has not come yet: its camera, or the broker."""
    LIVE = "live"
    DEGRADED = "degraded"
    """The node runs and cannot do its work. A degraded broker lets nobody enter."""
    LOST = "lost"
    """What the node had is gone: its camera, or the broker."""
    ENDED = "ended"
    """A recording is at its end, or the node has stopped as asked: that is its last beat."""

    @property
    def is_well(self) -> bool:
        """Tell whether the node does its work, or has done it."""
        return self in (State.LIVE, State.ENDED)


def in_words(state: State, detail: str = "") -> str:
    """Return a state as people read it: ``lost: read timed out after 5 s``."""
    return f"{state}: {detail}" if detail else str(state)
