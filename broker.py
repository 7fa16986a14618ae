"""Broker: the meeting point of a site.

Hears everything that nodes say (PULL) and publishes what they hear (XPUB); only it binds. It hands the
newest frame of the camera that waited longest to the next free recognizer, keeps the gallery in step with
the faces folder, decides once about each visit, and numbers the decisions for the loggers.

Policy: frames are shed, oldest first, and counted; whatever is malformed, oversized or not baseline JPEG
is counted and dropped; no message can stop it.

    python broker.py --config configs/local.yaml
"""

import logging
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from turnstile.access.decider import Decider, Now
from turnstile.access.replay import taken, told
from turnstile.access.rules import unenrolled
from turnstile.dispatch.dispatcher import Assignment, Dispatcher, Job
from turnstile.dispatch.hints import Hints
from turnstile.dispatch.refusals import keep_counting
from turnstile.errors import PictureError, RefusedError, WireError
from turnstile.health.last_beats import LastBeats
from turnstile.io.access.recording import ResultFile
from turnstile.io.bus.broker import BrokerSockets, Received
from turnstile.io.bus.guard import guard_of
from turnstile.io.journal.journal import Journal
from turnstile.io.metrics.endpoint import Endpoint, open_endpoint
from turnstile.io.metrics.hops import Meter
from turnstile.io.metrics.nodes import REFUSED_FROM
from turnstile.io.people.enrolment import Enrolment, open_enrolment, say_what_it_admits
from turnstile.io.people.folder import Unencoded
from turnstile.io.runner import node
from turnstile.io.runner.heart import BROKER_PERIOD_S, Heart
from turnstile.io.site.descriptors import raise_limit
from turnstile.io.site.rules_file import RulesFile
from turnstile.people.encodings import is_encoding
from turnstile.people.gallery import to_message
from turnstile.protocol import jpeg
from turnstile.protocol.messages import (
    Access,
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Fetch,
    Frame,
    Message,
    Picture,
    Query,
    Ready,
    Result,
    Taken,
    Template,
    Work,
    decode,
    encode,
    for_everybody,
)
from turnstile.protocol.roles import why_not_send
from turnstile.protocol.topics import log_topic, topic, work_topic
from turnstile.site.settings import Site

DRAIN_S = 0.003
"""How long to take in what waits before work is handed out again: a flood delays nobody's frame by more."""

PICTURE_LEASE_S = 20.0
GALLERY_PERIOD_S = 0.25
RESEND_S = 3.0
"""When to send a gallery again to a recognizer that does not say that it has it: large ones take a while."""

FORGET_CAMERA_S = 3600.0
MAX_NAMES_REFUSED = 64
"""How many names a beat tells the refusals of."""


