"""What operators are told of a gallery's limits, on people whose distances are known."""

import numpy as np
import pytest

from tests.support.builders import a_gallery_of, some_encodings
from turnstile.people.crowding import CENTRES
from turnstile.people.encodings import Encodings
from turnstile.people.gallery import Gallery, build_gallery, templates
from turnstile.people.outlook import in_words, outlook
from turnstile.people.risk import MAX_COMPARED, Risk
from turnstile.site.settings import DecisionSettings

UNIT = "dlib-resnet-v1/mirror+paddings"
SETTINGS = DecisionSettings(stranger_rate=0.001, max_distance=0.32, min_margin=0.04)
RISK = Risk(0.001, 0.32, 0.04)


def enrolled(rows: Encodings, risk: Risk | None = RISK) -> Gallery:
    """Return a gallery of one picture a person."""
    return templates(
        build_gallery(UNIT, ((f"Person {at}", row.tobytes()) for at, row in enumerate(rows))), risk
    )


def look_alikes(count: int, *, apart: float) -> Encodings:
    """Return people of a crowd, each about so far from the others."""
    noise = np.random.default_rng(1).normal(0, apart / 16, (count, 128))
    rows = CENTRES[0] / np.linalg.norm(CENTRES[0]) + noise
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_limits_and_what_is_expected_of_them_are_told() -> None:
    """A range where limits differ, the rates, and the closest two people."""
    rows = some_encodings(4, seed=3)
    named = [("Ann", rows[0].tobytes()), *(("Bob", row.tobytes()) for row in rows[1:])]
    gallery = build_gallery(UNIT, named)
    limits_said, closest = in_words(outlook(templates(gallery, RISK), np.bincount(gallery.owners), SETTINGS))
    assert "up to a distance of 0.306 to 0.320: " in limits_said
    assert "0.002% of strangers are expected to be taken for somebody (0.100% accepted)" in limits_said
    assert "14% of the people enrolled not to be recognised" in limits_said
    assert closest.startswith("the two closest people, Ann and Bob, are 1.")


def test_who_looks_like_another_is_named_with_the_stricter_limit() -> None:
    """Both of a couple are, and nobody else."""
    rows = np.concatenate([look_alikes(2, apart=0.2), some_encodings(1, seed=2)])
    found = outlook(enrolled(rows), np.ones(3, np.intp), SETTINGS)
    assert {(one.person, one.other) for one in found.held_back} == {
        ("Person 0", "Person 1"),
        ("Person 1", "Person 0"),
    }
    assert found.closest is not None
    assert found.held_back[0].limit == pytest.approx(found.closest.distance - SETTINGS.min_margin, abs=1e-3)
    (said,) = (one for one in in_words(found) if one.startswith("a stricter limit"))
    assert f"Person 0 (up to {found.held_back[0].limit:.3f}, like Person 1)" in said


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_gallery_too_large_to_compare_is_told_of(beyond: int) -> None:
    """Nobody in it has a stricter limit for a look-alike."""
    people = MAX_COMPARED + beyond
    found = outlook(enrolled(some_encodings(2, seed=2)), np.ones(2, np.intp), SETTINGS)
    said = in_words(found._replace(limits=np.full(people, 0.3, np.float32)))
    assert any(one.startswith("nobody is compared with others") for one in said) is bool(beyond)


def test_people_nearer_to_each_other_than_usual_are_told_of() -> None:
    """With how many times more couples are close."""
    found = outlook(enrolled(look_alikes(30, apart=0.3)), np.ones(30, np.intp), SETTINGS)
    assert found.closeness > 5
    assert f"{found.close_couples} couples within 0.4" in in_words(found)[-1]


def test_one_limit_for_all_is_told_with_what_it_does() -> None:
    """A site that states a distance and no rate accepts no share that could be named."""
    found = outlook(
        enrolled(some_encodings(3, seed=2), None), np.ones(3, np.intp), DecisionSettings(max_distance=0.3)
    )
    said = in_words(found)[0]
    assert "up to a distance of 0.300: in one frame" in said
    assert "accepted" not in said
    assert found.held_back == ()


def test_of_raw_encodings_only_the_limit_is_told() -> None:
    """No table is about them."""
    raw = a_gallery_of(("Ann Lee", 0.0), ("Bob Roe", 1.0))
    found = outlook(raw, np.ones(2, np.intp), DecisionSettings())
    assert in_words(found) == ["people are recognised up to a distance of 0.450"]


def test_of_an_empty_gallery_nothing_is_told() -> None:
    """The first start."""
    assert in_words(outlook(enrolled(some_encodings(0, seed=1)), np.zeros(0, np.intp), SETTINGS)) == []
