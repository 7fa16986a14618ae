"""Which face continues which trail: encodings before places, the nearest pairs first, each once."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import a_box, a_face
from tests.support.crowd import ANN, BOB, EVE, encoding_of, seen
from turnstile.access.linking import (
    MAX_RECENT,
    SETTLED,
    TURNED,
    Trail,
    are_one_person,
    are_two_people,
    follow,
    followed,
    gaps_between,
    link,
    with_voter,
)
from turnstile.people.crowding import CENTRES, crowding
from turnstile.protocol.fields import apart_widths
from turnstile.protocol.messages import Face

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
    return link(trails, faces, names or [None] * len(faces), link_distance=LINK)[:3]


def test_encodings_link_across_the_picture() -> None:
    """Two people who changed places between two frames keep their trails."""
    trails = [a_trail(ANN, left=100), a_trail(EVE, left=400)]
    assert linked(trails, [seen(EVE, left=100), seen(ANN, left=400)])[0] == {0: 1, 1: 0}


def test_another_encoding_in_the_same_place_is_somebody_else() -> None:
    """It is told whose place it takes."""
    assert linked([a_trail(ANN)], [seen(EVE)]) == ({}, (0,), {0: 0})


def test_a_name_links_no_encoding_that_does_not() -> None:
    """A look-alike is given the name of the person before, which is no evidence."""
    look_alike = seen(EVE, as_person=ANN)
    assert linked([a_trail(ANN, person=ANN)], [look_alike], [ANN]) == ({}, (0,), {0: 0})


def test_a_face_far_from_the_mean_of_a_trail_is_somebody_else() -> None:
    """However near its latest encoding: else one face would become another in small steps."""
    latest = encoding_of(ANN, blur=0.4)
    trail = msgspec.structs.replace(a_trail(ANN), encodings=(latest,))
    for take in range(SETTLED):
        trail = with_voter(trail, seen(ANN, take=take))
    farther = msgspec.structs.replace(seen(ANN), encoding=encoding_of(ANN, blur=0.8))
    assert gaps_between([trail], [farther]).to_latest[0, 0] < LINK
    assert linked([trail], [farther]) == ({}, (0,), {0: 0})


@pytest.mark.parametrize(
    ("blur", "left", "turned_before", "turn", "continues"),
    [
        (0.55, 100, False, TURNED + 0.01, True),
        (0.55, 100, True, None, True),
        (0.55, 100, False, TURNED, False),
        (0.55, 400, False, TURNED + 0.01, False),
        (0.8, 100, False, TURNED + 0.01, False),
    ],
)
def test_a_turned_face_in_the_same_place_may_be_farther(
    blur: float, left: int, *, turned_before: bool, turn: float | None, continues: bool
) -> None:
    """As far as one seen badly, whether it turns away or back."""
    trail = follow(a_trail(ANN), seen(ANN, take=99, turn=0.5 if turned_before else 0.0), person=None)
    face = seen(ANN, blur=blur, left=left, turn=turn)
    assert (linked([trail], [face])[0] == {0: 0}) is continues


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
    """The latest."""
    trail = a_trail(ANN)
    for take in range(5):
        trail = follow(trail, seen(ANN, take=take), person=None)
    assert trail.encodings == tuple(encoding_of(ANN, take=take) for take in (2, 3, 4))
    assert len(trail.encodings) == MAX_RECENT


def test_a_trail_remembers_no_encoding_far_from_its_mean() -> None:
    """One frame of a look-alike that is near enough to one of its latest leads to no other."""
    latest = encoding_of(ANN, blur=0.4)
    trail = msgspec.structs.replace(a_settled_trail(ANN), encodings=(latest,))
    far = msgspec.structs.replace(seen(ANN), encoding=encoding_of(ANN, blur=0.55))
    links = link([trail], [far], [None], link_distance=LINK)
    assert links.face_of == {0: 0}
    assert links.strayed == {0}
    assert follow(trail, far, person=None, strayed=True).encodings == trail.encodings
    assert follow(trail, far, person=None).encodings[-1] == far.encoding


def test_crowds_count_between_encodings_of_unit_length_only() -> None:
    """Raw ones are longer, and no centres of theirs are known."""
    centre, other = CENTRES[0], CENTRES[1]
    one, two = (row / np.linalg.norm(row) for row in (centre, other))
    for length, added in ((1.0, float(crowding(np.stack([one, two])).sum())), (1.4, 0.0)):
        trail = msgspec.structs.replace(a_trail(ANN), encodings=((length * one).tobytes(),))
        face = msgspec.structs.replace(seen(ANN), encoding=(length * two).tobytes())
        plain = length * float(np.linalg.norm(one - two))
        assert gaps_between([trail], [face]).to_latest[0, 0] == pytest.approx(plain + added, abs=1e-4)


def a_settled_trail(who: str | None, *, blur: float = 0.05, frames: int = SETTLED) -> Trail:
    """Return a trail with the encodings of some voters."""
    trail = a_trail(who)
    for take in range(frames):
        trail = with_voter(trail, seen(who, blur=blur, take=7 * take))
    return trail


def test_the_means_of_two_people_are_far_apart_and_those_of_one_are_near() -> None:
    """Badly seen frames of one person lie between: nobody can tell."""
    ann, eve = a_settled_trail(ANN), a_settled_trail(EVE)
    blurred = a_settled_trail(ANN, blur=1.0)
    assert are_two_people(ann, eve, link_distance=LINK)
    assert not are_one_person(ann, eve, link_distance=LINK)
    assert are_one_person(ann, a_settled_trail(ANN, blur=0.2), link_distance=LINK)
    assert not are_two_people(ann, blurred, link_distance=LINK)
    assert not are_one_person(ann, blurred, link_distance=LINK)


def test_the_mean_of_few_frames_tells_nothing() -> None:
    """One frame may be a hand."""
    few = a_settled_trail(EVE, frames=SETTLED - 1)
    assert not are_two_people(a_settled_trail(ANN), few, link_distance=LINK)
    assert not are_one_person(few, few, link_distance=LINK)
    assert with_voter(few, a_face(None)) == few


def test_gaps_are_nan_where_an_encoding_is_missing_or_broken() -> None:
    """What cannot be compared is neither near nor far."""
    broken = np.full(128, np.nan, "<f4").tobytes()
    faces = [
        seen(ANN),
        a_face(ANN),
        Face(box_px=a_box(), encoding=b"short"),
        Face(box_px=a_box(), encoding=broken),
    ]
    gaps = gaps_between([a_trail(ANN), Trail(box_px=a_box())], faces).to_latest
    assert gaps.shape == (2, 4)
    assert gaps[0, 0] < LINK
    assert np.isnan(gaps[0, 1:]).all()
    assert np.isnan(gaps[1]).all()
    assert gaps_between([], []).to_latest.shape == (0, 0)


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
    face_of, fresh, displaced, _ = link(made, shown, names, link_distance=LINK)
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
