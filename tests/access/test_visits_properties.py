"""What holds of visits whatever happens to results: lost, repeated, delayed, out of order, too old."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders import START_NS
from tests.support.crowd import ANN, BOB, EVE, SETTINGS, STEP_NS, Doorway, seen
from turnstile.access.verdicts import Decision
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason

FRESH_S, STALE_S = 0.1, SETTINGS.max_result_age_s + 0.1
WELL, UNKNOWN, AMBIGUOUS, SMALL, BLURRED, HIDDEN, MISTAKEN = range(7)
"""How a face looks in a frame; hidden by a hand, its encoding is far from its own."""

PLACES = {ANN: 100, BOB: 300, EVE: 500}


class Sighting(NamedTuple):
    """One person in one frame."""

    person: str | None
    looks: int


class Delivery(NamedTuple):
    """One result on its way to the broker."""

    frame: int
    delay: int
    age_s: float


@dataclass
class Scene:
    """What a camera saw, and how the results of its frames came."""

    frames: list[list[Sighting]]
    deliveries: list[Delivery]


def a_face(sighting: Sighting, *, take: int) -> Face:
    """Return the face of a sighting."""
    person, looks = sighting
    left = PLACES[person]
    match looks:
        case 0:
            face = seen(person, left=left, take=take)
        case 1:
            face = seen(person, as_person=None, left=left, take=take)
        case 2:
            face = seen(person, margin=0.01, left=left, take=take)
        case 3:
            face = seen(person, size=20, left=left, take=take)
        case 4:
            face = seen(person, sharpness=1, left=left, take=take)
        case 5:
            face = seen(person, as_person=None, blur=0.8, left=left, take=take)
        case _:
            face = seen(person, as_person=BOB, left=left, take=take)
    return face


@st.composite
def scenes(draw: st.DrawFn, *, looks: st.SearchStrategy[int], stays: bool = False) -> Scene:
    """Draw a scene of at most 50 frames.

    Args:
        draw: from Hypothesis.
        looks: how faces may look.
        stays: everybody is there from their first frame to their last.
    """
    length = draw(st.integers(1, 50))
    frames: list[list[Sighting]] = [[] for _ in range(length)]
    for person in (ANN, BOB, EVE):
        first = draw(st.integers(0, length - 1))
        last = draw(st.integers(first, length - 1))
        count = last - first + 1
        gone = set() if stays else draw(st.sets(st.integers(first, last), max_size=count))
        as_seen = draw(st.lists(looks, min_size=count, max_size=count))
        for at, how in enumerate(as_seen, first):
            if at not in gone:
                frames[at].append(Sighting(person, how))
    delays = st.one_of(st.just(0), st.integers(0, 12))
    ages = st.sampled_from([FRESH_S, FRESH_S, FRESH_S, STALE_S])
    each = st.builds(Delivery, frame=st.integers(0, length - 1), delay=delays, age_s=ages)
    whole = [Delivery(at, draw(delays), FRESH_S) for at in range(length) if draw(st.integers(0, 9))]
    deliveries = whole + draw(st.lists(each, max_size=30))
    return Scene(frames, sorted(deliveries, key=lambda one: one.frame + one.delay))


def play(scene: Scene) -> list[tuple[Decision, int]]:
    """Deliver a scene's results; return decisions, each with how many deliveries had come."""
    doorway = Doorway()
    decided: list[tuple[Decision, int]] = []
    for count, delivery in enumerate(scene.deliveries, 1):
        at = delivery.frame
        faces = [a_face(one, take=at) for one in scene.frames[at]]
        came_ns = START_NS + at * STEP_NS
        new = doorway.take(*faces, seq=at, came_ns=came_ns, age_s=delivery.age_s)
        decided += [(one, count) for one in new]
    return decided


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(scene=scenes(looks=st.integers(WELL, MISTAKEN)))
def test_nobody_is_granted_without_m_of_n(scene: Scene) -> None:
    """Behind every grant stand M timely results of different frames that each voted for that person."""
    for decision, count in play(scene):
        found = decision.conclusion
        if found.verdict != "granted":
            continue
        assert found.reason is Reason.RECOGNISED
        assert SETTINGS.votes_needed <= found.votes <= found.of <= SETTINGS.votes_of
        voted = {
            delivery.frame
            for delivery in scene.deliveries[:count]
            if delivery.age_s == FRESH_S
            for person, looks in scene.frames[delivery.frame]
            if found.person == (BOB if looks == MISTAKEN else person if looks == WELL else None)
        }
        assert len(voted) >= SETTINGS.votes_needed


@many
@given(scene=scenes(looks=st.integers(WELL, MISTAKEN)))
def test_a_visit_has_one_entry(scene: Scene) -> None:
    """Never two, whatever comes after."""
    entries = Counter(decision.visit for decision, _ in play(scene))
    assert set(entries.values()) <= {1}


@many
@given(scene=scenes(looks=st.integers(WELL, BLURRED), stays=True))
def test_somebody_who_stays_in_view_has_at_most_one_entry(scene: Scene) -> None:
    """However many results of them are lost, repeated, delayed or too old, and however well they are seen."""
    entries: dict[int, list[Decision]] = defaultdict(list)
    for decision, _ in play(scene):
        entries[decision.face.box_px.left].append(decision)
    assert all(len(decisions) == 1 for decisions in entries.values())


@many
@given(scene=scenes(looks=st.integers(WELL, MISTAKEN)))
def test_nobody_is_granted_from_stale_results(scene: Scene) -> None:
    """When all results are too old, nobody is."""
    stale = Scene(scene.frames, [one._replace(age_s=STALE_S) for one in scene.deliveries])
    assert all(decision.conclusion.verdict == "denied" for decision, _ in play(stale))


@many
@given(scene=scenes(looks=st.sampled_from([UNKNOWN, AMBIGUOUS, SMALL, BLURRED, HIDDEN])))
def test_nobody_is_granted_who_is_never_seen_well(scene: Scene) -> None:
    """No number of bad frames makes a good one."""
    assert all(decision.conclusion.verdict == "denied" for decision, _ in play(scene))


@many
@given(scene=scenes(looks=st.sampled_from([WELL, WELL, UNKNOWN, AMBIGUOUS])))
def test_a_stranger_beside_others_is_never_granted(scene: Scene) -> None:
    """Votes of the people beside them do not reach them."""
    for decision, _ in play(scene):
        if decision.conclusion.verdict == "granted":
            assert decision.face.box_px.left == PLACES[decision.conclusion.person]


@many
@given(scene=scenes(looks=st.just(WELL), stays=True), lost=st.sets(st.integers(0, 49)))
def test_losing_results_only_delays(scene: Scene, lost: set[int]) -> None:
    """Of who stays long enough to be seen in M timely results in a row, each has the right verdict."""
    scene.deliveries = [Delivery(at, 0, FRESH_S) for at in range(len(scene.frames)) if at not in lost]
    granted = {decision.conclusion.person for decision, _ in play(scene)} - {None}
    for person in (ANN, BOB):
        frames = sum((person, WELL) in scene.frames[one.frame] for one in scene.deliveries)
        assert (person in granted) is (frames >= SETTINGS.votes_needed)
