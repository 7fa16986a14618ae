"""Which face continues which trail: encodings before places, the nearest pairs first, each once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import a_box, a_face
from tests.support.crowd import ANN, BOB, EVE, encoding_of, seen
from turnstile.access.linking import MAX_RECENT, Trail, encoding_gaps, follow, followed, link
from turnstile.protocol.messages import Face
from turnstile.protocol.places import apart_widths

LINK = 0.45


def a_trail(who: str | None, *, left: int = 100, person: str | None = None, certain: bool = False) -> Trail:
    """Return a trail of somebody."""
    return Trail(
        box_px=a_box(left=left), encodings=(encoding_of(who, take=99),), person=person, certain=certain
    )


def linked(
    trails: list[Trail], faces: list[Face], names: list[str | None] | None = None
) -> tuple[dict[int, int], tuple[int, ...], dict[int, int]]:
    """Return the links of faces that are taken for nobody, unless names are given."""
    return link(trails, faces, names or [None] * len(faces), link_distance=LINK)


def test_encodings_link_across_the_picture() -> None:
    """Two people who changed places between two frames keep their trails."""
    trails = [a_trail(ANN, left=100), a_trail(EVE, left=400)]
    assert linked(trails, [seen(EVE, left=100), seen(ANN, left=400)])[0] == {0: 1, 1: 0}


def test_another_encoding_in_the_same_place_is_somebody_else() -> None:
    """It is told whose place it takes."""
    assert linked([a_trail(ANN)], [seen(EVE)]) == ({}, (0,), {0: 0})


def test_a_name_links_an_encoding_that_does_not() -> None:
    """Somebody recognised is the same person in any pose."""
    turned = seen(ANN, blur=0.9, left=500)
    assert linked([a_trail(ANN, person=ANN)], [turned], [ANN])[0] == {0: 0}
    assert linked([a_trail(ANN, person=ANN)], [turned], [None])[0] == {}


def test_another_name_never_continues_a_trail_with_a_verdict() -> None:
    """However alike the two look."""
    trail = a_trail(ANN, person=ANN, certain=True)
    assert linked([trail], [seen(ANN)], [BOB])[0] == {}
    assert linked([trail], [seen(ANN)], [None])[0] == {0: 0}


def test_of_two_faces_alike_the_nearer_one_continues() -> None:
    """Twins side by side keep their places."""
    trails = [a_trail(ANN, left=100), a_trail(ANN, left=200)]
    faces = [seen(ANN, left=205, take=99), seen(ANN, left=105, take=99)]
    assert linked(trails, faces)[0] == {0: 1, 1: 0}


def test_without_encodings_places_link() -> None:
    """Up to one width apart, and only where there is nothing better."""
    trail = Trail(box_px=a_box(left=100))
    assert linked([trail], [a_face(None, left=140)])[0] == {0: 0}
    assert linked([trail], [a_face(None, left=161)])[0] == {}
    assert linked([a_trail(ANN)], [a_face(None, left=120), seen(ANN, left=300)])[0] == {0: 1}


def test_a_trail_remembers_few_encodings() -> None:
    """The latest, and only those it is told to keep."""
    trail = a_trail(ANN)
    for take in range(5):
        trail = follow(trail, seen(ANN, take=take), person=None, keep_encoding=take != 4)
    assert trail.encodings == tuple(encoding_of(ANN, take=take) for take in (1, 2, 3))
    assert len(trail.encodings) == MAX_RECENT


def test_gaps_are_nan_where_an_encoding_is_missing_or_broken() -> None:
    """What cannot be compared is neither near nor far."""
    broken = np.full(128, np.nan, "<f4").tobytes()
    faces = [
        seen(ANN),
        a_face(ANN),
        Face(box_px=a_box(), encoding=b"short"),
        Face(box_px=a_box(), encoding=broken),
    ]
    gaps = encoding_gaps([a_trail(ANN), Trail(box_px=a_box())], faces)
    assert gaps.shape == (2, 4)
    assert gaps[0, 0] < LINK
    assert np.isnan(gaps[0, 1:]).all()
    assert np.isnan(gaps[1]).all()
    assert encoding_gaps([], []).shape == (0, 0)


def test_distance_in_the_picture_is_measured_in_faces() -> None:
    """Near is near at any distance from the camera."""
    assert apart_widths(a_box(left=0, size=60), a_box(left=60, size=60)) == 1.0
    assert apart_widths(a_box(left=0, size=60), a_box(left=0, size=60)) == 0.0


people = st.sampled_from([ANN, BOB, EVE])
lefts = st.integers(0, 600)


@given(
    trails=st.lists(st.tuples(people, lefts, st.booleans()), max_size=6),
    faces=st.lists(st.tuples(people, lefts, st.booleans()), max_size=6),
)
def test_each_face_and_each_trail_is_used_once(
    trails: list[tuple[str | None, int, bool]], faces: list[tuple[str | None, int, bool]]
) -> None:
    """And everybody is accounted for."""
    made = [a_trail(who, left=left, person=who if named else None) for who, left, named in trails]
    shown = [seen(who, left=left, take=left) for who, left, _ in faces]
    names = [who if named else None for who, _, named in faces]
    face_of, fresh, displaced = link(made, shown, names, link_distance=LINK)
    assert sorted((*face_of.values(), *fresh)) == list(range(len(faces)))
    assert set(displaced) <= set(fresh)
    assert not set(displaced.values()) & set(face_of)
    assert len(set(displaced.values())) == len(displaced)
    assert all(trails[t][0] == faces[f][0] for t, f in face_of.items())


def test_of_a_crowd_those_encoded_and_those_in_view_before_are_followed() -> None:
    """However many other faces are bigger."""
    others = [a_face(None, left=1000 + 100 * at, size=90) for at in range(40)]
    near, encoded = a_face(None, left=105, size=50), seen(BOB, left=600)
    faces = followed([a_trail(ANN, left=100)], [*others, near, encoded], at_most=32)
    assert list(faces) == [encoded, near, *others[:30]]
    assert list(followed([], others[:32], at_most=32)) == others[:32]
