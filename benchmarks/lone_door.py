"""One door's day by processor time alone, which a busy machine does not change.

Gate, hints, recognition desk with its real engine, and decider are called in turn, as the broker and a
recognizer call them. The times are those at which frames would come.
"""

import datetime as dt
import re
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePath

import msgspec

from benchmarks.reel import FPS, HEIGHT_PX, WIDTH_PX, People, Reel, Still
from turnstile.access.decider import Decider, Now
from turnstile.dispatch.desk import DispatchDesk, Recognized
from turnstile.dispatch.hints import AtDoor
from turnstile.people.gallery import build_gallery, templates
from turnstile.protocol.messages import Frame, Result, Work
from turnstile.protocol.topics import work_topic
from turnstile.site.document import build
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings, DecisionSettings
from turnstile.vision.engines.desk import RecognitionDesk
from turnstile.vision.engines.selection import make_engine

CAMERA, NAME = "door", "recognizer"
STEP_NS = 1_000_000_000 // FPS
TAKES_NS = 10_000_000
LOCAL = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(kw_only=True)
class DaysWork:
    """What a day cost, and what was decided."""

    frames: int = 0
    looks: int = 0
    found: int = 0
    encoded: int = 0
    cpu_s: float = 0.0
    verdicts: list[tuple[int, str | None]] = field(default_factory=list)
    """The number of the frame that decided, and who was granted; `None` for a denial."""

    @property
    def doors_a_core(self) -> float:
        """Return how many such doors a core serves if it does nothing else."""
        return self.frames / FPS / self.cpu_s


def work_of_a_day(recognition: RecognitionSettings, people: People, reel: Reel) -> DaysWork:
    """Return the work of the reel's second showing."""
    tokens = count(1)
    desk = DispatchDesk(
        limits=BrokerSettings(),
        recognition=recognition,
        cameras=[CAMERA],
        new_token=lambda: f"{next(tokens):016x}",
    )
    desk.joined(work_topic(NAME, NAME))
    engine = make_engine(recognition)
    decider = Decider(settings=decision_for(recognition), encoding=engine.description.encoding)
    recognizer = RecognitionDesk(name=NAME, instance=NAME, engine=engine)
    pairs = [
        (_name(file), engine.enrol(picture[:, :, ::-1].copy()).encoding.astype("<f4").tobytes())
        for file, picture in people.enrolled.items()
    ]
    recognizer.gallery = templates(build_gallery(engine.description.encoding, pairs))
    day = DaysWork()
    for at in range(2 * len(reel.stills)):
        if at == len(reel.stills):
            day = DaysWork()
        _show(at, reel.stills[at % len(reel.stills)], desk, recognizer, decider, day)
    return day


def decision_for(recognition: RecognitionSettings) -> DecisionSettings:
    """Return how a site decides by default, but for its lockout: strangers come all the time."""
    document = {
        "site": "day",
        "cameras": {CAMERA: {"source": 0}},
        "recognition": msgspec.to_builtins(recognition),
        "decision": {"lockout": {"max_denials": 0}},
    }
    return build(document).decision


def _show(
    at: int, still: Still, desk: DispatchDesk, recognizer: RecognitionDesk, decider: Decider, day: DaysWork
) -> None:
    """Bring one frame to the desks, and fold what comes of it."""
    now_ns = 1_000_000_000 + at * STEP_NS
    frame = Frame(
        camera=CAMERA,
        instance=CAMERA,
        seq=at + 1,
        captured_ns=now_ns,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        jpeg=still.jpeg,
        change=still.change,
    )
    desk.dispatcher.ready(work_topic(NAME, NAME), credits=1)
    desk.take(frame, now_ns)
    day.frames += 1
    answers: list[Recognized | None] = [*desk.unchanged(now_ns)]
    for _, work in desk.due(now_ns):
        if isinstance(work, Work):
            began_s = time.process_time()
            result = recognizer.take(work)
            day.cpu_s += time.process_time() - began_s
            if not isinstance(result, Result):
                continue
            day.looks += 1
            day.found += len(result.faces)
            day.encoded += sum(not face.unread for face in result.faces)
            answers.append(desk.recognized(result, now_ns + TAKES_NS))
    for recognized in filter(None, answers):
        now = Now(now_ns, recognized.now_ns, LOCAL)
        age_s = recognized.age_s
        for event in decider.decide(recognized.result, came_ns=now_ns, age_s=age_s, now=now):
            day.verdicts.append((at, event.person if event.verdict == "granted" else None))
        visits = decider.doors[CAMERA].visits
        decided = [visit for visit in visits if visit.verdict is not None and not visit.absent_ns]
        read_ns = {visit.trail.box_px: visit.read_ns for visit in decided}
        desk.note_door(CAMERA, AtDoor(bool(visits), read_ns, any_undecided=len(decided) < len(visits)))


def _name(file: str) -> str:
    return re.sub(r"_\d+$", "", PurePath(file).stem).replace("_", " ").title()
