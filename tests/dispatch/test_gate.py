"""Which frames need no look: those of an empty scene that has not changed, and no others."""

import msgspec
import pytest

from tests.support.builders import START_NS, a_face, a_frame, a_result
from turnstile.dispatch.gate import Gate
from turnstile.protocol.messages import Face, Frame
from turnstile.site.recognition import RecognitionSettings

MS = 1_000_000
MOVED = 0.25
"""A change as of somebody who walks in."""


class Hall:
    """A camera of ten frames a second before an empty hall, and what is known of it."""

    def __init__(self, **settings: float) -> None:
        self.gate = Gate(msgspec.structs.replace(RecognitionSettings(min_face_px=20), **settings))
        self.now_ns = START_NS
        self.seq = 0

    def films(
        self, change: float | None = 0.0, *, frames: int = 1, missing: int = 0, instance: str | None = None
    ) -> list[bool]:
        """Return of frames whether each needs a look."""
        self.seq += missing
        return [self.gate.needs_look(self._next(change, instance), self.now_ns) for _ in range(frames)]

    def is_looked_at(
        self, *faces: Face, ago_ms: int = 0, full_scan: bool = True, problem: str = ""
    ) -> "Hall":
        """Let a recognizer answer the frame that came so long ago."""
        result = a_result(*faces, full_scan=full_scan, problem=problem)
        self.gate.learn(result, self.now_ns - ago_ms * MS)
        return self

    def _next(self, change: float | None, instance: str | None) -> Frame:
        self.seq += 1
        self.now_ns += 100 * MS
        return msgspec.structs.replace(a_frame(seq=self.seq, instance=instance), change=change)


def an_empty_hall(**settings: float) -> Hall:
    """Return a hall that was looked at just now, and found empty."""
    hall = Hall(**settings)
    hall.films(0.0)
    return hall.is_looked_at()


def test_frames_of_an_empty_scene_need_no_look() -> None:
    """Until a look is due."""
    assert not any(an_empty_hall().films(frames=19))


def test_each_scene_is_looked_at_every_two_seconds() -> None:
    """Somebody whom no change shows is found by then: who stood there from the start, or is in the dark."""
    hall = an_empty_hall()
    assert hall.films(frames=20) == [False] * 19 + [True]
    assert hall.films() == [True], "nobody has answered yet"
    assert hall.is_looked_at().films() == [False]


def test_how_often_is_a_setting() -> None:
    """A site that trusts its eyes less looks more often."""
    assert an_empty_hall(look_every_s=0.5).films(frames=5) == [False] * 4 + [True]


def test_nothing_is_saved_before_the_first_look() -> None:
    """A broker that starts knows nobody's place."""
    assert all(Hall().films(frames=5))


def test_a_change_is_held_until_a_look_that_began_after_it_is_answered() -> None:
    """A look at a frame from before the change has not seen it."""
    hall = an_empty_hall()
    assert hall.films(MOVED) == [True]
    assert hall.films(frames=3) == [True] * 3, "still again, and nobody has looked"
    hall.is_looked_at(ago_ms=400)
    assert hall.films() == [True]
    assert hall.is_looked_at(ago_ms=400).films() == [False], "the frame that changed was searched"


@pytest.mark.parametrize(("missing", "instance"), [(1, None), (0, "front_door-00000000")])
def test_a_frame_that_was_lost_may_have_shown_a_change(missing: int, instance: str | None) -> None:
    """On the way, by a full queue, or when the camera's process was started again."""
    hall = an_empty_hall()
    hall.films(frames=3)
    assert hall.films(missing=missing, instance=instance) == [True]
    assert hall.is_looked_at().films(instance=instance) == [False]


def test_a_camera_that_measures_no_change_is_always_looked_at() -> None:
    """One from before, or one that learns its background."""
    hall = an_empty_hall()
    assert all(hall.films(None) == [True] and hall.is_looked_at() for _ in range(5))


@pytest.mark.parametrize(("share", "needs"), [(90 / (64 * 48), False), (110 / (64 * 48), True)])
def test_less_than_a_quarter_of_the_smallest_face_is_no_change(share: float, needs: bool) -> None:  # noqa: FBT001
    """Of 20x20 pixels, 100: one cell of noise is less."""
    assert an_empty_hall().films(share) == [needs]


def test_while_somebody_is_in_view_every_frame_is_looked_at() -> None:
    """Somebody who stands still changes nothing."""
    hall = an_empty_hall().is_looked_at(a_face())
    assert all(hall.films(frames=10))
    assert hall.is_looked_at(a_face(), full_scan=False).films() == [True]
    assert hall.is_looked_at().films() == [False]


def test_a_look_that_did_not_see_everything_says_nothing() -> None:
    """Cannot look is not "not there"."""
    assert an_empty_hall().is_looked_at(problem="no JPEG").films() == [True]
    assert an_empty_hall().is_looked_at(full_scan=False).films() == [True]


def test_while_a_visit_is_open_every_frame_is_looked_at() -> None:
    """Absence ends a visit, and it is observed: a face that is missed for a moment has not left."""
    hall = an_empty_hall()
    hall.gate.note_visits("front_door", any_open=True)
    assert hall.films() == [True]
    hall.gate.note_visits("front_door", any_open=False)
    assert hall.films() == [False]


def test_a_late_answer_about_an_older_frame_changes_nothing() -> None:
    """Of two recognizers the slower one tells of somebody who has left since."""
    hall = an_empty_hall()
    hall.films(frames=3)
    assert hall.is_looked_at(ago_ms=0).is_looked_at(a_face(), ago_ms=200).films() == [False]


def test_cameras_do_not_mix_and_leave_nothing_behind() -> None:
    """One that was forgotten is looked at again."""
    hall = an_empty_hall()
    assert hall.gate.needs_look(msgspec.structs.replace(a_frame(camera="back"), change=0.0), hall.now_ns)
    hall.gate.forget("front_door")
    assert hall.films() == [True]


def test_a_site_may_look_at_every_frame() -> None:
    """As all did before."""
    assert all(an_empty_hall(skip_unchanged=False).films(frames=5))
