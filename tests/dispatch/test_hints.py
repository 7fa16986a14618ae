"""Where each camera's faces were last."""

import pytest

from tests.support.builders import START_NS, a_box, a_face, a_result
from turnstile.dispatch.hints import MAX_AGE_NS, Hints
from turnstile.protocol.fields import Hint

MS = 1_000_000


def seen(*, at_ms: int = 0, left: int = 100, camera: str = "front_door", full_scan: bool = True) -> Hints:
    """Return what is known after one result with one face."""
    hints = Hints(confirm_every_s=0.5)
    learn(hints, at_ms=at_ms, left=left, camera=camera, full_scan=full_scan)
    return hints


def learn(
    hints: Hints, *, at_ms: int = 0, left: int = 100, camera: str = "front_door", full_scan: bool = True
) -> None:
    """Take in one result with one face."""
    face = a_face(left=left)
    hints.learn(a_result(face, camera=camera, full_scan=full_scan), START_NS + at_ms * MS)


def hint_at(hints: Hints, at_ms: int, *, camera: str = "front_door") -> Hint | None:
    """Return the hint for a frame that came at a time."""
    return hints.hint(camera, START_NS + at_ms * MS)


def test_the_next_frame_is_told_where_faces_were_and_how_long_ago() -> None:
    """On the broker's running clock."""
    assert hint_at(seen(), 250) == Hint(boxes_px=(a_box(),), age_s=0.25, frames_since_full_scan=0)


@pytest.mark.parametrize("at_ms", [-1, -60_000, MAX_AGE_NS // MS + 1, 3_600_000])
def test_a_frame_from_before_or_long_after_is_told_nothing(at_ms: int) -> None:
    """People move."""
    assert hint_at(seen(), at_ms) is None


def test_cameras_do_not_mix() -> None:
    """Each has its own faces."""
    hints = seen()
    assert hint_at(hints, 10, camera="back_door") is None
    learn(hints, camera="back_door", left=300)
    back, front = hint_at(hints, 10, camera="back_door"), hint_at(hints, 10)
    assert back is not None
    assert front is not None
    assert (back.boxes_px[0].left, front.boxes_px[0].left) == (300, 100)


def test_an_empty_result_takes_the_hint_back() -> None:
    """There is nobody to search near."""
    hints = seen()
    hints.learn(a_result(), START_NS + MS)
    assert hint_at(hints, 2) is None


def test_an_older_result_changes_nothing() -> None:
    """Two recognizers, the slower one with the older frame; the same frame twice."""
    hints = seen(at_ms=100, left=100)
    learn(hints, at_ms=50, left=300, full_scan=False)
    learn(hints, at_ms=100, left=300, full_scan=False)
    hint = hint_at(hints, 150)
    assert hint is not None
    assert (hint.boxes_px[0].left, hint.frames_since_full_scan) == (100, 0)


def test_results_since_a_full_scan_are_counted() -> None:
    """So that a newcomer is seen within a bound."""
    hints = seen()
    for turn in range(1, 4):
        learn(hints, at_ms=turn, full_scan=False)
        hint = hint_at(hints, turn + 1)
        assert hint is not None
        assert hint.frames_since_full_scan == turn
    learn(hints, at_ms=10)
    hint = hint_at(hints, 11)
    assert hint is not None
    assert hint.frames_since_full_scan == 0


def test_a_forgotten_camera_leaves_nothing_behind() -> None:
    """One that is gone for long."""
    hints = seen()
    hints.forget("front_door")
    hints.forget("never_seen")
    assert hint_at(hints, 1) is None
    learn(hints, at_ms=2, full_scan=False)
    hint = hint_at(hints, 3)
    assert hint is not None
    assert hint.frames_since_full_scan == 1


@pytest.mark.parametrize(("at_ms", "find_only"), [(100, (0,)), (499, (0,)), (500, ()), (900, ())])
def test_a_decided_face_is_encoded_every_half_second(at_ms: int, find_only: tuple[int, ...]) -> None:
    """In between it is enough to find it."""
    hints = seen()
    hints.note_decided("front_door", {a_box(): START_NS})
    hint = hint_at(hints, at_ms)
    assert hint is not None
    assert hint.find_only == find_only


def test_faces_that_are_not_decided_are_encoded() -> None:
    """Those need votes. So does one whose decision is of another place."""
    hints = seen()
    hints.note_decided("front_door", {a_box(left=101): START_NS, a_box(): 0})
    hint = hint_at(hints, 100)
    assert hint is not None
    assert hint.find_only == ()


@pytest.mark.parametrize(("left", "find_only"), [(185, ()), (195, (0,))])
def test_a_decided_face_that_another_comes_near_is_encoded(left: int, find_only: tuple[int, ...]) -> None:
    """They may change places between two frames: nearer than one and a half widths."""
    hints = Hints(confirm_every_s=0.5)
    hints.learn(a_result(a_face(), a_face(None, left=left)), START_NS)
    hints.note_decided("front_door", {a_box(): START_NS})
    hint = hint_at(hints, 100)
    assert hint is not None
    assert hint.find_only == find_only


def test_a_site_may_encode_every_face() -> None:
    """With ``confirm_every_s: 0``."""
    hints = Hints(confirm_every_s=0)
    hints.learn(a_result(a_face()), START_NS)
    hints.note_decided("front_door", {a_box(): START_NS})
    hint = hint_at(hints, 0)
    assert hint is not None
    assert hint.find_only == ()
