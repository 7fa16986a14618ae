"""Handing out work: newest frames, fairness, credits, leases, death, and what is set aside."""

from collections import Counter
from itertools import count
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.support.builders import a_frame
from turnstile.dispatch.dispatcher import (
    MAX_ATTEMPTS,
    MAX_FINISHED,
    MAX_PICTURES,
    Assignment,
    Dispatcher,
    Job,
)

LEASE_NS = 3_000_000_000
PICTURE_LEASE_NS = 20_000_000_000
MS = 1_000_000


def a_dispatcher() -> Dispatcher:
    """Return a dispatcher whose tokens are counted."""
    tokens = count(1)
    return Dispatcher(
        lease_ns=LEASE_NS, picture_lease_ns=PICTURE_LEASE_NS, new_token=lambda: f"{next(tokens):08x}"
    )


def a_pool(*recognizers: str, credits: int = 1) -> Dispatcher:  # noqa: A002 - the term of the field
    """Return a dispatcher with recognizers that are ready."""
    pool = a_dispatcher()
    for recognizer in recognizers:
        pool.joined(recognizer)
        assert pool.ready(recognizer, credits=credits)
    return pool


def a_job(
    key: str = "door", seq: int = 1, *, kind: Literal["frame", "picture"] = "frame", came_ns: int = 0
) -> Job:
    """Return a frame of a camera, or a picture."""
    return Job(kind=kind, key=key, seq=seq, body=a_frame(seq=seq), came_ns=came_ns)


def offer(pool: Dispatcher, *cameras: str, seq: int = 1, came_ns: int = 0) -> None:
    """Offer one frame of each camera."""
    for camera in cameras:
        pool.offer_frame(a_job(camera, seq, came_ns=came_ns))


def offer_pictures(pool: Dispatcher, *keys: str) -> None:
    """Offer pictures to enrol."""
    for key in keys:
        pool.offer_picture(a_job(key, kind="picture"))


def only(assignments: list[Assignment]) -> Assignment:
    """Return the one assignment made."""
    assert len(assignments) == 1
    return assignments[0]


def keys(assignments: list[Assignment]) -> list[str]:
    """Return the cameras and pictures handed out."""
    return [one.job.key for one in assignments]


def answer(pool: Dispatcher, assignment: Assignment) -> None:
    """Finish work and be ready for more, as a recognizer does."""
    assert pool.finish(assignment.token, assignment.recognizer) == assignment
    pool.ready(assignment.recognizer, credits=1)


def test_the_newest_frame_of_a_camera_wins() -> None:
    """Those it replaces are dropped and counted."""
    pool = a_pool("r1")
    for seq in (1, 2, 3):
        offer(pool, "door", seq=seq)
    assert only(pool.assign(0)).job.seq == 3
    assert pool.counts["dropped_newer_came"] == 2
    assert pool.assign(0) == []


def test_the_camera_that_waited_longest_is_served_first() -> None:
    """A fast camera's frames do not push out others', and are not pushed out for being young."""
    pool = a_pool("r1")
    served = []
    for turn in range(12):
        offer(pool, "b", "c", seq=turn, came_ns=turn * MS)
        for seq in range(5):
            offer(pool, "fast", seq=5 * turn + seq, came_ns=turn * MS + seq + 1)
        assignment = only(pool.assign(turn * MS + 9))
        served.append(assignment.job.key)
        answer(pool, assignment)
    assert Counter(served) == {"fast": 4, "b": 4, "c": 4}
    assert all(len(set(served[at : at + 3])) == 3 for at in range(10))


def test_the_cameras_whose_turn_is_next_are_known_before_anything_is_handed_out() -> None:
    """As many as recognizers have credits, so that their newest frames can be looked at first."""
    pool = a_pool("r1", "r2")
    offer(pool, "a", "b", "c")
    assert pool.due_cameras() == ["a", "b"]
    assert keys(pool.assign(0)) == ["a", "b"]
    assert pool.due_cameras() == []


