"""Everybody who is enrolled, as the gallery has them."""

import numpy as np
import pytest

from tests.support.builders import an_encoding, some_encodings, some_looks
from turnstile.people.register import (
    Closest,
    Encoded,
    PersonState,
    few_in_words,
    names_of,
    objection,
    register,
)
from turnstile.site.settings import DecisionSettings

ENGINE = "dlib-resnet-v1/mirror+paddings"
DECISION = DecisionSettings(stranger_rate=0.001, max_distance=0.34)


def near(row: int, share: float) -> bytes:
    """Return an encoding near that of row `row`."""
    one, other = some_encodings(9, seed=3)[[row, 8]]
    moved = one + share * other
    return np.asarray(moved / np.linalg.norm(moved), "<f4").tobytes()


def picture(person: str, number: int, encoding: bytes, **looks: float) -> Encoded:
    """Return one picture."""
    file = f"{person}_{number}.jpg"
    return Encoded(person, file, file, encoding, some_looks(**looks))


def of(*pictures: Encoded) -> dict[str, PersonState]:
    """Return the state of each person."""
    return {one.person: one for one in register(pictures, ENGINE, DECISION)}


def test_each_picture_has_a_state_and_a_reason() -> None:
    """Good, weak, left out, unusable, and of an earlier version."""
    (ann,) = of(
        picture("Ann", 1, near(0, 0.0)),
        picture("Ann", 2, near(0, 0.1), turn=0.5),
        picture("Ann", 3, near(0, 0.1), spread=0.2),
        Encoded("Ann", "Ann_4.jpg", problem="no face found"),
        picture("Ann", 5, an_encoding(99)),
        picture("Ann", 6, near(0, 0.05))._replace(looks=None),
    ).values()
    assert [one.state for one in ann.pictures] == [
        "good",
        "weak",
        "left out",
        "unusable",
        "unusable",
        "not judged",
    ]
    assert [one.reason for one in ann.pictures][1:4] == [
        "the head is turned to one side",
        "part of the face may be covered or cut off",
        "no face found",
    ]
    assert "not the face of" in ann.pictures[4].reason
    assert ann.used == 3


def test_the_closest_other_person_and_the_expected_rejection_are_told() -> None:
    """More pictures are rejected less often; one alone has nobody beside."""
    people = of(
        picture("Ann", 1, near(0, 0.0)),
        picture("Bob", 1, near(1, 0.0)),
        *(picture("Cid", number, near(1, 0.5 + number / 50)) for number in range(3)),
    )
    closest = people["Bob"].closest
    assert isinstance(closest, Closest)
    assert (closest.person, people["Cid"].closest and people["Cid"].closest.person) == ("Cid", "Bob")
    assert 0.3 < closest.distance < 0.6
    assert (people["Cid"].rejection or 1) < (people["Ann"].rejection or 0)
    assert of(picture("Ann", 1, near(0, 0.0)))["Ann"].closest is None


def test_somebody_without_a_usable_picture_is_listed_too() -> None:
    """With nothing measured."""
    found = of(Encoded("Ann", "ann.jpg", problem="no face found"))["Ann"]
    assert (found.used, found.limit, found.rejection, found.closest) == (0, None, None, None)


@pytest.mark.parametrize("engine", ["dlib-resnet-v1/raw"])
def test_raw_encodings_have_a_limit_and_no_table_of_rejections(engine: str) -> None:
    """The limit is the site's."""
    (ann,) = register([picture("Ann", 1, near(0, 0.0))], engine, DecisionSettings(max_distance=0.45))
    assert ann.limit == pytest.approx(0.45)
    assert ann.rejection is None


def test_who_has_too_few_pictures_is_named() -> None:
    """With where to look for more; nothing is said where all have enough."""
    people = of(*(picture("Ann", number, near(0, number / 50)) for number in range(3)))
    assert few_in_words(names_of(people.values())) == ""
    assert few_in_words({"Ann": 3, "Bob": 2}).startswith("1 person has fewer than 3 good pictures (Bob): ")


ENROLLED = (
    picture("Ann", 1, near(0, 0.0)),
    picture("Ann", 2, near(0, 0.05)),
    picture("Bob", 1, near(1, 0.0)),
)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (picture("Ann", 3, near(0, 0.1)), ""),
        (picture("Cid", 1, near(2, 0.0)), ""),
        (
            picture("Ann", 3, near(0, 0.0))._replace(digest="Bob_1.jpg"),
            "it is enrolled already, as Bob_1.jpg of Bob",
        ),
        (picture("Bob", 2, near(0, 0.02)), "it shows nearly the face of Ann (0.02 from Ann_1.jpg)"),
        (
            picture("Ann", 3, near(0, 0.1), spread=0.2),
            "part of the face may be covered or cut off, and Ann has better",
        ),
    ],
)
def test_a_picture_is_objected_to_with_the_reason(new: Encoded, words: str) -> None:
    """By the pictures that are there."""
    found = objection(new, ENROLLED, ENGINE)
    assert found.startswith(words)
    assert bool(found) is bool(words)


def test_a_picture_of_another_face_is_objected_to() -> None:
    """It agrees with none of the person's own."""
    assert "not the face of" in objection(picture("Ann", 3, near(3, 0.0)), ENROLLED, ENGINE)
