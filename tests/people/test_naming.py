"""Naming: who a face is follows from its encoding and the broker's gallery, whatever a recognizer claims."""

import msgspec
import pytest

from tests.support.builders import a_face, a_result, an_encoding
from tests.support.crowd import ANN, BOB, EVE, encoding_of, seen
from turnstile.people.gallery import EMPTY, build_gallery
from turnstile.people.naming import MAX_NAMED, false_claims, name_faces
from turnstile.protocol.messages import Face, Result

GALLERY = build_gallery(
    "dlib-resnet-v1/raw", [(person, encoding_of(person, blur=0)) for person in (ANN, BOB)]
)


def named(face: Face) -> Face:
    """Return a face as the gallery names it."""
    (one,) = name_faces(a_result(face), GALLERY).faces
    return one


def test_a_name_that_was_never_enrolled_is_nobodys() -> None:
    """Its face is the nearest person's, and too far from that one to be let in."""
    forged = named(seen(EVE, as_person="Mallory", distance=0.0))
    assert forged.person in (ANN, BOB)
    assert forged.distance is not None
    assert forged.distance > 1


def test_a_distance_of_nothing_does_not_make_a_stranger_somebody() -> None:
    """The distance is that of the encodings."""
    forged = named(seen(EVE, as_person=ANN, distance=0.0))
    assert forged.distance is not None
    assert forged.distance > 1


def test_somebody_taken_for_another_is_who_the_encoding_says() -> None:
    """With the distances to the nearest and the second-best person."""
    face = named(seen(BOB, as_person=ANN, distance=0.0, margin=2.0))
    assert face.person == BOB
    assert face.distance == pytest.approx(0.05, abs=0.001)
    assert face.second_distance is not None
    assert face.second_distance > 1


@pytest.mark.parametrize("encoding", [b"", an_encoding()[:-4], b"\xff" * 512])
def test_a_face_without_a_valid_encoding_is_nobodys(encoding: bytes) -> None:
    """Missing, cut short, or not a number; the other faces of the frame keep their names."""
    faces = (msgspec.structs.replace(a_face(ANN, distance=0.0), encoding=encoding), seen(BOB))
    nobody, bob = name_faces(a_result(*faces), GALLERY).faces
    assert (nobody.person, nobody.distance, nobody.second_distance) == (None, None, None)
    assert bob.person == BOB


def test_nobody_has_a_name_while_nobody_is_enrolled() -> None:
    """Whatever is claimed."""
    result = name_faces(a_result(seen(ANN)), EMPTY)
    assert [face.person for face in result.faces] == [None]


def test_the_version_is_that_of_the_gallery_that_named() -> None:
    """An entry in the log says by which gallery it was made."""
    assert name_faces(a_result(), GALLERY).gallery_version == GALLERY.version


def test_faces_beyond_the_most_that_count_are_nobodys() -> None:
    """A frame full of faces takes a bounded time."""
    result = name_faces(a_result(*[seen(ANN)] * (MAX_NAMED + 2)), GALLERY)
    assert [face.person for face in result.faces] == [ANN] * MAX_NAMED + [None] * 2


def claim(**changes: object) -> Result:
    """Return what a recognizer with the same gallery says of Ann, with changes to the face."""
    result = name_faces(a_result(seen(ANN)), GALLERY)
    return msgspec.structs.replace(result, faces=(msgspec.structs.replace(result.faces[0], **changes),))


@pytest.mark.parametrize(
    ("changes", "false"),
    [
        ({}, 0),
        ({"distance": 0.0505}, 0),
        ({"person": BOB}, 1),
        ({"person": None}, 1),
        ({"distance": 0.0}, 1),
        ({"second_distance": None}, 1),
    ],
)
def test_claims_that_the_gallery_does_not_bear_out_are_counted(
    changes: dict[str, object], false: int
) -> None:
    """Rounding is none."""
    claimed = claim(**changes)
    assert false_claims(claimed, name_faces(claimed, GALLERY)) == false


def test_a_recognizer_with_another_gallery_makes_no_false_claims() -> None:
    """It has not got the newest yet."""
    claimed = msgspec.structs.replace(claim(person=BOB), gallery_version="before")
    assert false_claims(claimed, name_faces(claimed, GALLERY)) == 0
