"""Pictures of one person that show two, and of two people that show one."""

import numpy as np
import pytest

from tests.support.builders import some_encodings
from turnstile.people.agreement import (
    MAX_OF_A_PERSON,
    RAW,
    UNIT,
    EnrolledPicture,
    alike,
    bounds_of,
    by_person,
    by_reason,
    disagreeing,
    groups_in_words,
)

FACES = some_encodings(4, seed=7)


def a_picture(file: str, person: str, face: int, *, apart: float = 0.0, digest: str = "") -> EnrolledPicture:
    """Return a picture of one of four faces, so far from that face's other pictures."""
    row = FACES[face].copy()
    row[0] += np.float32(apart)
    return EnrolledPicture(file, person, digest or file, row.tobytes())


def test_pictures_of_one_face_agree() -> None:
    """Also by way of others, as people age."""
    pictures = [a_picture(f"ann_{at}.jpg", "Ann", 0, apart=0.3 * at) for at in range(4)]
    assert disagreeing(pictures, UNIT) == {}


def test_two_pictures_of_two_faces_are_both_left_out_and_named() -> None:
    """Nobody can tell which of them is the person."""
    pictures = [a_picture("employee_1.jpg", "Employee", 0), a_picture("employee_2.jpg", "Employee", 1)]
    found = disagreeing(pictures, UNIT)
    assert list(found) == ["employee_1.jpg", "employee_2.jpg"]
    (reason,) = set(found.values())
    assert reason == (
        "Employee's by name, and none of their 2 faces is in more than half of them (up to "
        f"{np.linalg.norm(FACES[0] - FACES[1]):.2f} apart; one person's are within 0.42): "
        "name each picture after whom it shows"
    )


def test_one_picture_of_somebody_else_is_left_out() -> None:
    """Where most show one face, the others are wrong."""
    pictures = [a_picture(f"ann_{at}.jpg", "Ann", face) for at, face in enumerate((0, 1, 0))]
    ((file, reason),) = disagreeing(pictures, UNIT).items()
    assert file == "ann_1.jpg"
    assert reason.startswith("Ann's by name, and not the face of faces/ann_0.jpg and most others (")


def test_pictures_left_out_together_have_one_reason() -> None:
    """So that a folder of somebody else's pictures is one line, not a hundred."""
    pictures = [a_picture(f"ann_{at}.jpg", "Ann", face) for at, face in enumerate((0, 0, 0, 0, 1, 1, 2))]
    found = by_reason(disagreeing(pictures, UNIT))
    assert list(found.values()) == [["ann_4.jpg", "ann_5.jpg"], ["ann_6.jpg"]]


@pytest.mark.parametrize("faces", [(0, 0, 1, 1), (0, 0, 1, 2), (0, 1, 2)])
def test_without_a_majority_all_are_left_out(faces: tuple[int, ...]) -> None:
    """Two of four who look alike need not be the person."""
    pictures = [a_picture(f"ann_{at}.jpg", "Ann", face) for at, face in enumerate(faces)]
    assert len(disagreeing(pictures, UNIT)) == len(faces)


def test_the_work_for_one_person_is_bounded() -> None:
    """A folder of 2,000 pictures called IMG_… is one person by name."""
    pictures = [a_picture(f"img_{at}.jpg", "Img", 0) for at in range(MAX_OF_A_PERSON + 1)]
    assert disagreeing(pictures, UNIT) == {
        f"img_{MAX_OF_A_PERSON}.jpg": f"beyond the first {MAX_OF_A_PERSON} pictures of Img"
    }


def test_equal_pictures_of_two_people_are_named() -> None:
    """Both files, and what comes of it."""
    ann, bob = a_picture("ann.jpg", "Ann", 0, digest="1"), a_picture("bob.jpg", "Bob", 0, digest="1")
    cid = a_picture("cid.jpg", "Cid", 1)
    (said,) = groups_in_words(alike([bob, cid], [ann, bob, cid], UNIT))
    assert said == (
        "faces/ann.jpg (Ann) and faces/bob.jpg (Bob) are the same picture: both are used, and whom they show "
        "may be ambiguous, and is denied then; keep those of one person, or name both after one person"
    )


def test_pictures_that_show_one_face_are_one_line_however_many_people_they_name() -> None:
    """Also by way of others; the line names some, and says how near the nearest two are."""
    ann = [a_picture("ann.jpg", "Ann", 0), a_picture("ann_2.jpg", "Ann", 0, apart=0.1)]
    bob = [a_picture("bob.jpg", "Bob", 0, apart=0.2)]
    (said,) = groups_in_words(alike(ann, ann + bob, UNIT))
    assert said.startswith(
        "faces/ann.jpg (Ann), faces/ann_2.jpg (Ann) and faces/bob.jpg (Bob) show nearly the same face (0.10 "
        "apart, the nearest two): all are used"
    )
    assert groups_in_words(alike(bob, ann + bob, UNIT)) == [said]
    crowd = [a_picture(f"p{at}.jpg", f"P{at}", 1, digest="1") for at in range(9)]
    one, other = groups_in_words(alike(ann + crowd, ann + bob + crowd, UNIT))
    assert one.startswith("faces/p0.jpg (P0), faces/p1.jpg (P1), ")
    assert " and 4 more are the same picture: all are used" in one
    assert other == said


def test_people_who_are_told_apart_are_not_named() -> None:
    """Nor is one person's own couple of pictures; and of nobody there is nothing to say."""
    pictures = [
        a_picture("ann.jpg", "Ann", 0),
        a_picture("ann_2.jpg", "Ann", 0),
        a_picture("bob.jpg", "Bob", 1),
    ]
    assert alike(pictures, pictures, UNIT) == set()
    assert alike([], pictures, UNIT) == alike(pictures, [], UNIT) == set()


def test_raw_encodings_have_bounds_of_their_own() -> None:
    """They are longer."""
    assert bounds_of("dlib-resnet-v1/raw") is RAW
    assert bounds_of("dlib-resnet-v1/mirror+paddings") is UNIT


def test_pictures_are_grouped_by_person() -> None:
    """In the order in which they come."""
    ann, bob = a_picture("ann.jpg", "Ann", 0), a_picture("bob.jpg", "Bob", 1)
    assert by_person([bob, ann, bob]) == {"Bob": [bob, bob], "Ann": [ann]}
