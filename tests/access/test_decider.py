"""The broker's decisions: rules, tries and settings reach the verdict, and the event says what held."""

import datetime as dt

import msgspec
import pytest

from tests.support.builders import START_NS, a_result
from tests.support.crowd import ANN, EVE, SETTINGS, STEP_NS, seen
from turnstile.access.decider import Decider, Now
from turnstile.access.rules import build
from turnstile.protocol.messages import Access, Face, Guide
from turnstile.protocol.reasons import ADVICE_FOR, ADVICE_WORDS, WORDS, Advice, Reason
from turnstile.site.settings import LockoutSettings

MONDAY = dt.datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001 - a local time
DOORS = ("front_door", "store")


class Site:
    """A site whose cameras see ten frames a second."""

    def __init__(self, decider: Decider | None = None) -> None:
        self.decider = decider or Decider(settings=SETTINGS, encoding="dlib-resnet-v1/raw")
        self.seq = 0
        self.said: list[Guide] = []

    def see(self, *faces: Face, times: int = 1, camera: str = "front_door") -> list[Access]:
        """Take in results of `times` frames with these faces."""
        events: list[Access] = []
        for _ in range(times):
            self.seq += 1
            at_ns = START_NS + self.seq * STEP_NS
            result = a_result(*faces, camera=camera, seq=self.seq, captured_ns=at_ns)
            now = Now(at_ns + 5, self.seq * STEP_NS, MONDAY)
            events += self.decider.decide(result, came_ns=now.monotonic_ns, age_s=0.1, now=now)
            guide = self.decider.guide(result, came_ns=now.monotonic_ns, now=now)
            self.said += [] if guide is None else [guide]
        return events

    @property
    def advice(self) -> list[tuple[Advice, ...]]:
        """Return what was said to people so far."""
        return [tuple(one.advice for one in guide.advice) for guide in self.said]


@pytest.fixture
def site() -> Site:
    """Return a site without rules."""
    return Site()


def test_an_event_says_what_held_when_it_was_decided(site: Site) -> None:
    """So that years later one can tell why a door opened."""
    face = msgspec.structs.replace(seen(ANN, margin=0.4), thumbnail=b"jpeg")
    (event,) = site.see(face, times=3)
    assert (event.verdict, event.person, event.reason) == ("granted", ANN, Reason.RECOGNISED)
    assert event.expires_ns - event.decided_ns == SETTINGS.grant_valid_s * 1e9
    assert event.valid_s == SETTINGS.grant_valid_s
    assert event.decided_ns == event.captured_ns + 5
    assert (event.votes, event.of, event.frame_seq) == (3, 3, 3)
    assert event.margin == pytest.approx(0.4)
    assert (event.encoding, event.gallery_version) == ("dlib-resnet-v1/raw", "v1")
    assert event.config_hash == site.decider.config_hash
    assert (event.thumbnail, event.box_px) == (b"jpeg", face.box_px)
    assert (event.source, event.seq) == ("", 0)


def test_a_denial_never_expires_and_opens_nothing(site: Site) -> None:
    """An actuator that looks only at times stays shut."""
    (event,) = site.see(seen(EVE), times=8)
    assert (event.verdict, event.expires_ns, event.valid_s) == ("denied", 0, 0.0)


def test_settings_and_rules_name_themselves() -> None:
    """Another bound or another rule is another hash; the same are the same."""
    rules = build({"blocked": ["Eve"]}, doors=DOORS)
    one, same = (Decider(settings=SETTINGS, encoding="") for _ in range(2))
    other = Decider(settings=msgspec.structs.replace(SETTINGS, max_distance=0.4), encoding="")
    ruled = Decider(settings=SETTINGS, encoding="", rules=rules)
    hashes = {decider.config_hash for decider in (one, same, other, ruled)}
    assert one.config_hash == same.config_hash
    assert len(hashes) == 3


def test_who_leaves_before_a_verdict_is_logged_with_the_last_picture(site: Site) -> None:
    """There is no face in the frame that ends a visit; and nothing of it is kept afterwards."""
    for at in range(5):
        assert site.see(msgspec.structs.replace(seen(EVE), thumbnail=b"jpeg %d" % at), times=1) == []
    assert site.see(msgspec.structs.replace(seen(EVE), thumbnail=b""), times=2) == []
    (event,) = site.see(times=30)
    assert (event.verdict, event.person, event.thumbnail) == ("denied", None, b"jpeg 4")
    assert site.decider.glimpses == {"front_door": {}}


