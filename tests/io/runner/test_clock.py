"""A clock that is set is noticed and said, once."""

import pytest

from turnstile.io.runner.clock import ClockWatch, running_ns

S = 10**9


class Machine:
    """Two clocks that a test moves."""

    def __init__(self) -> None:
        self.wall_ns, self.running_ns = 1_700_000_000 * S, 5 * S
        self.watch = ClockWatch(wall_ns=lambda: self.wall_ns, running_ns=lambda: self.running_ns)

    def run(self, seconds: int, *, set_by_s: float = 0.0) -> str:
        """Let time pass, and return what is said."""
        self.running_ns += seconds * S
        self.wall_ns += seconds * S + round(set_by_s * S)
        return self.watch.poll()


@pytest.mark.parametrize(
    ("set_by_s", "words"),
    [
        (-3600, "set back by 1:00:00;"),
        (3600, "set ahead by 1:00:00;"),
        (315_360_000, "by 3650 days, 0:00:00;"),
    ],
)
def test_a_clock_that_is_set_is_said_once(set_by_s: float, words: str) -> None:
    """With the way and by how much."""
    machine = Machine()
    assert machine.run(7200) == ""
    assert words in machine.run(1, set_by_s=set_by_s)
    assert machine.run(7200) == ""


def test_small_steps_are_said_when_they_add_up() -> None:
    """A second in all."""
    machine = Machine()
    said = [machine.run(60, set_by_s=0.25) for _ in range(8)]
    assert [bool(words) for words in said] == [False, False, False, True] * 2


def test_the_running_clock_runs() -> None:
    """It is the system's."""
    assert running_ns() <= running_ns()
