"""Calibration on galleries small enough to reckon by hand."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.builders import a_gallery_of
from turnstile.people.calibration import (
    Admissions,
    Pictures,
    Rate,
    admissions,
    close_couples,
    disagreements,
    distance_for,
    false_accepts,
    stated_rate_for,
    stranger_rate,
)
from turnstile.people.crowding import CENTRES, crowding
from turnstile.people.encodings import Encodings
from turnstile.people.risk import Risk, limits, neighbours
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


def trials_at(distances: npt.NDArray[np.float64]) -> Admissions:
    """Return trials of strangers who are so near to the first person."""
    return Admissions(distances.astype(np.float32), np.zeros(len(distances), np.intp))


def a_crowd(count: int, *, spread: float, seed: int) -> Encodings:
    """Return encodings of unit length around one typical face."""
    noise = np.random.default_rng(seed).normal(0, spread, (count, 128))
    rows = CENTRES[0] + noise
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


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
    loose = admissions(gallery, strangers, min_margin=0.0).distances
    assert loose == pytest.approx([0.2, 0.5, 0.4], abs=1e-3)
    strict = admissions(gallery, strangers, min_margin=0.1)
    assert strict.distances == pytest.approx([0.2, np.inf, 0.4], abs=1e-3)
    assert false_accepts(strict, max_distance=0.3) == Rate(hits=1, trials=3)


def test_strangers_are_compared_with_the_mean_where_recognizers_do() -> None:
    """Of two pictures at right angles the mean lies between them, scaled to unit length."""
    pictures = np.zeros((3, 128), np.float32)
    pictures[0, 0] = pictures[1, 1] = pictures[2, 2] = 1.0
    gallery = Pictures(persons=("ann", "ann", "bob"), files=("", "", ""), encodings=pictures, averaged=True)
    stranger = np.zeros((1, 128), np.float32)
    stranger[0, :2] = np.sqrt(0.5)
    assert admissions(gallery, stranger, min_margin=0.0).distances == pytest.approx([0.0], abs=1e-3)
    each = admissions(replace(gallery, averaged=False), stranger, min_margin=0.0).distances
    assert each == pytest.approx([np.sqrt(2 - np.sqrt(2))], abs=1e-3)
    assert admissions(gallery, min_margin=0.0).distances == pytest.approx(
        [np.sqrt(2) + crowding(pictures).sum() * 2 / 3] * 3, abs=1e-3
    )


def test_without_strangers_each_enrolled_person_is_one_to_the_others() -> None:
    """Their own pictures do not count as a match."""
    gallery = a_gallery(ann=[0.0, 0.1], bob=[0.4], cid=[2.0])
    found = admissions(gallery, min_margin=0.0)
    assert found.distances == pytest.approx([0.4, 0.3, 0.3, 1.6], abs=1e-3)


def test_one_person_alone_cannot_be_mistaken() -> None:
    """And with nobody enrolled nobody is let in."""
    assert np.isinf(admissions(a_gallery(ann=[0.0, 0.1]), min_margin=0.05).distances).all()
    assert np.isinf(admissions(a_gallery(), on_a_line(0.1), min_margin=0.05).distances).all()


def test_the_only_person_needs_no_margin() -> None:
    """There is no second-best."""
    alone = admissions(a_gallery(ann=[0.0]), on_a_line(0.2), min_margin=0.5)
    assert alone.distances == pytest.approx([0.2])


def test_the_distance_for_a_rate_lets_in_no_more() -> None:
    """And one step more would."""
    tried = trials_at(np.linspace(0.2, 1.2, 1000))
    distance = distance_for(tried, rate=0.01)
    assert distance is not None
    assert false_accepts(tried, max_distance=distance).value <= 0.01
    assert false_accepts(tried, max_distance=distance + 0.002).value > 0.01


def test_each_persons_own_limit_decides() -> None:
    """A stranger as near to Bob as another to Ann is let in only where the limit allows it."""
    gallery = a_gallery(ann=[0.0], bob=[1.0])
    tried = admissions(gallery, on_a_line(0.2, 0.8), min_margin=0.0)
    assert list(tried.people) == [0, 1]
    assert false_accepts(tried, max_distance=np.array([0.3, 0.1], np.float32)) == Rate(hits=1, trials=2)


def test_the_rate_to_state_lets_in_no_more_strangers_than_wanted() -> None:
    """Strangers nearer than usual to the only person: a smaller rate must be stated than is wanted."""
    gallery = Pictures(
        persons=("ann",), files=("",), encodings=a_crowd(1, spread=0.02, seed=1), averaged=True
    )
    risk = Risk(stranger_rate=0.1, max_distance=0.5, min_margin=0.0)
    tried = trials_at(np.linspace(0.2, 1.2, 1000))
    stated = stated_rate_for(tried, gallery, risk, rate=0.1)
    assert stated is not None
    assert 0 < stated < 0.1
    one, around = np.ones(1, np.intp), neighbours(gallery.encodings)
    strict, loose = (
        false_accepts(tried, max_distance=limits(one, around, risk._replace(stranger_rate=rate))).value
        for rate in (stated, 0.1)
    )
    assert strict <= 0.1 < loose
    assert stated_rate_for(trials_at(np.ones(5)), gallery, risk, rate=0.1) is None


def test_where_no_rate_helps_none_is_named() -> None:
    """Somebody who lies on a person enrolled is let in by every limit."""
    gallery = Pictures(
        persons=("ann",), files=("",), encodings=a_crowd(1, spread=0.02, seed=1), averaged=True
    )
    tried = trials_at(np.zeros(100))
    assert stated_rate_for(tried, gallery, Risk(0.01, 0.3, 0.0), rate=0.01) == 0.0


def test_too_few_trials_give_no_distance() -> None:
    """50 strangers cannot show a rate of one in a hundred."""
    assert distance_for(trials_at(np.ones(50)), rate=0.01) is None


def test_when_nobody_gets_in_any_distance_will_do() -> None:
    """Encodings of unit length are at most 2 apart."""
    assert distance_for(trials_at(np.full(200, np.inf)), rate=0.01) == 2.0


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
    settings = DecisionSettings(min_margin=0.0)
    assert stranger_rate(twins, None, settings).hits == 2
    assert stranger_rate(twins, None, DecisionSettings(min_margin=0.0, max_distance=0.001)).hits == 0
    assert stranger_rate(twins, np.array([0.3, 0.001, 0.3], np.float32), settings).hits == 1
