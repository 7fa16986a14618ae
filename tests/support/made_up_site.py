"""The pages in a server of their own, on which a test answers for the broker and the loggers.

People, visits and rules are made up, and faces are drawn: screenshots of these pages may be published.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.support.answering import AnsweringBus
from tests.support.answers import AT_NS, a_person, a_visit, an_act, an_unknown, people
from tests.support.builders import some_looks
from tests.support.drawn_faces import a_drawn_face
from tests.support.web_pages import SignedIn
from turnstile.io.web.serving.app import make_app
from turnstile.io.web.serving.listener import Connections
from turnstile.io.web.serving.server import open_listener, serve
from turnstile.requests import answers, wishes
from turnstile.requests.answers import (
    ChainFound,
    Done,
    EnrolledPictureState,
    HelpfulFound,
    HelpfulVisit,
    LastSeenFound,
    PictureFound,
    PictureJudged,
    RulesFound,
    UnknownsFound,
    VisitEntry,
    VisitsFound,
)
from turnstile.site.settings import CameraSettings, LoggerSettings, Site
from turnstile.site.web import WebSettings

MINUTE_NS = 60 * 1_000_000_000
SITE = Site(
    site="office",
    cameras={name: CameraSettings(source=f"{name}.jpg") for name in ("front_door", "yard")},
    loggers={"log1": LoggerSettings()},
)

RULES = """# who may use which door
groups:
  staff: [Ann Lee, Carla Moe]
  cleaners: [Ben Poe]
doors:
  front_door:
    allow:
      - groups: [staff]
        hours: {mon-fri: ["07:00-12:00", "13:00-19:00"], sat: ["08:00-12:00"]}
      - groups: [cleaners]
        hours: {mon-thu: ["22:00-02:00"]}      # until two on the next day
holidays: [2026-11-20]
valid:
  Ben Poe: {from: 2026-01-01, until: 2026-12-31}
blocked: [Dan Roe]
timezone: Europe/Vienna
"""


def _visits() -> list[VisitEntry]:
    """Return a morning's visits, the newest first."""
    rows = (
        ("granted", "recognised", "Ann Lee", 0.24, 0.12, 3, 5, "front_door"),
        ("denied", "unknown", None, 0.58, 0.03, 8, 9, "front_door"),
        ("denied", "outside_schedule", "Ben Poe", 0.21, 0.22, 3, 5, "front_door"),
        ("granted", "recognised", "Carla Moe", 0.19, 0.31, 3, 3, "yard"),
        ("denied", "ambiguous", None, 0.29, 0.02, 6, 8, "yard"),
        ("denied", "blocked", "Dan Roe", 0.22, 0.2, 3, 5, "yard"),
    )
    return [
        a_visit(
            number=40 - 2 * at,
            event=f"9f00:{40 - 2 * at}",
            verdict=verdict,
            reason=reason,
            person=person,
            nearest=None if person else "Carla Moe",
            distance=distance,
            margin=margin,
            votes=votes,
            of=of,
            camera=door,
            decided_ns=AT_NS - at * 7 * MINUTE_NS,
            picture=a_drawn_face(at),
            recognizer="recognizer-1",
            encoding="dlib-resnet-v1/mirror",
        )
        for at, (verdict, reason, person, distance, margin, votes, of, door) in enumerate(rows)
    ]


def _people() -> answers.PeopleFound:
    own = tuple(0.1 + 0.006 * at + 0.0007 * (at * at % 17) for at in range(40))
    others = tuple(0.42 + 0.005 * at + 0.001 * (at * at % 23) for at in range(90))

    def picture(file: str, state: str = "used", reason: str = "") -> EnrolledPictureState:
        return EnrolledPictureState(file=file, state=state, reason=reason, looks=some_looks())

    return people(
        a_person(
            pictures=(
                picture("Ann_Lee.jpg"),
                picture("Ann_Lee.2.jpg"),
                picture("Ann_Lee.3.jpg", "weak", "the light comes from one side"),
            ),
            closest="Carla Moe",
            closest_distance=0.47,
            rejection=0.04,
            doors=("front_door", "yard"),
            anchors=("9f00:12",),
        ),
        a_person(
            person="Ben Poe",
            pictures=(picture("Ben_Poe.jpg"),),
            closest="Ann Lee",
            closest_distance=0.55,
            from_day="2026-01-01",
            until_day="2026-12-31",
            hint="fewer than 3 good pictures; three of the door's own camera help most",
        ),
        a_person(
            person="Carla Moe",
            pictures=(picture("Carla_Moe.jpg"), picture("Carla_Moe.2.jpg", "waiting")),
            closest="Ann Lee",
            closest_distance=0.47,
            rejection=0.11,
            doors=("front_door", "yard"),
        ),
        a_person(person="Dan Roe", pictures=(picture("Dan_Roe.jpg"),), blocked=True, doors=()),
        own_distances=own,
        other_distances=others,
        max_distance=0.31,
        stranger_rate=0.001,
    )