def test_a_cameras_next_frame_can_wait_while_recognizers_do_not_need_it() -> None:
    """An earlier one waits, or is being recognized while nobody is free."""
    pool = a_pool("r1", "r2")
    offer(pool, "a")
    assert pool.can_wait("a")
    first = only(pool.assign(0))
    assert not pool.can_wait("a")
    offer(pool, "b")
    pool.assign(0)
    assert (pool.can_wait("a"), pool.can_wait("c")) == (True, False)
    pool.finish(first.token, first.recognizer)
    assert not pool.can_wait("a")


def test_recognizers_that_would_have_nothing_to_do_are_known() -> None:
    """Frames that were held back while all had work are looked at then."""
    pool = a_pool("r1", "r2", "r3", credits=2)
    offer(pool, "a")
    assert pool.without_work == 2
    pool.assign(0)
    assert pool.without_work == 2
    offer(pool, "a", "b")
    offer_pictures(pool, "p")
    assert pool.without_work == 0


def test_urgent_cameras_come_first_and_do_not_starve_others() -> None:
    """Somebody undecided is in view there; one in three frames is of a camera where somebody may come."""
    pool, served = a_pool("r1"), []
    for camera in ("c", "d"):
        pool.note_urgent(camera, is_urgent=True)
    for turn in range(12):
        offer(pool, "a", "b", "c", "d", seq=turn, came_ns=turn * MS)
        (due,) = pool.due_cameras()
        assignment = only(pool.assign(turn * MS))
        served.append(assignment.job.key)
        assert due == served[-1]
        answer(pool, assignment)
    assert served == ["c", "d", "a", "c", "d", "b"] * 2
    for camera in ("c", "d"):
        pool.note_urgent(camera, is_urgent=False)
    offer(pool, "a", "b", "c", "d", seq=13, came_ns=13 * MS)
    assert only(pool.assign(13 * MS)).job.key == "a"


def test_recognizers_take_turns() -> None:
    """Work spreads over the pool also when one would do."""
    pool = a_pool("r1", "r2", "r3")
    served = []
    for turn in range(1, 7):
        offer(pool, "door", seq=turn)
        assignment = only(pool.assign(turn * MS))
        served.append(assignment.recognizer)
        answer(pool, assignment)
    assert served == ["r1", "r2", "r3", "r1", "r2", "r3"]


def test_work_is_only_for_who_listens_and_is_ready() -> None:
    """A word that comes before the subscription is seen is not kept: it will be repeated."""
    pool = a_dispatcher()
    offer(pool, "door")
    assert not pool.ready("r1", credits=1)
    assert pool.assign(0) == []
    pool.joined("r1")
    assert pool.assign(0) == []
    assert pool.ready("r1", credits=1)
    assert only(pool.assign(0)).recognizer == "r1"


def test_nobody_gets_more_than_his_credits() -> None:
    """However often he says that he is ready."""
    pool = a_pool("r1", credits=2)
    offer(pool, "a", "b", "c")
    assert len(pool.assign(0)) == 2
    for _ in range(3):
        pool.ready("r1", credits=2)
        assert pool.assign(0) == []


def test_a_second_piece_goes_to_nobody_while_another_has_nothing_to_do() -> None:
    """Whoever became free first; and a piece knows whether it was handed out alone."""
    pool = a_pool("r1", "r2", credits=2)
    offer(pool, "a", "b", "c", "d", "e")
    made = pool.assign(0)
    assert [(one.recognizer, one.is_alone) for one in made] == [
        ("r1", True),
        ("r2", True),
        ("r1", False),
        ("r2", False),
    ]
    for one in (made[0], made[2], made[1]):
        pool.finish(one.token, one.recognizer)
        pool.ready(one.recognizer, credits=2)
    assert [one.recognizer for one in pool.assign(0)] == ["r1"]


