"""What the broker repeats to newcomers: each process's last beat, a bounded number of them."""

import msgspec

from tests.support.builders import a_beat
from turnstile.health.last_beats import FORGET_AFTER_S, MAX_PROCESSES_OF_A_NODE, LastBeats
from turnstile.protocol.fields import MAX_LABELS
from turnstile.protocol.messages import Beat


def states(beats: LastBeats, prefix: str = "status.", *, now_s: float = 10.0) -> list[tuple[str, float]]:
    """Return state and age of what is repeated to somebody who listens to a prefix."""
    return [(beat.detail, beat.age_s) for beat in beats.under(prefix, now_s)]


def test_the_newest_beat_of_each_process_is_repeated_with_its_age() -> None:
    """Two processes of one node are both there."""
    beats = LastBeats()
    beats.keep(a_beat(instance="a", detail="old"), 1.0)
    beats.keep(a_beat(instance="b", detail="other"), 4.0)
    beats.keep(a_beat(instance="a", detail="new"), 7.0)
    assert states(beats) == [("other", 6.0), ("new", 3.0)]


def test_only_what_was_asked_for_is_repeated() -> None:
    """A subscription to one node's status gets no other's."""
    beats = LastBeats()
    beats.keep(a_beat(node="front_door", instance="a", detail="front"), 1.0)
    beats.keep(a_beat(node="back_door", instance="b", detail="back"), 1.0)
    assert states(beats, "status.back_door.") == [("back", 9.0)]
    assert states(beats, "frame.") == []


def test_who_invents_names_pushes_out_his_own() -> None:
    """A node that beats every second stays, whatever comes in between."""
    beats = LastBeats(at_most=3)
    for second in range(20):
        beats.keep(a_beat(instance="honest", detail="honest"), float(second))
        beats.keep(a_beat(instance=f"invented-{second}", detail="invented"), float(second))
    assert len(beats) == 3
    assert ("honest", 0.0) in states(beats, now_s=19.0)


def a_fat_beat(node: str, instance: str) -> Beat:
    """Return a beat of the largest size."""
    names = [f"{number:064}" for number in range(MAX_LABELS)]
    beat = a_beat(node=node, instance=instance, detail="x" * 500)
    return msgspec.structs.replace(beat, counts=dict.fromkeys(names, 1), gauges=dict.fromkeys(names, 1.0))


def test_a_node_has_a_bounded_number_of_processes() -> None:
    """Who beats under ever new instances pushes out his own."""
    beats = LastBeats()
    beats.keep(a_beat(node="back_door", instance="honest"), 0.0)
    for number in range(100):
        beats.keep(a_beat(instance=f"invented-{number}"), 1.0)
    assert len(beats) == MAX_PROCESSES_OF_A_NODE + 1
    assert len(states(beats, "status.back_door.")) == 1


def test_what_is_kept_has_a_bounded_size() -> None:
    """Beats of the largest size under ever new names push out each other."""
    beats = LastBeats(max_bytes=100_000)
    for number in range(100):
        beats.keep(a_fat_beat(f"node-{number}", f"node-{number}-1"), float(number))
        beats.keep(a_beat(instance="honest", detail="honest"), float(number))
    assert 4 <= len(beats) <= 6
    assert ("honest", 0.0) in states(beats, now_s=99.0)


def test_who_is_silent_for_an_hour_is_forgotten() -> None:
    """Names that are used no more take no place."""
    beats = LastBeats()
    beats.keep(a_beat(instance="a", detail="gone"), 0.0)
    beats.keep(a_beat(instance="b", detail="here"), 100.0)
    beats.forget(FORGET_AFTER_S)
    assert [state for state, _ in states(beats)] == ["here"]