def _found(wish: wishes.FindVisits) -> VisitsFound:
    found = [
        one
        for one in _visits()
        if wish.event in (None, one.event)
        and wish.verdict in (None, one.verdict)
        and (wish.person is None or wish.person == (one.person or "unknown"))
    ]
    acts = (an_act(number=37, at_ns=AT_NS - 10 * MINUTE_NS, words="Ada enrolled Carla Moe from a picture"),)
    return VisitsFound(logger="log1", visits=tuple(found), acts=() if wish.event else acts)


def a_made_up_bus() -> AnsweringBus:
    """Return a bus that answers everything as a small office would."""
    bus = AnsweringBus()
    done = Done(words="It is done.")
    bus.answers = dict.fromkeys(
        (
            wishes.EnrolPicture,
            wishes.RemovePicture,
            wishes.RenamePerson,
            wishes.AddAnchor,
            wishes.UndoAnchor,
            wishes.NameUnknowns,
            wishes.IgnoreUnknowns,
            wishes.DiscardUnknowns,
            wishes.ReplaceRules,
            wishes.UndoRules,
            wishes.BlockPerson,
            wishes.SetValidity,
        ),
        done,
    )
    unknowns = tuple(
        an_unknown(
            id=f"u{at}",
            visits=visits,
            cameras=("front_door", "yard")[: 1 + at % 2],
            last_ns=AT_NS - at * 50 * MINUTE_NS,
            first_ns=AT_NS - at * 50 * MINUTE_NS - visits * 30 * MINUTE_NS,
            picture=a_drawn_face(7 + at),
            nearest="Carla Moe" if at == 1 else None,
            distance=0.52 if at == 1 else None,
        )
        for at, visits in enumerate((4, 1, 2))
    )
    bus.answers |= {
        wishes.FindVisits: _found,
        wishes.FindLastSeen: LastSeenFound(
            people={
                "ann lee": (AT_NS, "front_door", "9f00:40"),
                "carla moe": (AT_NS - 21 * MINUTE_NS, "yard", "9f00:34"),
            }
        ),
        wishes.FindHelpful: HelpfulFound(
            people={
                "Ben Poe": (
                    HelpfulVisit(
                        event="9f00:36", camera="front_door", at_ns=AT_NS - 14 * MINUTE_NS, digest="36"
                    ),
                )
            }
        ),
        wishes.ReadChain: ChainFound(
            logger="log1", head_number=40, head_hash="ab" * 32, verified_ns=AT_NS - 90 * MINUTE_NS
        ),
        wishes.ReadPeople: _people(),
        wishes.ReadPicture: lambda wish: PictureFound(
            jpeg=a_drawn_face({"A": 0, "B": 2, "C": 3, "D": 5}[wish.file[0]])
        ),
        wishes.JudgePicture: lambda wish: PictureJudged(
            looks=some_looks(),
            problem="it looks like Carla Moe, at 0.28" if len(wish.data) % 2 else "",
            may_anyway=True,
            closest="Carla Moe",
            closest_distance=0.28 if len(wish.data) % 2 else 0.49,
        ),
        wishes.ReadUnknowns: UnknownsFound(unknowns=unknowns, keep_days=7.0),
        wishes.ErasePerson: Done(
            words="3 pictures and their encodings\n1 visit that was not of them\n"
            "the name in the rules: staff\nthe name in 12 entries of the log, which becomes a pseudonym"
        ),
        wishes.ReadRules: RulesFound(
            text=RULES,
            version="v1",
            path="/srv/turnstile/rules.yaml",
            may_undo=True,
            timezone="Europe/Vienna",
            now_ns=AT_NS,
        ),
    }
    return bus


@contextmanager
def made_up_pages(bus: AnsweringBus, signed_in: SignedIn | None = None) -> Iterator[str]:
    """Serve the pages of the made-up site, and give their address."""
    settings, connections = msgspec.convert({"listen": "127.0.0.1:0"}, WebSettings), Connections()
    app = make_app(SITE, bus.link, signed_in or SignedIn(), config=Path("site.yaml"), connections=connections)
    app.state.zone.use("Europe/Vienna")
    server = serve(settings, app, bus.link, open_listener(settings, connections), [])
    try:
        yield server.address
    finally:
        server.close()
