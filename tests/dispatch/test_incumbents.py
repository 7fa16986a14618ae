"""Two processes of one name: the first is served, and a process that replaces it is not kept out."""

from turnstile.dispatch.incumbents import MAX_PROCESSES, SILENT_NS, Incumbents, Rivalry

FIRST, SECOND = "door-1", "door-2"
STEP_NS = 100_000_000


def heard(*instances: str) -> tuple[Incumbents, list[bool], int]:
    """Let processes of a door speak one after the other; return who was served, and the time."""
    incumbents, at_ns, served = Incumbents(), 0, []
    for instance in instances:
        at_ns += STEP_NS
        served.append(incumbents.hear("door", instance, at_ns))
    return incumbents, served, at_ns


def test_of_two_that_both_speak_the_first_is_served() -> None:
    """For as long as both do; both are named."""
    incumbents, served, at_ns = heard(FIRST, SECOND, *(FIRST, SECOND) * 50)
    assert served[2:] == [True, False] * 50
    assert incumbents.rivalries(at_ns) == [Rivalry("door", FIRST, SECOND)]


def test_a_process_that_replaces_another_is_served_at_once() -> None:
    """The old one never speaks again."""
    incumbents, served, at_ns = heard(FIRST, FIRST, SECOND, SECOND)
    assert served == [True] * 4
    assert incumbents.rivalries(at_ns) == []


def test_the_second_takes_over_when_the_first_falls_silent() -> None:
    """After 3 s, and then nobody is refused."""
    incumbents, _, at_ns = heard(FIRST, SECOND, FIRST, SECOND)
    at_ns += SILENT_NS
    assert incumbents.hear("door", SECOND, at_ns)
    assert incumbents.rivalries(at_ns) == []


def test_names_do_not_concern_each_other_and_are_forgotten() -> None:
    """Two doors have a process each."""
    incumbents, _, at_ns = heard(FIRST, FIRST)
    assert incumbents.hear("store", SECOND, at_ns)
    incumbents.forget("door")
    assert incumbents.hear("door", SECOND, at_ns)


def test_a_crowd_under_one_name_is_not_remembered() -> None:
    """More than a few are refused."""
    _, served, _ = heard(*(f"door-{number}" for number in range(MAX_PROCESSES + 2)))
    assert served == [True] * MAX_PROCESSES + [False] * 2