def test_who_has_a_picture_gets_nothing_besides() -> None:
    """A frame would wait long behind it, and a picture behind frames might be blamed for one of them."""
    pool = a_pool("r1", credits=3)
    offer_pictures(pool, "p", "q")
    offer(pool, "a")
    (picture,) = pool.assign(0)
    assert picture.job.kind == "picture"
    pool.finish(picture.token, "r1")
    pool.ready("r1", credits=3)
    assert keys(pool.assign(0)) == ["a"]
    offer(pool, "b")
    assert keys(pool.assign(0)) == ["b"]


def test_a_finished_piece_brings_no_credit_by_itself() -> None:
    """Between a result and a goodbye nothing is handed out that would be lost."""
    pool = a_pool("r1")
    offer(pool, "a", "b")
    assignment = only(pool.assign(0))
    assert pool.finish(assignment.token, "r1") == assignment
    assert pool.assign(0) == []
    pool.ready("r1", credits=1)
    assert keys(pool.assign(0)) == ["b"]


def test_who_says_goodbye_gets_no_more_and_may_finish() -> None:
    """The frame in hand counts."""
    pool = a_pool("r1")
    offer(pool, "a")
    assignment = only(pool.assign(0))
    pool.resting("r1")
    offer(pool, "b")
    assert pool.assign(0) == []
    assert pool.finish(assignment.token, "r1") == assignment
    assert pool.left("r1") == []
    assert pool.counts["frames_written_off"] == 0


@pytest.mark.parametrize("recognizer", ["r2", "", "nobody"])
def test_only_who_has_the_work_can_finish_it(recognizer: str) -> None:
    """A token alone is not enough."""
    pool = a_pool("r1", "r2")
    offer(pool, "a")
    assignment = only(pool.assign(0))
    assert pool.finish(assignment.token, recognizer) is None
    assert pool.finish(assignment.token, "r1") == assignment
    assert pool.counts["refused_tokens"] == 1


def test_work_is_finished_once() -> None:
    """A result said twice is refused the second time."""
    pool = a_pool("r1")
    offer(pool, "a")
    assignment = only(pool.assign(0))
    answer(pool, assignment)
    assert pool.finish(assignment.token, "r1") is None
    assert (pool.counts["repeated_answers"], pool.counts["refused_tokens"]) == (1, 0)


def test_only_so_many_answers_are_remembered() -> None:
    """Memory is bounded: one said again after very many others is refused like any other."""
    pool = a_pool("r1")
    answered = []
    for seq in range(MAX_FINISHED + 1):
        offer(pool, "a", seq=seq, came_ns=seq)
        answered += pool.assign(seq)
        answer(pool, answered[-1])
    assert pool.finish(answered[-1].token, "r1") is None
    assert pool.finish(answered[0].token, "r1") is None
    assert (pool.counts["repeated_answers"], pool.counts["refused_tokens"]) == (1, 1)


@pytest.mark.parametrize("kind", ["frame", "picture"])
def test_who_was_cut_off_may_answer_within_the_lease(kind: Literal["frame", "picture"]) -> None:
    """The work is not handed out again then, and the answer is taken once."""
    pool = a_pool("r1")
    (pool.offer_frame if kind == "frame" else pool.offer_picture)(a_job("one", kind=kind))
    work = only(pool.assign(0))
    pool.left("r1")
    assert pool.finish(work.token, "r2") is None
    assert pool.finish(work.token, "r1") == work
    assert pool.finish(work.token, "r1") is None
    pool.joined("r1")
    pool.ready("r1", credits=1)
    assert pool.assign(1) == []
    assert pool.counts["answered_after_reconnect"] == 1


def test_who_was_cut_off_may_answer_although_a_newer_frame_came() -> None:
    """The newer one is handed out all the same."""
    pool = a_pool("r1")
    offer(pool, "door", seq=1, came_ns=1)
    work = only(pool.assign(1))
    pool.left("r1")
    offer(pool, "door", seq=2, came_ns=2)
    assert pool.finish(work.token, "r1") == work
    pool.joined("r1")
    pool.ready("r1", credits=1)
    assert only(pool.assign(3)).job.seq == 2