def test_rules_deny_by_name(site: Site) -> None:
    """The person is known, and may not enter."""
    site.decider.rules = build({"blocked": [ANN]}, doors=DOORS)
    (event,) = site.see(seen(ANN), times=10)
    assert (event.verdict, event.person, event.reason) == ("denied", ANN, Reason.BLOCKED)
    assert event.expires_ns == 0


def test_rules_of_one_door_do_not_hold_at_another(site: Site) -> None:
    """Nor do its sizes."""
    site.decider.rules = build({"doors": {"store": {"min_face_px": 300}}}, doors=DOORS)
    assert site.see(seen(ANN), times=5, camera="store") == []
    assert [event.verdict for event in site.see(seen(ANN), times=5)] == ["granted"]


def test_many_denials_lock_one_door() -> None:
    """Everybody is denied there for a while, at the other door nobody is."""
    lockout = LockoutSettings(max_denials=2, window_s=60, lock_s=8)
    settings = msgspec.structs.replace(SETTINGS, lockout=lockout)
    site = Site(Decider(settings=settings, encoding=""))
    for at in range(2):
        site.see(seen(EVE, left=300 * at), times=8)
        site.see(times=25)
    (locked,) = site.see(seen(ANN, distance=0.4), times=5)
    assert (locked.verdict, locked.person, locked.reason) == ("denied", ANN, Reason.TOO_MANY_TRIES)
    assert [event.verdict for event in site.see(seen(ANN), times=5, camera="store")] == ["granted"]
    site.see(times=80)
    assert [event.verdict for event in site.see(seen(ANN), times=5)] == ["granted"]


def a_locked_site() -> Site:
    """Return a site whose front door is locked out."""
    lockout = LockoutSettings(max_denials=1, window_s=60, lock_s=3600)
    site = Site(Decider(settings=msgspec.structs.replace(SETTINGS, lockout=lockout), encoding=""))
    site.see(seen(EVE), times=8)
    site.see(times=25)
    return site


@pytest.mark.parametrize(
    ("faces", "verdict"),
    [
        ([seen(ANN)] * 3, "granted"),
        ([seen(ANN, distance=0.37)] + [seen(ANN)] * 2, "denied"),
        ([seen(ANN, margin=0.09)] + [seen(ANN)] * 2, "denied"),
        ([seen(ANN, as_person=None)] + [seen(ANN)] * 3, "denied"),
    ],
    ids=["near in every vote", "one far vote", "one narrow vote", "one vote for nobody"],
)
def test_a_lockout_lets_in_only_who_is_recognised_beyond_doubt(faces: list[Face], verdict: str) -> None:
    """Every vote is for that person, within 0.8 of the limit and ahead by twice the margin."""
    site = a_locked_site()
    events = [event for face in faces for event in site.see(face)]
    assert [(event.verdict, event.person) for event in events] == [(verdict, ANN)]


def test_an_operator_ends_a_lockout() -> None:
    """Of that door; its denials are forgotten with it."""
    site = a_locked_site()
    now_ns = site.seq * STEP_NS
    assert site.decider.locked_s(now_ns)["front_door"] > 3500
    site.decider.unlock("front_door")
    assert site.decider.locked_s(now_ns) == {}
    assert [event.verdict for event in site.see(seen(ANN, distance=0.4), times=5)] == ["granted"]


def test_who_leaves_a_locked_door_does_not_lengthen_the_lock() -> None:
    """A visit that ends undecided there is denied for the lock, like every other."""
    lockout = LockoutSettings(max_denials=1, window_s=60, lock_s=8)
    site = Site(Decider(settings=msgspec.structs.replace(SETTINGS, lockout=lockout), encoding=""))
    site.see(seen(EVE), times=8)
    site.see(times=25)
    site.see(seen(EVE, left=400), times=7)
    (left,) = site.see(times=25)
    assert (left.verdict, left.reason) == ("denied", Reason.TOO_MANY_TRIES)
    site.see(times=30)
    assert [event.verdict for event in site.see(seen(ANN), times=5)] == ["granted"]


