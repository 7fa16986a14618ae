"""Guided enrolment: poses, and what to say."""

from tests.support.builders import some_looks
from turnstile.requests.answers import PictureJudged
from turnstile.web.poses import POSE_WORDS, Poses


def judged(problem: str = "", weaknesses: str = "", **measured: float) -> PictureJudged:
    """Return what is said of a frame."""
    return PictureJudged(problem=problem, weaknesses=weaknesses, looks=some_looks(**measured))


def test_three_poses_are_asked_for_one_after_another() -> None:
    """Straight, turned, nodded: then it is enough."""
    poses = Poses()
    assert poses.guidance() == POSE_WORDS["straight"]
    poses.add(b"1", judged())
    assert poses.guidance() == POSE_WORDS["turned"]
    poses.add(b"2", judged(turn=0.2))
    assert poses.guidance() == POSE_WORDS["nodded"]
    poses.add(b"3", judged(nod=0.9))
    assert poses.wanted is None
    assert poses.guidance() == "Thank you, that is enough."
    assert [one.jpeg for one in poses.offered] == [b"1", b"2", b"3"]


def test_the_sharpest_frame_of_a_pose_is_kept() -> None:
    """A later one replaces it only if it is better."""
    poses = Poses()
    for jpeg, sharpness in ((b"1", 100.0), (b"2", 300.0), (b"3", 200.0)):
        poses.add(jpeg, judged(sharpness=sharpness))
    assert [one.jpeg for one in poses.offered] == [b"2"]


def test_a_refused_frame_tells_what_to_change() -> None:
    """It is never offered."""
    poses = Poses()
    poses.add(b"1", judged(problem="two faces"))
    assert poses.guidance() == "Please stay in view: two faces."
    assert poses.offered == ()


def test_a_weak_frame_is_offered_where_there_is_no_better() -> None:
    """Somebody with a bad camera is enrolled too, and told so."""
    poses = Poses()
    poses.add(b"1", judged(weaknesses="it is dark", sharpness=90.0))
    poses.add(b"2", judged(weaknesses="it is dark"))
    assert [one.jpeg for one in poses.offered] == [b"2"]
    poses.add(b"3", judged(sharpness=1.0))
    assert [one.jpeg for one in poses.offered] == [b"3"]
