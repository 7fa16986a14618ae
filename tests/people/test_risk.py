"""Each person's limit, from the risk that the owner accepts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import some_encodings
from turnstile.people.crowding import CENTRES, crowding
from turnstile.people.gallery import build_gallery, templates
from turnstile.people.risk import (
    CLOSE,
    MAX_COMPARED,
    Neighbours,
    Risk,
    closeness,
    expected,
    limits,
    neighbours,
    rejections,
    risk_of,
)
from turnstile.site.settings import DecisionSettings

RISK = Risk(stranger_rate=0.001, max_distance=0.32, min_margin=0.04)


def around(*distances: float, close_couples: int = 0) -> Neighbours:
    """Return neighbours at these distances."""
    return Neighbours(
        np.array(distances, np.float32), np.zeros(len(distances), np.intp), close_couples=close_couples
    )


def alone(count: int) -> Neighbours:
    """Return people who look like nobody."""
    return around(*[np.inf] * count)


def far_apart(*pictures: int, risk: Risk = RISK) -> list[float]:
    """Return the limits of people with so many pictures each, none of whom looks like another."""
    counts = np.array(pictures, np.intp)
    return [float(one) for one in limits(counts, alone(len(counts)), risk)]


def test_a_person_alone_is_held_by_the_largest_distance() -> None:
    """One in a thousand strangers would allow more, but not before one camera."""
    assert far_apart(1) == [pytest.approx(0.32)]


def test_more_pictures_make_a_stricter_limit() -> None:
    """Their mean is nearer to everybody."""
    one, two, three, many = far_apart(1, 2, 3, 12)
    assert one > two > three == many
    assert three == pytest.approx(0.307, abs=0.002)


def test_more_people_make_stricter_limits() -> None:
    """Each bears a share of the same risk, also where the table ends."""
    found = [far_apart(*[1] * people)[0] for people in (10, 300, 1_000, 20_000, 80_000)]
    assert found == sorted(found, reverse=True)
    assert found[2] == pytest.approx(0.3005, abs=0.002)
    assert 0 < found[-1] < 0.25


@given(
    pictures=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    rate=st.sampled_from([0.0001, 0.001, 0.01, 0.1]),
)
def test_the_limits_admit_no_more_strangers_than_accepted(pictures: list[int], rate: float) -> None:
    """As the tables have it, with people of any number of pictures."""
    counts = np.array(pictures, np.intp)
    found = limits(counts, alone(len(counts)), RISK._replace(stranger_rate=rate))
    assert expected(found, counts).stranger_rate <= rate * 1.01


def test_people_who_look_alike_have_stricter_limits() -> None:
    """Neither is recognised at the other's place, nor within the margin of it."""
    found = limits(np.array([1, 1, 1]), around(0.30, 0.30, 0.5), RISK)
    assert [float(one) for one in found] == pytest.approx([0.26, 0.26, 0.32])


def test_a_person_in_two_names_is_recognised_as_neither() -> None:
    """A limit below zero admits nobody, and is none."""
    assert float(limits(np.array([1, 1]), around(0.0, 0.0), RISK)[0]) == 0.0
    assert expected(np.zeros(2, np.float32), np.array([1, 1])) == (0.0, 1.0)


def test_stricter_limits_reject_more() -> None:
    """What an owner pays for less risk."""
    counts = np.array([1] * 50, np.intp)
    strict, loose = (
        expected(limits(counts, alone(50), RISK._replace(stranger_rate=rate)), counts)
        for rate in (0.0001, 0.01)
    )
    assert strict.rejection > loose.rejection > 0
    assert strict.stranger_rate < loose.stranger_rate


def test_people_who_lie_nearer_to_each_other_than_usual_have_stricter_limits() -> None:
    """Of 100 people with one picture each, 18 couples are close in LFW; here 60 are."""
    counts, far = np.ones(100, np.intp), [0.5] * 100
    usual, nearer = (limits(counts, around(*far, close_couples=couples), RISK) for couples in (18, 60))
    assert list(usual) == pytest.approx(far_apart(*[1] * 100))
    assert float(nearer[0]) < float(usual[0]) - 0.008
    assert closeness(counts, 18) == 1.0
    assert closeness(counts, 60) == pytest.approx(2.67, abs=0.05)


def test_few_close_couples_prove_nothing() -> None:
    """One couple among 20 people may be sisters."""
    assert closeness(np.ones(20, np.intp), 0) == closeness(np.ones(20, np.intp), 1) == 1.0


def test_each_person_is_expected_to_be_missed_by_pictures_and_limit() -> None:
    """More pictures, fewer misses; a limit of zero misses every frame."""
    one, three, never = rejections(np.array([0.32, 0.32, 0.0], np.float32), np.array([1, 3, 3]))
    assert (one, three, never) == pytest.approx((0.213, 0.047, 1.0))


def test_nobody_enrolled_has_no_limits() -> None:
    """The first start."""
    assert far_apart() == []
    assert expected(np.zeros(0, np.float32), np.zeros(0, np.intp)) == (0.0, 0.0)


def test_the_nearest_other_person_is_found_with_crowds_counted() -> None:
    """As faces are compared; in blocks of some hundred people."""
    around = CENTRES[np.arange(700) % len(CENTRES)] + np.random.default_rng(1).normal(0, 0.03, (700, 128))
    rows = np.asarray(around / np.linalg.norm(around, axis=1, keepdims=True), np.float32)
    apart = (
        np.linalg.norm(rows[:, None] - rows[None], axis=2) + crowding(rows)[:, None] + crowding(rows)[None]
    )
    np.fill_diagonal(apart, np.inf)
    found = neighbours(rows)
    assert found.distances == pytest.approx(apart.min(axis=1), abs=1e-3)
    assert apart[np.arange(700), found.others] == pytest.approx(found.distances, abs=1e-3)
    assert found.close_couples == np.count_nonzero(apart <= CLOSE) // 2 > 0


@pytest.mark.parametrize("people", [0, 1, MAX_COMPARED + 1])
def test_one_person_alone_looks_like_nobody(people: int) -> None:
    """Nor does anybody in a gallery too large to compare."""
    found = neighbours(np.zeros((people, 128), np.float32))
    assert np.isinf(found.distances).all()
    assert found.close_couples == 0


def test_a_site_that_states_only_a_distance_has_one_limit_for_all() -> None:
    """As before there were rates."""
    assert risk_of(DecisionSettings(max_distance=0.3)) is None
    assert risk_of(DecisionSettings(stranger_rate=0.01, max_distance=0.3)) == Risk(0.01, 0.3, 0.05)


def test_a_face_is_matched_with_the_limit_of_its_person() -> None:
    """Ann has one picture and Bob three."""
    rows = some_encodings(4, seed=3)
    named = [("Ann", rows[0].tobytes()), *(("Bob", row.tobytes()) for row in rows[1:])]
    compared = templates(build_gallery("dlib-resnet-v1/mirror+paddings", named), RISK)
    ann, bob = compared.match(compared.encodings)
    assert (ann.person, bob.person) == ("Ann", "Bob")
    assert ann.limit == pytest.approx(0.32)
    assert bob.limit == pytest.approx(0.307, abs=0.002)
