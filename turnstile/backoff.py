"""How long to wait before the next attempt, for everything that is tried again."""

MAX_DOUBLINGS = 30


def delay_s(failures: int, *, first_s: float, longest_s: float, chance: float = 1.0) -> float:
    """Return the seconds to wait after so many failures in a row: twice as many each time.

    Args:
        failures: from 1.
        first_s: after the first failure.
        longest_s: the longest wait.
        chance: from 0 to 1. Less than 1 takes away up to half, which keeps those that failed together from
            trying again together.
    """
    doubled_s = first_s * 2.0 ** min(failures - 1, MAX_DOUBLINGS)
    return min(doubled_s, longest_s) * (0.5 + 0.5 * chance)
