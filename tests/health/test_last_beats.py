"""What the broker repeats to newcomers: each process's last beat, a bounded number of them."""

from tests.support.builders import a_beat
from turnstile.health.last_beats import FORGET_AFTER_S, LastBeats


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


def test_who_is_silent_for_an_hour_is_forgotten() -> None:
    """Names that are used no more take no place."""
    beats = LastBeats()
    beats.keep(a_beat(instance="a", detail="gone"), 0.0)
    beats.keep(a_beat(instance="b", detail="here"), 100.0)
    beats.forget(FORGET_AFTER_S)
    assert [state for state, _ in states(beats)] == ["here"]
