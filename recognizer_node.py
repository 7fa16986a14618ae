"""Recognizer: a frame becomes faces with names and distances.

Receives: its own work and the gallery.

Sends: readiness, results, templates (the encodings of enrolment pictures), a goodbye and its beat.

Policy: it takes one piece of work at a time, as the broker hands it out (`recognition.credits`). An answer is
repeated until the broker has it, or dropped and counted when its lease is over. A frame that cannot be
decoded is answered with the problem and counted. On SIGTERM the frame in hand is finished. It needs no file
but the site file, so any number can be started at any time, on any machine that reaches the broker.

    python recognizer_node.py --config configs/local.yaml [--name recognizer-2]
"""

import logging
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from turnstile.dispatch.outbox import Answer, Outbox
from turnstile.errors import ConfigError, PictureError, WireError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.people.gallery import EMPTY, Gallery, from_message
from turnstile.protocol.fields import MAX_FACES
from turnstile.protocol.messages import (
    AnyMessage,
    Bye,
    Face,
    People,
    Picture,
    Ready,
    Result,
    Taken,
    Template,
    Timings,
    Work,
)
from turnstile.protocol.state import State
from turnstile.protocol.topics import work_topic
from turnstile.site.settings import RecognitionSettings
from turnstile.vision.encode.thumbnails import thumbnail
from turnstile.vision.engines.engine import Analysis, Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment

READY_S = 0.3
GOODBYE_S = 0.3
"""How long a recognizer that stops waits for the broker to take its last answers."""

