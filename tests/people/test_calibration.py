"""Calibration on galleries small enough to reckon by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.builders import a_gallery_of
from turnstile.people.calibration import (
    Pictures,
    Rate,
    admission_distances,
    close_couples,
    disagreements,
    distance_for,
    false_accepts,
    stranger_rate,
)
from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings
from turnstile.site.settings import DecisionSettings


def on_a_line(*places: float) -> Encodings:
    """Return encodings that lie on a line, so that distances are differences."""
    encodings = np.zeros((len(places), 128), np.float32)
    encodings[:, 0] = places
    return encodings


def a_gallery(**places: list[float]) -> Pictures:
    """Return people by name, each with pictures at some places on the line."""
    rows = [
        (person, f"{person}_{at}.jpg", place) for person in places for at, place in enumerate(places[person])
    ]
    return Pictures(
        persons=tuple(person for person, _, _ in rows),
        files=tuple(file for _, file, _ in rows),
        encodings=on_a_line(*(place for _, _, place in rows)),
    )


def test_the_closest_couples_come_first_with_their_pictures() -> None:
    """Each couple once, by their nearest pictures."""
    gallery = a_gallery(ann=[0.0, 0.1], bob=[0.4], cid=[1.0])
    first, second = close_couples(gallery, count=2)
    assert (first.first, first.second) == ("ann", "bob")
    assert first.distance == pytest.approx(0.3, abs=1e-3)
    assert first.files == ("ann_1.jpg", "bob_0.jpg")
    assert (second.first, second.second) == ("bob", "cid")
    assert len(close_couples(gallery, count=99)) == 3


def test_a_gallery_of_one_or_nobody_has_no_couples() -> None:
    """Nothing to compare is no error."""
    assert close_couples(a_gallery(ann=[0.0, 0.1]), count=5) == []
    assert close_couples(a_gallery(), count=5) == []
    assert disagreements(a_gallery(), max_distance=0.3) == []


def test_a_picture_of_somebody_else_under_a_persons_name_is_found() -> None:
    """It lies nearer to the other person than to its own."""
    gallery = a_gallery(ann=[0.0, 0.1, 0.9], bob=[1.0, 1.05])
    (wrong,) = disagreements(gallery, max_distance=0.3)
    assert (wrong.person, wrong.file, wrong.other) == ("ann", "ann_2.jpg", "bob")
    assert wrong.own_distance == pytest.approx(0.8, abs=1e-3)
    assert wrong.other_distance == pytest.approx(0.1, abs=1e-3)


def test_a_picture_far_from_its_persons_others_is_found_without_anybody_else() -> None:
    """Two pictures too far apart to match each other both disagree; one picture alone cannot."""
    found = disagreements(a_gallery(ann=[0.0, 0.5]), max_distance=0.3)
    assert [picture.file for picture in found] == ["ann_0.jpg", "ann_1.jpg"]
    assert found[0].other is None
    assert disagreements(a_gallery(ann=[0.0], bob=[5.0]), max_distance=0.3) == []


def test_strangers_are_let_in_by_distance_and_margin() -> None:
    """The nearest person must be near, and the second-best farther by the margin."""
    gallery = a_gallery(ann=[0.0], bob=[1.0])
    strangers = on_a_line(0.2, 0.5, -0.4)
    loose = admission_distances(gallery, strangers, min_margin=0.0)
    assert loose == pytest.approx([0.2, 0.5, 0.4], abs=1e-3)
    strict = admission_distances(gallery, strangers, min_margin=0.1)
    assert strict == pytest.approx([0.2, np.inf, 0.4], abs=1e-3)
    assert false_accepts(strict, max_distance=0.3) == Rate(hits=1, trials=3)


def test_strangers_are_compared_with_the_mean_where_recognizers_do() -> None:
    """Of two pictures at right angles the mean lies between them, scaled to unit length."""
    pictures = np.zeros((3, 128), np.float32)
    pictures[0, 0] = pictures[1, 1] = pictures[2, 2] = 1.0
    gallery = Pictures(persons=("ann", "ann", "bob"), files=("", "", ""), encodings=pictures, averaged=True)
    stranger = np.zeros((1, 128), np.float32)
    stranger[0, :2] = np.sqrt(0.5)
    assert admission_distances(gallery, stranger, min_margin=0.0) == pytest.approx([0.0], abs=1e-3)
    each = admission_distances(replace(gallery, averaged=False), stranger, min_margin=0.0)
    assert each == pytest.approx([np.sqrt(2 - np.sqrt(2))], abs=1e-3)
    assert admission_distances(gallery, min_margin=0.0) == pytest.approx(
        [np.sqrt(2) + crowding(pictures).sum() * 2 / 3] * 3, abs=1e-3
    )


def test_without_strangers_each_enrolled_person_is_one_to_the_others() -> None:
    """Their own pictures do not count as a match."""
    gallery = a_gallery(ann=[0.0, 0.1], bob=[0.4], cid=[2.0])
    admissions = admission_distances(gallery, min_margin=0.0)
    assert admissions == pytest.approx([0.4, 0.3, 0.3, 1.6], abs=1e-3)


def test_one_person_alone_cannot_be_mistaken() -> None:
    """And with nobody enrolled nobody is let in."""
    assert np.isinf(admission_distances(a_gallery(ann=[0.0, 0.1]), min_margin=0.05)).all()
    assert np.isinf(admission_distances(a_gallery(), on_a_line(0.1), min_margin=0.05)).all()


def test_the_only_person_needs_no_margin() -> None:
    """There is no second-best."""
    assert admission_distances(a_gallery(ann=[0.0]), on_a_line(0.2), min_margin=0.5) == pytest.approx([0.2])


def test_the_distance_for_a_rate_lets_in_no_more() -> None:
    """And one step more would."""
    admissions = np.linspace(0.2, 1.2, 1000, dtype=np.float32)
    distance = distance_for(admissions, rate=0.01)
    assert distance is not None
    assert false_accepts(admissions, max_distance=distance).value <= 0.01
    assert false_accepts(admissions, max_distance=distance + 0.002).value > 0.01


def test_too_few_trials_give_no_distance() -> None:
    """50 strangers cannot show a rate of one in a hundred."""
    assert distance_for(np.ones(50, np.float32), rate=0.01) is None


def test_when_nobody_gets_in_any_distance_will_do() -> None:
    """Encodings of unit length are at most 2 apart."""
    assert distance_for(np.full(200, np.inf, np.float32), rate=0.01) == 2.0


def test_a_rate_says_how_little_it_proves() -> None:
    """No hit in n trials bounds the rate by 3 in n, never by 0."""
    assert Rate(hits=0, trials=300).at_most == pytest.approx(0.01)
    assert Rate(hits=0, trials=0).at_most == 1.0
    assert 0.01 < Rate(hits=10, trials=1000).at_most < 0.02
    assert Rate(hits=3, trials=4).value == 0.75


def test_parts_that_do_not_belong_together_are_refused() -> None:
    """A mistake of the caller, found at once."""
    with pytest.raises(ValueError, match="2 persons, 1 files"):
        Pictures(persons=("a", "b"), files=("a.jpg",), encodings=on_a_line(1.0))


def test_the_broker_tells_twins_in_the_gallery() -> None:
    """Two people with nearly one encoding would be taken for one another whenever the margin lets them."""
    twins = a_gallery_of(("Ann Lee", 0.0), ("Eve Poe", 0.01), ("Max Roe", 5.0))
    assert stranger_rate(twins, DecisionSettings(min_margin=0.0)).hits == 2
    assert stranger_rate(twins, DecisionSettings(min_margin=0.0, max_distance=0.001)).hits == 0