@pytest.mark.parametrize(
    ("face", "advice"),
    [
        (seen(ANN, size=30), Advice.COME_CLOSER),
        (seen(ANN, sharpness=3), Advice.HOLD_STILL),
        (seen(ANN, turn=0.5), Advice.LOOK_AT_CAMERA),
        (seen(EVE), Advice.LOOK_AT_CAMERA),
    ],
)
def test_people_are_advised_until_the_verdict(site: Site, face: Face, advice: Advice) -> None:
    """At the face it is for, after a moment, and taken back with the verdict or the person."""
    site.see(face, times=7)
    assert site.advice == [(advice,)]
    assert site.said[0].advice[0].box_px == face.box_px
    site.see(times=1)
    assert site.advice == [(advice,), ()]


def test_standing_advice_is_said_again(site: Site) -> None:
    """A display that joins late hears it within half a second."""
    site.see(seen(ANN, size=30), times=15)
    assert site.advice == [(Advice.COME_CLOSER,)] * 3


def test_who_is_recognised_is_advised_of_nothing(site: Site) -> None:
    """Nothing flickers up on the way to a grant."""
    site.see(seen(ANN), times=30)
    assert site.advice == []


def test_where_only_the_nearest_is_decided_upon_people_are_asked_to_come_one_by_one(site: Site) -> None:
    """The one behind would wait for nothing."""
    site.decider.rules = build({"doors": {"front_door": {"nearest_only": True}}}, doors=DOORS)
    site.see(seen(ANN, size=90), seen(EVE, left=400), times=3)
    assert site.advice[0] == (Advice.ONE_AT_A_TIME,)
    assert site.said[0].advice[0].box_px is None


def test_every_reason_and_advice_has_words() -> None:
    """Nobody reads an identifier off a display."""
    assert set(WORDS) == set(Reason)
    assert set(ADVICE_WORDS) == set(Advice)
    assert set(ADVICE_FOR.values()) <= set(Advice)


def test_a_door_that_is_forgotten_begins_anew() -> None:
    """Neither its lock nor its visits are held any longer."""
    lockout = LockoutSettings(max_denials=1, window_s=60, lock_s=3600)
    site = Site(Decider(settings=msgspec.structs.replace(SETTINGS, lockout=lockout), encoding=""))
    site.see(seen(EVE), times=8)
    site.decider.forget("front_door")
    assert (site.decider.doors, site.decider.tries, site.decider.glimpses) == ({}, {}, {})
    assert [event.verdict for event in site.see(seen(ANN), times=5)] == ["granted"]


def test_an_older_frame_changes_no_advice(site: Site) -> None:
    """The people in it may have moved since."""
    site.see(seen(ANN, size=30), times=7)
    late = a_result(seen(ANN, size=30), seq=1, captured_ns=START_NS)
    now = Now(START_NS, START_NS, MONDAY)
    assert site.decider.guide(late, came_ns=STEP_NS, now=now) is None


def test_nobody_enters_while_the_clock_is_behind(site: Site) -> None:
    """Who it is still stands in the event; somebody unknown is denied for that."""
    site.decider.clock_behind = True
    (event,) = site.see(seen(ANN), times=3)
    assert (event.verdict, event.reason, event.person) == ("denied", Reason.CLOCK_BEHIND, ANN)
    assert [event.reason for event in site.see(seen(EVE, left=700), times=8)] == [Reason.UNKNOWN]


def test_visits_that_are_closed_are_decided_again(site: Site) -> None:
    """Those at other doors, and of others at the same one, go on."""
    site.see(seen(ANN), times=3)
    site.see(seen(ANN), times=3, camera="store")
    (mine,) = site.decider.doors["front_door"].visits
    assert site.decider.close({mine.visit, "another"}) == ["front_door"]
    assert site.decider.doors["front_door"].visits == ()
    assert [event.person for event in site.see(seen(ANN), times=3)] == [ANN]
    assert site.see(seen(ANN), times=3, camera="store") == []


def test_rules_ask_one_door_for_living_faces(site: Site) -> None:
    """The still that opens the other door is denied there."""
    site.decider.rules = build({"doors": {"store": {"liveness": "passive"}}}, doors=DOORS)
    (event,) = site.see(seen(ANN), times=40, camera="store")
    assert (event.verdict, event.person, event.reason) == ("denied", ANN, Reason.NOT_ALIVE)
    assert [event.verdict for event in site.see(seen(ANN), times=5)] == ["granted"]
