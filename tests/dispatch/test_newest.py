"""Which frames are looked at when more come than can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.dispatch.newest import MAX_QUEUED, Intake, NewestOfEach, Watched


def drained(queue: NewestOfEach[int]) -> list[tuple[object, int, int]]:
    """Return everything that waits, in order."""
    return [(one.sender, one.newest, one.dropped) for one in (queue.take() for _ in range(len(queue)))]


def test_nothing_is_dropped_while_there_is_room() -> None:
    """All that came is looked at in the order in which it came, also two of one sender."""
    queue = NewestOfEach[int](room=4)
    for number, sender in enumerate("abab"):
        queue.put(sender, number)
    assert drained(queue) == [("a", 0, 0), ("b", 1, 0), ("a", 2, 0), ("b", 3, 0)]


def test_in_a_flood_the_newest_of_each_sender_is_kept() -> None:
    """It stands where the one before stood, so a sender that sends much waits no longer than the others."""
    queue = NewestOfEach[int](room=2)
    for number, sender in enumerate("aabaaabc"):
        queue.put(sender, number)
    assert drained(queue) == [("a", 0, 0), ("a", 5, 3), ("b", 6, 1), ("c", 7, 0)]


def test_what_was_taken_is_not_replaced() -> None:
    """The next one of that sender stands at the end."""
    queue = NewestOfEach[int](room=1)
    for number, sender in enumerate("ab"):
        queue.put(sender, number)
    assert queue.take().newest == 0
    queue.put("a", 2)
    assert drained(queue) == [("b", 1, 0), ("a", 2, 0)]


def test_of_nothing_there_is_nothing_to_take() -> None:
    """Who asks without looking is told."""
    with pytest.raises(IndexError):
        NewestOfEach[int](room=1).take()


@given(st.lists(st.sampled_from("abcd")), st.integers(0, 6))
def test_each_is_queued_or_counted_and_the_queue_is_bounded(senders: list[str], room: int) -> None:
    """Whatever comes, the newest of each sender is kept and each that is not is counted."""
    queue = NewestOfEach[int](room=room)
    for number, sender in enumerate(senders):
        queue.put(sender, number)
        assert len(queue) <= room + 4
    left = drained(queue)
    assert sum(1 + dropped for _, _, dropped in left) == len(senders)
    newest = {sender: number for number, sender in enumerate(senders)}
    assert {sender: number for sender, number, _ in left} == newest


def test_what_nobody_needs_yet_is_held_back_and_the_newest_of_each_sender_kept() -> None:
    """Those before it are counted, also when a later one is needed at once."""
    intake, waiting = Intake[int](room=4), {"door", "gate"}
    for newest, (camera, connection) in enumerate([("door", 1), ("door", 2), ("door", 1), ("gate", 1)]):
        intake.put(f"frame.{camera}.", connection, newest, waiting.__contains__)
    assert (len(intake), intake.held_back, intake.dropped) == (0, 4, 1)
    assert sorted(intake.take_held("frame.door.")) == [1, 2]
    assert intake.take_held("frame.door.") == []
    intake.put("frame.gate.", 1, 7, lambda _: False)
    assert (intake.take(lambda _: False), intake.take(lambda _: False), intake.dropped) == (7, None, 2)
    intake.put("frame.door.", 1, 8, waiting.__contains__)
    assert intake.take_some_held(0) == []
    assert intake.take_some_held(1) == [8]
    intake.put("frame.door.", 1, 8, waiting.__contains__)
    assert intake.take_some_held() == [8]
    intake.watched.note("frame.", subscribed=True)
    intake.put("frame.door.", 1, 9, waiting.__contains__)
    assert intake.take(waiting.__contains__) == 9


def test_a_frame_under_the_topic_of_another_sender_takes_none_of_its_frames() -> None:
    """Nobody has checked yet which of them may send frames of that camera."""
    intake = Intake[int](room=4)
    intake.put("frame.door.", 1, 1, lambda _: True)
    intake.put("frame.door.", 2, 2, lambda _: False)
    assert (intake.take(lambda _: False), intake.take(lambda _: False), intake.dropped) == (1, 2, 0)


def test_cameras_that_nobody_knows_fill_the_queue_up_to_a_bound() -> None:
    """Who names another one in each frame overtakes nothing; then no more is received for a while."""
    intake = Intake[int](room=4)
    for newest in range(MAX_QUEUED):
        assert not intake.is_full
        intake.put(f"frame.camera-{newest}.", 1, newest, lambda _: False)
    assert intake.is_full
    assert intake.take(lambda _: False) == 0
    assert not intake.is_full


def test_a_queued_frame_that_can_wait_by_the_time_it_is_taken_is_held_back() -> None:
    """Unless a newer one of its sender is held back already: then it is dropped and counted."""
    intake = Intake[int](room=4)
    for newest in (1, 2):
        intake.put("frame.door.", 1, newest, lambda _: False)
    assert intake.take(lambda _: False) == 1
    intake.put("frame.gate.", 2, 3, lambda _: False)
    intake.put("frame.gate.", 2, 4, lambda _: True)
    assert intake.take(lambda _: True) is None
    assert (intake.take_held("frame.door."), intake.take_held("frame.gate."), intake.dropped) == ([2], [4], 1)


@pytest.mark.parametrize(
    ("subscription", "is_watched"),
    [("frame.door.", True), ("frame.", True), ("", True), ("frame.do", True), ("frame.doo.", False)],
)
def test_a_topic_is_watched_while_a_subscription_matches_it(subscription: str, *, is_watched: bool) -> None:
    """Subscriptions match by prefix."""
    watched = Watched()
    watched.note(subscription, subscribed=True)
    assert ("frame.door." in watched) == is_watched
    watched.note(subscription, subscribed=False)
    assert "frame.door." not in watched