log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class BrokerNode:
    """The broker's ports and what it knows of the site."""

    site: Site
    sockets: BrokerSockets
    dispatcher: Dispatcher
    enrolment: Enrolment
    decider: Decider
    rules: RulesFile
    recording: ResultFile | None
    journal: Journal
    heart: Heart
    meter: Meter
    endpoint: Endpoint | None
    decided: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The decided visits that are open at each camera."""
    hints: Hints = field(default_factory=Hints)
    frame_at: dict[str, float] = field(default_factory=dict)
    beats: LastBeats = field(default_factory=LastBeats)
    galleries_sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    gallery_at: float = 0.0
    unenrolled: list[str] = field(default_factory=list)

    def step(self, timeout_s: float) -> None:
        """Take in what was said, decide, and hand out work."""
        self.sockets.wait(min(timeout_s, 0.05))
        self._hear_subscriptions()
        until = time.monotonic() + DRAIN_S
        while self._hear_one() and time.monotonic() < until:
            pass
        self._tell_what_is_durable()
        self._keep_gallery()
        self._keep_rules()
        now_ns = time.monotonic_ns()
        self._give_up(self.dispatcher.expire(now_ns))
        for assignment in self.dispatcher.assign(now_ns):
            self._send_work(assignment, now_ns)
        self._beat()

    def close(self) -> None:
        """Stop watching faces and rules, finish the journal, and close the ports."""
        if self.endpoint is not None:
            self.endpoint.close()
        self.enrolment.folder.close()
        self.rules.close()
        self.journal.close()
        if self.recording is not None:
            self.recording.close()
        self.sockets.close(linger_s=0.3)

    def _hear_subscriptions(self) -> None:
        until = time.monotonic() + DRAIN_S
        while (event := self.sockets.subscription(until)) is not None:
            about, subscribed = event
            kind, *names = about.split(".")
            if kind == "work" and len(names) == 3 and all(names[:2]) and not names[2]:
                self._recognizer_came_or_went(about, subscribed=subscribed)
            elif subscribed and kind == "status":
                for beat in self.beats.under(about, time.monotonic()):
                    self._publish(topic("status", beat.node), beat)

    def _recognizer_came_or_went(self, about: str, *, subscribed: bool) -> None:
        if not subscribed:
            self.galleries_sent.pop(about, None)
            self._give_up(self.dispatcher.left(about))
        elif len(self.dispatcher.recognizers) < self.site.broker.max_recognizers:
            self.dispatcher.joined(about)
        else:
            self.heart.count("refused_recognizers")

    def _hear_one(self) -> bool:
        """Take in one message; return False when there is none."""
        try:
            said = self.sockets.receive()
            if said is None:
                return False
            self._take(self._authorise(said), said.topic, said.body)
        except RefusedError as error:
            self.heart.count("refused_by_key")
            log.debug("refused: %s", error)
        except PictureError as error:
            self.heart.count("refused_pictures")
            log.debug("a frame was refused: %s", error)
        except WireError as error:
            self.heart.count("refused_messages")
            log.debug("a message was refused: %s", error)
        return True

    def _authorise(self, said: Received) -> AnyMessage:
        message = decode(said.body)
        why_not = why_not_send(said.sender, said.topic, message) if said.sender is not None else ""
        if why_not:
            raise self.sockets.refuse(said, why_not)
        return message

    def _take(self, message: AnyMessage, about: str, body: bytes) -> None:
        match message:
            case Frame():
                self._take_frame(about, message, body)
            case Ready():
                self._take_ready(message)
            case Result():
                self._take_result(message)
            case Template():
                self._take_template(message)
            case Bye():
                self.dispatcher.resting(work_topic(message.name, message.instance))
            case Fetch():
                self.journal.fetch(message)
            case Query():
                self.sockets.publish("query.", body)
            case Entries():
                self.sockets.publish(topic("entries", message.asker), body)
            case Beat():
                self._take_beat(about, message, body)
            case _:
                raise WireError(f"{type(message).__name__} is not for the broker")

    def _take_frame(self, about: str, frame: Frame, body: bytes) -> None:
        if about != topic("frame", frame.camera):
            raise WireError(f"a frame of {frame.camera} under the topic {about}")
        limits = self.site.broker
        size = jpeg.check_jpeg(frame.jpeg, max_bytes=limits.max_frame_bytes, max_px=limits.max_frame_px)
        if size != (frame.width_px, frame.height_px):
            raise PictureError("a frame whose picture is not of the size it says")
        known = frame.camera in self.frame_at or frame.camera in self.site.cameras
        if not known and len(self.frame_at) >= limits.max_cameras:
            self.heart.count("refused_cameras")
            return
        now_ns = time.monotonic_ns()
        self.frame_at[frame.camera] = now_ns / 1e9
        self.heart.count("frames_in")
        self.meter.came(frame, now_ns)
        self.sockets.publish(about, body)
        self.dispatcher.offer_frame(
            Job(kind="frame", key=frame.camera, seq=frame.seq, body=frame, came_ns=now_ns)
        )

    def _take_ready(self, ready: Ready) -> None:
        recognizer = work_topic(ready.name, ready.instance)
        if not self.enrolment.read or not self.dispatcher.ready(recognizer, credits=ready.credits):
            return
        sent, at = self.galleries_sent.get(recognizer, ("", 0.0))
        behind = ready.gallery_version != self.enrolment.gallery.version
        if behind and (sent != self.enrolment.gallery.version or time.monotonic() - at > RESEND_S):
            self.galleries_sent[recognizer] = (self.enrolment.gallery.version, time.monotonic())
            self._publish(recognizer, to_message(self.enrolment.templates))

    def _take_result(self, result: Result) -> None:
        assignment = self._finish(result)
        if assignment is None:
            return
        frame = assignment.job.body
        if not isinstance(frame, Frame) or (result.camera, result.seq) != (frame.camera, frame.seq):
            raise WireError("a result for other work than its token's")
        if any(face.encoding and not is_encoding(face.encoding) for face in result.faces):
            raise WireError("a face whose encoding is not 128 finite numbers")
        self.heart.count("results")
        now_ns = time.monotonic_ns()
        age_s = (now_ns - assignment.job.came_ns) / 1e9
        result = msgspec.structs.replace(result, captured_ns=frame.captured_ns)
        self.meter.answered(result, assignment, now_ns)
        self._publish(topic("result", result.camera), for_everybody(result))
        if age_s > self.site.decision.max_result_age_s:
            self.heart.count("results_too_old")
        if result.problem:
            self.heart.count("bad_frames")
        else:
            self.hints.learn(result)
            self._decide(result, age_s)

    def _finish(self, answer: Result | Template) -> Assignment | None:
        """Return the work that this answers, if it is still wanted, and say that it was heard either way."""
        recognizer = work_topic(answer.name, answer.instance)
        self._publish(recognizer, Taken(token=answer.token))
        return self.dispatcher.finish(answer.token, recognizer)

    def _decide(self, result: Result, age_s: float) -> None:
        wall_ns = time.time_ns()
        now = Now(wall_ns, time.monotonic_ns(), self.rules.local(wall_ns / 1e9))
        events = self.decider.decide(result, age_s=age_s, now=now)
        self.meter.decided(result.camera, time.monotonic_ns() - now.monotonic_ns)
        self._record(result, events, age_s=age_s, at_ns=wall_ns)
        door = self.decider.doors[result.camera]
        for event in events:
            self.journal.record(event, door)
        decided = tuple(visit.visit for visit in door.visits if visit.verdict is not None)
        if not events and decided != self.decided.get(result.camera, ()):
            self.journal.keep_door(result.camera, door)
        self.decided[result.camera] = decided
        guide = self.decider.guide(result, now=now)
        if guide is not None:
            self._publish(topic("guide", guide.camera), guide)

    def _record(self, result: Result, events: list[Access], *, age_s: float, at_ns: int) -> None:
        if self.recording is not None:
            self.recording.write(taken(result, age_s=age_s, at_ns=at_ns))
            for event in events:
                self.recording.write(told(event))

    def _tell_what_is_durable(self) -> None:
        """Publish decisions that are on disk now, and what loggers asked for."""
        for outcome in self.journal.outcomes():
            if isinstance(outcome, Access):
                self.heart.count(outcome.verdict)
                self._publish(topic("access", outcome.camera), outcome)
                self.meter.published(outcome)
            else:
                self._publish(log_topic(outcome.fetch.name, outcome.fetch.instance), outcome.log)
        self.heart.state = self.journal.problem or "live"

    def _keep_rules(self) -> None:
        if self.rules.refresh():
            self.decider.rules = self.rules.rules
            self._say_who_is_unenrolled()
        self.heart.gauge("rules_refused", 1.0 if self.rules.problem else 0.0)

    def _say_who_is_unenrolled(self) -> None:
        missing = unenrolled(self.decider.rules, self.enrolment.gallery.persons)
        if missing and missing != self.unenrolled and not self.dispatcher.waiting_pictures:
            log.warning("the rules name people who are not enrolled: %s", ", ".join(missing))
            self.unenrolled = missing

    def _take_template(self, template: Template) -> None:
        assignment = self._finish(template)
        if assignment is None:
            return
        picture = assignment.job.body
        if not isinstance(picture, Unencoded):
            raise WireError("a template for other work than its token's")
        if template.problem:
            self.enrolment.take_problem(picture.digest, template.problem)
        elif template.engine == self.enrolment.engine and is_encoding(template.encoding):
            self.enrolment.take_encoding(picture.digest, template.encoding)
        else:
            self.enrolment.take_problem(picture.digest, f"{template.name} answered with no encoding of it")
            raise WireError("a template that is no encoding, or of another engine than the site's")

    def _take_beat(self, about: str, beat: Beat, body: bytes) -> None:
        if about != topic("status", beat.node) or "broker" in (beat.node, beat.role):
            raise WireError(f"a beat of {beat.role} {beat.node} under the topic {about}")
        self.beats.keep(beat, time.monotonic())
        self.meter.heard(beat)
        self.sockets.publish(about, body)

    def _keep_gallery(self) -> None:
        for digest in self.enrolment.refresh():
            self.dispatcher.withdraw_picture(digest)
        while self.dispatcher.waiting_pictures < 2 * max(1, len(self.dispatcher.recognizers)):
            picture = self.enrolment.next_unencoded()
            if picture is None:
                break
            self.dispatcher.offer_picture(
                Job(kind="picture", key=picture.digest, seq=0, body=picture, came_ns=time.monotonic_ns())
            )
        if time.monotonic() - self.gallery_at >= GALLERY_PERIOD_S and self.enrolment.rebuild():
            self.gallery_at = time.monotonic()
            gallery = self.enrolment.gallery
            log.info("gallery: %d people, %d pictures", len(gallery.persons), len(gallery.owners))
            if not self.dispatcher.waiting_pictures and len(gallery.persons) > 1:
                self.heart.gauge("stranger_rate", say_what_it_admits(gallery, self.site.decision))
            self._say_who_is_unenrolled()
            self._publish("gallery.", to_message(self.enrolment.templates))
            for recognizer in self.dispatcher.recognizers:
                self.galleries_sent[recognizer] = (gallery.version, self.gallery_at)

    def _send_work(self, assignment: Assignment, now_ns: int) -> None:
        job, lease_s = assignment.job, (assignment.expires_ns - assignment.handed_ns) / 1e9
        message: Message
        if isinstance(job.body, Frame):
            message = Work(
                token=assignment.token,
                lease_s=lease_s,
                camera=job.body.camera,
                seq=job.body.seq,
                captured_ns=job.body.captured_ns,
                waited_ms=(now_ns - job.came_ns) / 1e6,
                jpeg=job.body.jpeg,
                hint=self.hints.hint(job.body),
            )
            self.meter.handed_out(assignment)
        elif isinstance(job.body, Unencoded):
            message = Picture(token=assignment.token, lease_s=lease_s, file=job.body.file, data=job.body.data)
        self._publish(assignment.recognizer, message)

    def _give_up(self, set_aside: list[Job]) -> None:
        for job in set_aside:
            if job.kind == "picture":
                self.enrolment.take_problem(job.key, "two recognizers failed on it")
            else:
                log.error("frame %d of %s took two recognizers down; set aside", job.seq, job.key)

    def _publish(self, about: str, message: Message) -> None:
        self.sockets.publish(about, encode(message))

    def _beat(self) -> None:
        if not self.heart.is_due:
            return
        self.heart.take(self.dispatcher.counts)
        self.heart.counts["refused_subscriptions"] = self.sockets.refused
        worst = self.sockets.refused_by_name(MAX_NAMES_REFUSED)
        keep_counting(self.heart.counts, worst, start=REFUSED_FROM, at_most=MAX_NAMES_REFUSED)
        for name in [name for name in self.heart.gauges if "." in name]:
            del self.heart.gauges[name]  # a camera's, which may be gone
        for name, value in (
            ("recognizers", len(self.dispatcher.recognizers)),
            ("cameras", len(self.frame_at)),
            ("decisions_waiting", self.journal.waiting),
            ("people", len(self.enrolment.gallery.persons)),
            ("pictures_waiting", self.dispatcher.waiting_pictures),
            ("pictures_refused", len(self.enrolment.problems) + self.enrolment.surplus),
            *self.meter.loads.tell(time.monotonic_ns()).items(),
        ):
            self.heart.gauge(name, value)
        beat = self.heart.beat_if_due()
        if beat is not None:
            self._publish(self.heart.topic, beat)
            self.beats.keep(beat, time.monotonic())
            self.meter.heard(beat)
            self._forget(time.monotonic())

    def _forget(self, now: float) -> None:
        self.beats.forget(now)
        for camera in [name for name, at in self.frame_at.items() if now - at > FORGET_CAMERA_S]:
            del self.frame_at[camera]
            self.dispatcher.forget_camera(camera)
            self.hints.forget(camera)
            self.meter.forget(camera)
            if camera not in self.site.cameras:
                self.decider.forget(camera)
                self.decided.pop(camera, None)


def wire(start: node.Start) -> BrokerNode:
    """Open the journal, bind the two ports and begin to read the faces folder."""
    site = start.site
    heart = Heart(
        node="broker",
        instance=start.instance,
        role="broker",
        rates=("frames_in", "results"),
        period_s=BROKER_PERIOD_S,
    )
    meter = Meter(site)
    journal = Journal(
        path=Path(site.broker.journal), loggers=(*site.loggers, *site.webhooks), durable=meter.durable
    )
    meter.show("turnstile_journal_writable", "1 when decisions can be recorded.", lambda: not journal.problem)
    rules = RulesFile(Path(site.decision.rules), doors=site.cameras)
    sockets = BrokerSockets(site.broker, guard=guard_of(site), wake_fds=(start.stop.fileno, journal.fileno))
    connections = raise_limit() // 2
    log.info("ingress %s, egress %s, at most %d nodes", site.broker.ingress, site.broker.egress, connections)
    enrolment = open_enrolment(site.gallery, site.recognition.encoding)
    return BrokerNode(
        site=site,
        sockets=sockets,
        dispatcher=Dispatcher(
            lease_ns=round(site.broker.lease_s * 1e9),
            picture_lease_ns=round(PICTURE_LEASE_S * 1e9),
            new_token=lambda: secrets.token_hex(16),
        ),
        enrolment=enrolment,
        decider=Decider(
            settings=site.decision,
            encoding=site.recognition.encoding,
            rules=rules.rules,
            doors=journal.doors,
        ),
        rules=rules,
        journal=journal,
        recording=ResultFile(Path(site.decision.record)) if site.decision.record else None,
        heart=heart,
        meter=meter,
        endpoint=open_endpoint(
            site.metrics,
            meter.registry,
            pulse=start.pulse,
            why_not=lambda: {
                "journal": journal.problem,
                "gallery": "" if enrolment.read else "the faces folder has not been read yet",
            },
        ),
    )


if __name__ == "__main__":
    sys.exit(node.run("broker", wire, doc=__doc__))