def test_who_was_cut_off_is_too_late_after_the_lease_or_when_the_work_is_not_wanted() -> None:
    """As everybody is."""
    pool = a_pool("r1")
    offer(pool, "door")
    frame = only(pool.assign(0))
    pool.left("r1")
    pool.expire(LEASE_NS)
    assert pool.finish(frame.token, "r1") is None
    pool = a_pool("r1")
    offer_pictures(pool, "p")
    picture = only(pool.assign(0))
    pool.left("r1")
    pool.withdraw_picture("p")
    assert pool.finish(picture.token, "r1") is None


def test_a_dead_recognizers_frame_goes_to_another() -> None:
    """At once, when its connection closes; its late result is refused."""
    pool = a_pool("r1")
    offer(pool, "door")
    lost = only(pool.assign(0))
    assert pool.left("r1") == []
    pool.joined("r2")
    pool.ready("r2", credits=1)
    again = only(pool.assign(1))
    assert (again.job.key, again.job.seq, again.recognizer) == ("door", 1, "r2")
    assert again.token != lost.token
    assert pool.finish(lost.token, "r1") is None
    assert pool.finish(again.token, "r2") == again


@pytest.mark.parametrize("handed_out", [False, True])
def test_a_newer_frame_replaces_the_one_a_dead_recognizer_had(*, handed_out: bool) -> None:
    """Whether it still waits or is with another recognizer: nobody looks at old pictures."""
    pool = a_pool("r1", "r2", "r3")
    offer(pool, "door", seq=1, came_ns=1)
    lost = only(pool.assign(1))
    offer(pool, "door", seq=2, came_ns=2)
    newer = pool.assign(2) if handed_out else []
    pool.left(lost.recognizer)
    newer += pool.assign(3)
    assert only(newer).job.seq == 2
    assert pool.counts["dropped_newer_came"] == 1
    assert pool.assign(4) == []


@pytest.mark.parametrize(("kind", "lease_ns"), [("frame", LEASE_NS), ("picture", PICTURE_LEASE_NS)])
def test_work_is_written_off_when_its_lease_ends(kind: Literal["frame", "picture"], lease_ns: int) -> None:
    """Not before; and who had it gets nothing until he says that he is ready."""
    pool = a_pool("r1")
    offered = a_job("one", kind=kind)
    if kind == "frame":
        pool.offer_frame(offered)
    else:
        pool.offer_picture(offered)
    late = only(pool.assign(5))
    assert late.expires_ns == 5 + lease_ns
    assert pool.expire(5 + lease_ns - 1) == []
    assert pool.counts["leases_ended"] == 0
    assert pool.expire(5 + lease_ns) == []
    assert pool.counts["leases_ended"] == 1
    assert pool.assign(5 + lease_ns) == []
    assert pool.finish(late.token, "r1") is None
    pool.ready("r1", credits=1)
    assert only(pool.assign(5 + lease_ns)).job.attempts == 1


@pytest.mark.parametrize("kind", ["frame", "picture"])
def test_what_took_two_recognizers_down_is_set_aside(kind: Literal["frame", "picture"]) -> None:
    """One poisonous picture does not walk through the whole pool."""
    pool = a_pool("r1", "r2", "r3")
    poison = a_job("poison", kind=kind)
    if kind == "frame":
        pool.offer_frame(poison)
    else:
        pool.offer_picture(poison)
    set_aside = []
    for _ in range(MAX_ATTEMPTS):
        set_aside += pool.left(only(pool.assign(0)).recognizer)
    assert [job.key for job in set_aside] == ["poison"]
    assert pool.assign(0) == []
    assert pool.counts[f"{kind}s_set_aside"] == 1
    assert pool.recognizers == ("r3",)