MAX_THUMBNAILS = 4
"""Faces of a frame that get a thumbnail, biggest first."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class RecognizerNode:
    """One engine, and the gallery as the broker last sent it."""

    name: str
    instance: str
    settings: RecognitionSettings
    bus: Bus
    engine: Engine
    heart: Heart
    stop: node.Stop
    outbox: Outbox = field(default_factory=Outbox)
    gallery: Gallery = EMPTY
    work: deque[Work | Picture] = field(default_factory=deque)
    ready_at: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Do one piece of work, or wait for one."""
        for _, message in self.bus.receive(0 if self.work else min(timeout_s, self._until_ready_s())):
            self._take(message)
        if self.work:
            self._do(self.work.popleft())
            self.ready_at = 0.0
        for answer in self.outbox.due(time.monotonic()):
            self.heart.count("answers_repeated")
            self._say(answer)
        if self._until_ready_s() <= 0 and not self.stop.requested:
            self._say_ready()
        self.heart.counts["dropped_answers"] = self.outbox.lost
        self.heart.report(State.LIVE, self.engine.description.runtime)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Say goodbye, and give the broker a moment to take the last answers."""
        self.bus.send("bye.", Bye(name=self.name, instance=self.instance))
        until = time.monotonic() + GOODBYE_S
        while len(self.outbox) and time.monotonic() < until:
            for _, message in self.bus.receive(0):
                if isinstance(message, Taken):
                    self.outbox.taken(message.token)
            time.sleep(0.005)  # a wait would end at once: the signal to stop is there to be read
        self.bus.close(linger_s=0.3)

    def _take(self, message: AnyMessage) -> None:
        match message:
            case Work() | Picture():
                self.work.append(message)
            case Taken():
                self.outbox.taken(message.token)
            case People():
                self._take_gallery(message)
            case _:
                pass

    def _take_gallery(self, people: People) -> None:
        mine = self.engine.description.encoding
        if people.engine != mine:
            raise ConfigError(
                f"the site's encodings are {people.engine}, this recognizer makes {mine}: same site file?"
            )
        try:
            self.gallery = from_message(people)
        except WireError as error:
            self.heart.count("refused_galleries")
            log.warning("gallery refused: %s", error)
            return
        self.heart.gauge("people", len(self.gallery.persons))
        log.info("gallery %s: %d people", people.version, len(self.gallery.persons))

    def _do(self, work: Work | Picture) -> None:
        answer = self._recognize(work) if isinstance(work, Work) else self._encode(work)
        self.outbox.put(answer, lease_s=work.lease_s, now_s=time.monotonic())
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        self.bus.send("result." if isinstance(answer, Result) else "template.", answer)

    def _recognize(self, work: Work) -> Result:
        began = time.perf_counter()
        self.heart.count("frames_in")
        problem, match_ms = "", 0.0
        faces: tuple[Face, ...] = ()
        analysis: Analysis | None = None
        try:
            analysis = self.engine.analyse(work.jpeg, hint=work.hint)
            matching = time.perf_counter()
            faces = self._name_faces(analysis)
            match_ms = (time.perf_counter() - matching) * 1e3
        except PictureError as error:
            self.heart.count("bad_frames")
            problem = str(error)[:500]
        total_ms = (time.perf_counter() - began) * 1e3
        self.heart.count("faces", len(faces))
        self.heart.count("busy_ms", round(total_ms))
        self.heart.gauge("last_ms", round(total_ms, 2))
        return Result(
            token=work.token,
            name=self.name,
            instance=self.instance,
            camera=work.camera,
            seq=work.seq,
            captured_ns=work.captured_ns,
            gallery_version=self.gallery.version,
            faces=faces,
            timings=Timings(
                decode_ms=analysis.decode_ms if analysis else 0.0,
                detect_ms=analysis.detect_ms if analysis else 0.0,
                encode_ms=analysis.encode_ms if analysis else 0.0,
                match_ms=match_ms,
                total_ms=total_ms,
            ),
            waited_ms=work.waited_ms,
            full_scan=analysis is None or analysis.full_scan,
            problem=problem,
        )

    def _name_faces(self, analysis: Analysis) -> tuple[Face, ...]:
        matches = self.gallery.match(analysis.encodings)
        picture = analysis.picture_rgb
        return tuple(
            Face(
                box_px=box,
                person=match.person,
                distance=match.distance,
                second_distance=match.second_distance,
                sharpness=analysis.sharpness[at],
                encoding=analysis.encodings[at].astype("<f4").tobytes(),
                thumbnail=thumbnail(picture, box) if picture is not None and at < MAX_THUMBNAILS else b"",
            )
            for at, (box, match) in enumerate(zip(analysis.boxes_px, matches, strict=True))
        )[:MAX_FACES]

    def _encode(self, picture: Picture) -> Template:
        self.heart.count("pictures_in")
        encoding, problem = b"", ""
        try:
            encoding = self.engine.enrol(decode_enrolment(picture.data)).astype("<f4").tobytes()
        except PictureError as error:
            self.heart.count("bad_pictures")
            problem = str(error)[:500]
        return Template(
            token=picture.token,
            name=self.name,
            instance=self.instance,
            engine=self.engine.description.encoding,
            encoding=encoding,
            problem=problem,
        )

    def _until_ready_s(self) -> float:
        return self.ready_at + READY_S - time.monotonic()

    def _say_ready(self) -> None:
        self.ready_at = time.monotonic()
        self.bus.send(
            "ready.",
            Ready(
                name=self.name,
                instance=self.instance,
                credits=self.settings.credits,
                gallery_version=self.gallery.version,
            ),
        )


def wire(start: node.Start) -> RecognizerNode:
    """Join the bus, which connects while the models are loaded."""
    topics = ("gallery.", work_topic(start.name, start.instance))
    bus = Bus(start.site.broker, key=start.key, topics=topics, wake_fd=start.stop.fileno)
    try:
        engine = make_engine(start.site.recognition)
    except BaseException:  # an interrupt too
        bus.close()
        raise
    description = engine.description
    log.info("engine %s, detector %s, on %s", description.encoding, description.detector, description.runtime)
    heart = Heart(node=start.name, instance=start.instance, role="recognizer", rates=("frames_in", "busy_ms"))
    return RecognizerNode(
        name=start.name,
        instance=start.instance,
        settings=start.site.recognition,
        bus=bus,
        engine=engine,
        heart=heart,
        stop=start.stop,
    )


if __name__ == "__main__":
    sys.exit(node.run("recognizer", wire, doc=__doc__))
