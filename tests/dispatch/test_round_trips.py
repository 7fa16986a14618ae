"""How many pieces of work go to a recognizer, over lines that are short, long, narrow or disturbed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.builders import a_frame
from turnstile.dispatch.dispatcher import Assignment, Job
from turnstile.dispatch.round_trips import ALONE_EVERY_NS, KEPT, RoundTrips

MS, S = 1_000_000, 1_000_000_000
MOST = 8
JOB = Job(kind="frame", key="door", seq=1, body=a_frame(), came_ns=0)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What twenty seconds over a line showed, the first three left out."""

    answers_per_s: float
    age_ms: float
    """Mean time from the hand-out until work began."""
    most_at_a_time: int
    at_the_end: int


def run(
    *,
    each_way_ms: Callable[[int], float],
    work_ms: float,
    transfer_ms: float = 0.0,
    most: int = MOST,
) -> Run:
    """Hand out frames, of which there are always enough, over a line that carries one after another."""
    trips, under_way = RoundTrips(), deque[tuple[Assignment, float]]()
    now = line_free = worker_free = 0.0
    ages: list[float] = []
    deepest = count = 0
    while now < 20_000:
        at_a_time = trips.credits(most, round(now * MS))
        while len(under_way) < at_a_time:
            count += 1
            line_free = max(now, line_free) + transfer_ms
            begins = max(line_free + each_way_ms(count), worker_free)
            worker_free = begins + work_ms
            handed = Assignment(
                token="",
                recognizer="",
                job=JOB,
                handed_ns=round(now * MS),
                expires_ns=0,
                is_alone=not under_way,
            )
            under_way.append((handed, worker_free + each_way_ms(count)))
            if now > 3000:
                ages.append(begins - now)
        deepest = max(deepest, len(under_way))
        answered, answered_ms = under_way.popleft()
        now = max(now, answered_ms)
        trips.note(answered, work_ms, round(now * MS))
    return Run(
        answers_per_s=len(ages) / 17,
        age_ms=sum(ages) / len(ages),
        most_at_a_time=deepest,
        at_the_end=trips.credits(most, round(now * MS)),
    )


@pytest.mark.parametrize("work_ms", [2.0, 10.0, 40.0])
def test_in_a_building_a_recognizer_has_one_piece(work_ms: float) -> None:
    """A second would grow old before it."""
    assert run(each_way_ms=lambda _: 0.3, work_ms=work_ms).most_at_a_time == 1


def test_over_a_long_line_as_many_more_are_under_way_as_it_could_finish_meanwhile() -> None:
    """Nearly three times as many answers, of frames that are hardly older."""
    one, more = (run(each_way_ms=lambda _: 50.0, work_ms=40.0, most=most) for most in (1, MOST))
    assert more.at_the_end == 3
    assert more.answers_per_s > 2.7 * one.answers_per_s
    assert more.age_ms < 1.05 * one.age_ms


def test_a_very_fast_recognizer_has_as_many_as_it_takes() -> None:
    """Its line takes ten times as long as its work."""
    assert run(each_way_ms=lambda _: 0.5, work_ms=0.1).at_the_end == MOST
    assert run(each_way_ms=lambda _: 0.5, work_ms=0.1, most=3).most_at_a_time == 3


def test_over_a_narrow_line_frames_do_not_queue() -> None:
    """More of them would come no faster, and older."""
    one, more = (
        run(each_way_ms=lambda _: 1.0, work_ms=20.0, transfer_ms=80.0, most=most) for most in (1, MOST)
    )
    assert more.most_at_a_time == 2
    assert more.at_the_end == 1
    assert more.age_ms < 1.1 * one.age_ms


def test_pauses_of_a_busy_machine_bring_no_second_piece() -> None:
    """Most ways are long, but not those of every eighth."""
    assert run(each_way_ms=lambda at: 0.3 if at % KEPT == 0 else 30.0, work_ms=5.0).most_at_a_time == 1


def test_a_disturbed_long_line_has_as_many_pieces_as_a_quiet_one() -> None:
    """Pauses are no queue: some answers come as fast as alone."""
    assert run(each_way_ms=lambda at: 50.0 if at % 3 else 110.0, work_ms=20.0).most_at_a_time == 6


def test_a_line_that_became_short_is_noticed() -> None:
    """One piece goes alone every two seconds, which measures it."""
    changed = run(each_way_ms=lambda at: 50.0 if at < 100 else 0.3, work_ms=40.0)
    assert (changed.most_at_a_time, changed.at_the_end) == (3, 1)


def test_what_was_not_measured_lately_counts_as_short() -> None:
    """A recognizer that had nothing to do for long begins with one piece."""
    trips = RoundTrips()
    for at in range(KEPT):
        handed = Assignment(token="", recognizer="", job=JOB, handed_ns=at * S, expires_ns=0)
        trips.note(handed, 10.0, at * S + 100 * MS)
    measured_ns = (KEPT - 1) * S + 100 * MS
    assert trips.credits(MOST, measured_ns + ALONE_EVERY_NS) == 2
    assert trips.credits(MOST, measured_ns + ALONE_EVERY_NS + 1) == 1