def test_a_recognizer_that_comes_back_is_a_new_one() -> None:
    """It owes nothing and has said nothing."""
    pool = a_pool("r1")
    offer(pool, "door")
    pool.assign(0)
    pool.left("r1")
    pool.joined("r1")
    assert pool.assign(0) == []
    pool.ready("r1", credits=1)
    assert len(pool.assign(0)) == 1


def test_joining_twice_changes_nothing() -> None:
    """A reconnecting subscriber is announced again before the old connection's end is seen."""
    pool = a_pool("r1")
    offer(pool, "a", "b")
    assert len(pool.assign(0)) == 1
    pool.joined("r1")
    assert pool.assign(0) == []


def test_pictures_take_half_of_a_pool_at_most() -> None:
    """The doors stay open while a hundred people are enrolled."""
    pool = a_pool("r1", "r2", "r3", "r4")
    offer_pictures(pool, *(f"p{at}" for at in range(10)))
    offer(pool, "a", "b", "c", "d")
    handed_out = pool.assign(0)
    assert Counter(one.job.kind for one in handed_out) == {"frame": 2, "picture": 2}
    assert pool.waiting_pictures == 10


def test_pictures_and_frames_take_turns_with_one_recognizer() -> None:
    """Neither waits for the end of the other."""
    pool = a_pool("r1")
    offer_pictures(pool, *(f"p{at}" for at in range(4)))
    kinds = []
    for seq in range(6):
        offer(pool, "door", seq=seq)
        assignment = only(pool.assign(seq))
        kinds.append(assignment.job.kind)
        answer(pool, assignment)
    assert kinds == ["picture", "frame"] * 3


def test_pictures_do_not_wait_for_frames_that_do_not_come() -> None:
    """At night all recognizers' time is theirs."""
    pool = a_pool("r1")
    offer_pictures(pool, "p1", "p2", "p3")
    for key in ("p1", "p2", "p3"):
        assignment = only(pool.assign(0))
        assert assignment.job.key == key
        answer(pool, assignment)
    assert pool.waiting_pictures == 0


def test_a_picture_taken_back_is_not_handed_out() -> None:
    """It was deleted from the folder while it waited."""
    pool = a_pool("r1")
    offer_pictures(pool, "p1", "p2")
    pool.withdraw_picture("p1")
    assert keys(pool.assign(0)) == ["p2"]


def test_a_picture_taken_back_while_it_is_encoded_is_refused() -> None:
    """And whoever is busy with it gets no more until he says that he is ready."""
    pool = a_pool("r1")
    offer_pictures(pool, "p1")
    assignment = only(pool.assign(0))
    pool.withdraw_picture("p1")
    assert pool.waiting_pictures == 0
    offer(pool, "door")
    assert pool.assign(0) == []
    assert pool.finish(assignment.token, "r1") is None
    pool.ready("r1", credits=1)
    assert keys(pool.assign(0)) == ["door"]


def test_the_queue_of_pictures_is_bounded() -> None:
    """What does not fit is counted."""
    pool = a_dispatcher()
    for _ in range(MAX_PICTURES + 2):
        pool.offer_picture(a_job("p", kind="picture"))
    assert pool.waiting_pictures == MAX_PICTURES
    assert pool.counts["dropped_pictures"] == 2


def test_a_forgotten_camera_leaves_nothing_behind() -> None:
    """Its last frame is not handed out after an hour."""
    pool = a_pool("r1")
    offer(pool, "gone")
    pool.forget_camera("gone")
    pool.forget_camera("never_seen")
    assert pool.assign(0) == []


def test_strangers_may_leave_and_rest() -> None:
    """Whoever says goodbye without having come changes nothing."""
    pool = a_pool("r1")
    pool.resting("nobody")
    assert pool.left("nobody") == []
    assert pool.recognizers == ("r1",)


