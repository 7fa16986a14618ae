"""Totals over a node's processes: they only grow, by what was really counted."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import a_beat
from turnstile.health.tallies import (
    FORGET_AFTER_S,
    MAX_NUMBERS,
    MAX_PROCESSES,
    MAX_TALLIES,
    Tallies,
    Tally,
    Who,
)
from turnstile.protocol.fields import MAX_LABELS
from turnstile.protocol.messages import Beat

BEGAN_S = 100.0


def a_count(
    frames: int, *, instance: str = "a", uptime_s: float = 1.0, node: str = "front_door", host: str = "here"
) -> Beat:
    """Return a beat of a process that has counted so many frames."""
    beat = a_beat(node=node, instance=instance, uptime_s=uptime_s)
    return msgspec.structs.replace(beat, counts={"frames": frames}, host=host)


def the_only(tallies: Tallies) -> Tally:
    """Return the tally where there is one."""
    ((_, tally),) = tallies
    return tally


def total(*beats: Beat) -> int:
    """Return the total of these beats of one node, a second apart."""
    tallies = Tallies(began_s=BEGAN_S)
    for second, beat in enumerate(beats):
        tallies.add(beat, BEGAN_S + 10 + second)
    return the_only(tallies).totals["frames"]


def test_a_process_that_started_while_we_listened_counts_in_full() -> None:
    """Its first beat has a few frames already."""
    assert total(a_count(3), a_count(5)) == 5


def test_what_a_process_counted_before_the_broker_started_is_not_in_it() -> None:
    """Else a restart of the broker would look like a burst of all that it ever counted."""
    assert total(a_count(9000, uptime_s=3600), a_count(9010, uptime_s=3601)) == 10


def test_a_restart_adds_what_the_new_process_counts() -> None:
    """The total does not fall back, so a rate over it is right."""
    assert total(a_count(50), a_count(60), a_count(4, instance="b"), a_count(7, instance="b")) == 67


def test_two_processes_of_a_name_are_added() -> None:
    """Whichever beats first."""
    assert total(a_count(10), a_count(3, instance="b"), a_count(12), a_count(5, instance="b")) == 17


def test_a_beat_that_comes_late_takes_nothing_back() -> None:
    """A count that goes down and up again is not added twice."""
    assert total(a_count(10), a_count(4), a_count(10), a_count(11)) == 11


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), min_size=1))
def test_a_total_never_falls(beats: list[tuple[str, int]]) -> None:
    """Whatever is said."""
    tallies = Tallies(began_s=BEGAN_S)
    before = 0
    for second, (instance, frames) in enumerate(beats):
        tallies.add(a_count(frames, instance=instance), BEGAN_S + 10 + second)
        assert the_only(tallies).totals["frames"] >= before
        before = the_only(tallies).totals["frames"]


def test_one_name_on_two_machines_is_two_tallies() -> None:
    """Containers of one name are told apart by their host's."""
    tallies = Tallies(began_s=BEGAN_S)
    tallies.add(a_count(1, host="one"), BEGAN_S + 1)
    tallies.add(a_count(2, instance="b", host="two\n" + "o" * 500), BEGAN_S + 1)
    assert [who for who, _ in tallies] == [
        Who("front_door", "capture", "one"),
        Who("front_door", "capture", "two?" + "o" * 60),
    ]


def test_who_is_alive_and_who_is_silent() -> None:
    """A beat is due every second; after three without one, a process is silent."""
    tallies = Tallies(began_s=BEGAN_S)
    tallies.add(a_count(1), BEGAN_S + 1)
    tallies.add(a_count(1, instance="b"), BEGAN_S + 3)
    tally = the_only(tallies)
    assert (tally.alive(BEGAN_S + 3), tally.is_silent(BEGAN_S + 3)) == (2, False)
    assert (tally.alive(BEGAN_S + 5), tally.is_silent(BEGAN_S + 5)) == (1, False)
    assert (tally.alive(BEGAN_S + 7), tally.is_silent(BEGAN_S + 7)) == (0, True)
    tallies.forget(BEGAN_S + 3 + FORGET_AFTER_S)
    assert len(tallies) == 0


def test_hostile_names_take_bounded_memory() -> None:
    """Nodes, processes and counts: each has a bound, and honest nodes that go on beating stay."""
    tallies = Tallies(began_s=BEGAN_S)
    for number in range(MAX_TALLIES + 50):
        tallies.add(a_count(number, node="honest"), BEGAN_S + number)
        tallies.add(a_count(1, node=f"node-{number}"), BEGAN_S + number)
    assert len(tallies) == MAX_TALLIES
    assert "honest" in {who.node for who, _ in tallies}
    tallies = Tallies(began_s=BEGAN_S)
    for number in range(5 * MAX_PROCESSES):
        counts = {f"x{number}-{one}": 1 for one in range(MAX_LABELS)}
        beat = a_count(1, instance=f"process-{number}")
        tallies.add(msgspec.structs.replace(beat, counts=counts), BEGAN_S + number)
    assert len(the_only(tallies).processes) == MAX_PROCESSES
    assert len(the_only(tallies).totals) == MAX_LABELS


def test_what_all_tallies_hold_is_bounded() -> None:
    """Beats of the largest size from ever new machines push out each other; who beats each second stays."""
    tallies = Tallies(began_s=BEGAN_S)
    names = [f"count-{number}" for number in range(MAX_LABELS)]
    for number in range(2000):
        fat = msgspec.structs.replace(a_count(0, host=f"host-{number}"), counts=dict.fromkeys(names, 1))
        tallies.add(fat, BEGAN_S + number)
        tallies.add(a_count(number, node="back_door"), BEGAN_S + number)
    assert sum(tally.numbers for _, tally in tallies) <= MAX_NUMBERS
    assert any(who.node == "back_door" for who, _ in tallies)
