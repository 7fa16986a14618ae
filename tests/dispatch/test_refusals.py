"""Refusals: each is counted, few are said."""

from turnstile.dispatch.refusals import MAX_NAMES, OTHERS, Refusals, keep_counting


def test_a_name_is_said_once_a_minute() -> None:
    """With how many there were since."""
    refusals = Refusals()
    lines = [refusals.note("front_door", "a capture says no Result", at / 10) for at in range(1300)]
    said = [line for line in lines if line is not None]
    assert said == [
        "refused from front_door: a capture says no Result",
        "refused from front_door: a capture says no Result (and 599 more since the last such line)",
        "refused from front_door: a capture says no Result (and 599 more since the last such line)",
    ]
    assert refusals.total == 1300


def test_names_do_not_silence_each_other() -> None:
    """Each has its own minute."""
    refusals = Refusals()
    assert refusals.note("a", "why", 0.0)
    assert refusals.note("b", "why", 0.0)
    assert not refusals.note("a", "why", 1.0)
    assert refusals.worst(1) == {"a": 2}


def test_names_beyond_a_bound_are_counted_together() -> None:
    """A crowd of strangers fills no memory and no log."""
    refusals = Refusals()
    lines = [refusals.note(f"stranger-{number}", "why", 0.0) for number in range(10 * MAX_NAMES)]
    assert sum(line is not None for line in lines) == MAX_NAMES + 1
    assert len(refusals.by_name) == MAX_NAMES + 1
    assert refusals.by_name[OTHERS].total == 9 * MAX_NAMES


def test_names_told_of_in_a_beat_stay_and_are_bounded() -> None:
    """Whoever is refused next, a beat stays within its limit and no count goes back."""
    counts = {"frames_in": 9}
    for number in range(50):
        keep_counting(counts, {f"name-{number}": 1, "worst": number, "x" * 63: 1}, start="from_", at_most=5)
    assert set(counts) == {
        "frames_in",
        "from_name-0",
        "from_name-1",
        "from_name-2",
        "from_worst",
        "from_" + "x" * 59,
    }
    assert counts["from_worst"] == 49