class Site(RuleBasedStateMachine):
    """A site of honest recognizers that die, stall and come back while frames and pictures come in.

    A recognizer keeps a queue of what was handed to it. It says that it is ready after each answer, and
    again while it has nothing to do.
    """

    recognizers = Bundle("recognizers")

    def __init__(self) -> None:
        super().__init__()
        self.pool = a_dispatcher()
        self.now_ns = 1
        self.seq = 0
        self.capacity: dict[str, int] = {}
        self.queues: dict[str, list[Assignment]] = {}
        self.out: dict[str, Assignment] = {}
        self.cut_off: dict[str, Assignment] = {}
        self.tokens: set[str] = set()
        self.finished: Counter[str] = Counter()
        self.waiting_turns: dict[str, int] = {}
        self.withdrawn = 0
        self.pictures = 0

    def note_written_off(self, recognizer: str | None = None) -> None:
        """Forget what is out with a recognizer, or what is late."""
        self.out = {
            token: one
            for token, one in self.out.items()
            if (one.recognizer != recognizer if recognizer else one.expires_ns > self.now_ns)
        }
        self.cut_off = {
            token: one for token, one in self.cut_off.items() if one.expires_ns > self.now_ns or recognizer
        }

    @rule(target=recognizers, capacity=st.integers(1, 3))
    def join(self, capacity: int) -> str:
        """Start a recognizer."""
        name = f"r{len(self.capacity) + 1}"
        self.capacity[name], self.queues[name] = capacity, []
        self.pool.joined(name)
        return name

    @rule(recognizer=recognizers)
    def say_ready(self, recognizer: str) -> None:
        """Repeat it, as an idle recognizer does."""
        if recognizer in self.queues and not self.queues[recognizer]:
            assert self.pool.ready(recognizer, credits=self.capacity[recognizer])

    @rule(recognizer=recognizers)
    def answer(self, recognizer: str) -> None:
        """Finish the oldest piece of work; a late one is refused."""
        if self.queues.get(recognizer):
            work = self.queues[recognizer].pop(0)
            waiting = self.pool.waiting_frames + self.pool.waiting_pictures
            taken = self.pool.finish(work.token, recognizer)
            if work.token in self.cut_off:
                assert taken == self.cut_off.pop(work.token)
                did_wait = self.pool.waiting_frames + self.pool.waiting_pictures < waiting
                self.finished[work.job.kind] += did_wait
                if did_wait:
                    self.waiting_turns.pop(work.job.key, None)
            else:
                assert taken == self.out.pop(work.token, None)
                self.finished[work.job.kind] += taken is not None
            self.pool.ready(recognizer, credits=self.capacity[recognizer])

    @rule(recognizer=recognizers)
    def say_goodbye(self, recognizer: str) -> None:
        """Want no more."""
        if recognizer in self.queues:
            self.pool.resting(recognizer)

    @rule(recognizer=consumes(recognizers))
    def die(self, recognizer: str) -> None:
        """Close the connection with work in hand."""
        if self.queues.pop(recognizer, None) is not None:
            self.note_written_off(recognizer)
            assert all(job.attempts == MAX_ATTEMPTS for job in self.pool.left(recognizer))

    @rule(recognizer=recognizers)
    def be_cut_off(self, recognizer: str) -> None:
        """Lose the connection with work in hand, and come again at once."""
        if recognizer in self.queues:
            mine = [one for one in self.out.values() if one.recognizer == recognizer]
            self.cut_off |= {one.token: one for one in mine if one.job.attempts + 1 < MAX_ATTEMPTS}
            self.note_written_off(recognizer)
            self.pool.left(recognizer)
            self.pool.joined(recognizer)
            self.queues[recognizer] = self.queues.pop(recognizer)

    @rule(camera=st.sampled_from("abcd"), frames=st.integers(1, 3))
    def send_frames(self, camera: str, frames: int) -> None:
        """Capture."""
        for _ in range(frames):
            self.seq += 1
            self.now_ns += 1
            self.pool.offer_frame(a_job(camera, self.seq, came_ns=self.now_ns))
        self.waiting_turns.setdefault(camera, 0)

    @rule(key=st.sampled_from("pqr"))
    def add_picture(self, key: str) -> None:
        """Enrol; no two pictures come at the same time, or one answer would be for both."""
        self.now_ns += 1
        self.pictures += 1
        self.pool.offer_picture(a_job(key, kind="picture", came_ns=self.now_ns))

    @rule(key=st.sampled_from("pqr"))
    def delete_picture(self, key: str) -> None:
        """Take back a picture."""
        before = self.pool.waiting_pictures
        self.pool.withdraw_picture(key)
        self.withdrawn += before - self.pool.waiting_pictures
        self.out = {token: one for token, one in self.out.items() if one.job.key != key}
        self.cut_off = {token: one for token, one in self.cut_off.items() if one.job.key != key}

    @rule(ms=st.sampled_from([1, 50, 2000, 25_000]))
    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.now_ns += ms * MS
        self.pool.expire(self.now_ns)
        self.note_written_off()

    @rule()
    def hand_out(self) -> None:
        """Do what the broker does at the end of each step."""
        for one in self.pool.assign(self.now_ns):
            assert one.token not in self.tokens
            assert one.job.attempts < MAX_ATTEMPTS
            self.tokens.add(one.token)
            self.cut_off = {
                token: late
                for token, late in self.cut_off.items()
                if (late.job.key, late.job.seq, late.job.came_ns)
                != (one.job.key, one.job.seq, one.job.came_ns)
            }
            self.out[one.token] = one
            self.queues[one.recognizer].append(one)
            if one.job.kind == "frame":
                self.note_served(one.job.key)

    def note_served(self, camera: str) -> None:
        """Check that no camera that waits is overtaken by each other more than once."""
        self.waiting_turns.pop(camera, None)
        for other in self.waiting_turns:
            self.waiting_turns[other] += 1
            assert self.waiting_turns[other] <= len("abcd")

    @invariant()
    def nobody_has_more_than_his_credits(self) -> None:
        """Of work that is still his; what was written off may still stand in his queue."""
        out = Counter(one.recognizer for one in self.out.values())
        assert all(number <= self.capacity[recognizer] for recognizer, number in out.items())

    @invariant()
    def one_at_a_time_means_one_at_a_time(self) -> None:
        """A recognizer of one credit never finds a second piece of work in its queue."""
        assert all(len(queue) <= 1 for name, queue in self.queues.items() if self.capacity[name] == 1)

    @invariant()
    def every_frame_is_somewhere(self) -> None:
        """Waiting, out, finished, dropped for a newer one, or set aside."""
        counts = self.pool.counts
        frames_out = sum(one.job.kind == "frame" for one in self.out.values())
        done = self.finished["frame"] + counts["dropped_newer_came"] + counts["frames_set_aside"]
        assert counts["frames_offered"] == self.pool.waiting_frames + frames_out + done

    @invariant()
    def every_picture_is_somewhere(self) -> None:
        """Waiting or out, finished, taken back, or set aside."""
        done = self.finished["picture"] + self.withdrawn + self.pool.counts["pictures_set_aside"]
        assert self.pictures == self.pool.waiting_pictures + done

    @invariant()
    def the_pool_is_who_came_and_did_not_leave(self) -> None:
        """In the order they came."""
        assert set(self.pool.recognizers) == set(self.queues)

    def teardown(self) -> None:
        """Drain: with everybody answering, all that waits is finished in the end."""
        work = self.pool.waiting_frames + self.pool.waiting_pictures + len(self.queues)
        for _ in range(work + 1):
            self.now_ns += MS
            for recognizer in self.queues:
                while self.queues[recognizer]:
                    self.answer(recognizer)
                self.say_ready(recognizer)
            self.hand_out()
        if self.queues:
            assert not self.pool.waiting_frames
            assert not self.pool.waiting_pictures


Site.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestSite = Site.TestCase
