"""Faces that are left out are said, once for each camera, and shown while it lasts."""

from turnstile.vision.engines.crowds import FORGET_S, CrowdWatch


def test_a_camera_with_a_poster_is_named_once_and_shown_while_it_lasts() -> None:
    """With how many faces of how many were left out, and what to do."""
    watch = CrowdWatch()
    assert watch.note("front_door", found=8, left_out=0, now_s=0.0) == ""
    said = watch.note("front_door", found=84, left_out=76, now_s=1.0)
    assert said.startswith("front_door: 76 of 84 faces in a frame were not encoded")
    assert "cover it or turn the camera away" in said
    assert watch.note("front_door", found=83, left_out=75, now_s=50.0) == ""
    assert watch.hints(50.0 + FORGET_S) == {"front_door": said}
    assert watch.hints(51.0 + FORGET_S) == {}
    assert watch.note("front_door", found=9, left_out=1, now_s=200.0) != ""
