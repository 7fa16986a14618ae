"""Broker: the meeting point of a site, and the only node that binds.

Receives: frames of cameras; readiness, results and templates of recognizers; fetches and entries of loggers;
queries of whoever tails the log; requests of the web node; beats of all.

Sends: frames, results, decisions, advice, queries and beats to whoever subscribed to them; work and the
gallery to recognizers; recorded decisions to loggers; entries and replies to whoever asked.

Policy: frames are shed, oldest first, and counted. A message that is malformed, oversized or not allowed to
its sender is counted and dropped, and so is a frame that is not baseline JPEG; no message stops the broker.

    python broker.py --config configs/local.yaml
"""

import logging
import os
import secrets
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from turnstile.dispatch.desk import DispatchDesk, Recognized
from turnstile.dispatch.dispatcher import Job
from turnstile.dispatch.newest import Intake
from turnstile.errors import PictureError, RefusedError, TurnstileError, WireError
from turnstile.io.access.desk import AccessDesk, open_access_desk
from turnstile.io.bus.broker import BrokerSockets, Received
from turnstile.io.bus.guard import guard_of
from turnstile.io.health.board import MAX_NAMES_REFUSED, Board
from turnstile.io.health.standing import standing
from turnstile.io.journal.journal import Journal
from turnstile.io.metrics.endpoint import Endpoint, open_endpoint
from turnstile.io.metrics.hops import Meter
from turnstile.io.people.building import GalleryThread
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.people.enrolment import open_enrolment
from turnstile.io.people.rates import StrangerRate
from turnstile.io.requests.desk import RequestDesk
from turnstile.io.requests.opening import open_request_desk
from turnstile.io.runner import node
from turnstile.io.runner.heart import BROKER_PERIOD_S, Heart
from turnstile.io.site.descriptors import raise_limit
from turnstile.people.building import GalleryBuilder
from turnstile.people.risk import risk_of
from turnstile.protocol.messages import (
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Fetch,
    Frame,
    Query,
    Ready,
    Result,
    Template,
    Unlock,
    Work,
    decode,
    encode,
)
from turnstile.protocol.permissions import why_not_send
from turnstile.protocol.public import for_everybody
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.topics import Outgoing, topic, work_topic

DRAIN_S = 0.003
"""How long to look at subscriptions before work is handed out again."""

FRAMES_RECEIVED_A_TURN, COST_OF_OTHERS = 400, 10
"""How much to receive before work is handed out again. What is no frame costs as much as so many frames."""

FRAMES_A_TURN = 16
"""How many frames to check and pass on before work is handed out again; newer ones overtake the others."""

MAX_PAUSE_S = 0.008
"""How long to leave the processor to others when so many frames came that nobody needs, and no result."""

UPKEEP_NS = 20_000_000
"""How often to check rules, faces, leases and lockouts: no message announces a change of these."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class BrokerNode:
    """The broker's ports, and a desk for each kind of business."""

    sockets: BrokerSockets
    dispatch: DispatchDesk
    people: PeopleDesk
    access: AccessDesk
    requests: RequestDesk
    board: Board
    meter: Meter
    heart: Heart
    endpoint: Endpoint | None
    frames: Intake[Received] = field(default_factory=lambda: Intake(room=FRAMES_A_TURN))
    """Those that came and were not looked at yet."""
    _is_flooded: bool = False
    """Whether more had come in the last turn than was received."""
    _answered: set[str] = field(default_factory=set)
    """Cameras of the results that came in this turn."""
    _pause_s: float = 0.0
    _upkeep_ns: int = 0

    def step(self, timeout_s: float) -> None:
        """Receive what nodes sent, then publish what is due at each desk."""
        if self.sockets.wait(0 if self.frames or self._is_flooded else min(timeout_s, 0.05)):
            self._receive_subscriptions()
        held_back = self.frames.held_back
        self._is_flooded = self._receive()
        self._look_at_frames()
        self._publish(self.access.recorded())
        now_ns = time.monotonic_ns()
        self._publish(self.requests.due(now_ns))
        self._answer_unchanged(now_ns)
        if now_ns >= self._upkeep_ns:
            self._upkeep_ns = now_ns + UPKEEP_NS
            self._keep_up(now_ns)
        waits = not self._answered and self.frames.held_back - held_back >= FRAMES_A_TURN
        self._hand_out_work(now_ns)
        self._pause_s = min(2 * self._pause_s + 0.001, MAX_PAUSE_S) if waits else 0.0
        if waits:
            time.sleep(self._pause_s)

    def close(self) -> None:
        """Stop watching faces and rules, finish the journal, and close the ports."""
        if self.endpoint is not None:
            self.endpoint.close()
        self.requests.close()
        self.people.close()
        self.access.close()
        self.sockets.close(linger_s=0.3)

    def _receive_subscriptions(self) -> None:
        until = time.monotonic() + DRAIN_S
        while (event := self.sockets.subscription(until)) is not None:
            about, subscribed = event
            self.frames.watched.note(about, subscribed=subscribed)
            kind, *names = about.split(".")
            if kind == "work" and len(names) == 3 and all(names[:2]) and not names[2]:
                if subscribed:
                    self.dispatch.joined(about)
                else:
                    self.people.left(about)
                    self._set_aside(self.dispatch.left(about))
            elif subscribed and kind == "status":
                self._publish(self.board.last_beats(about, time.monotonic_ns()))

    def _receive(self) -> bool:
        """Receive one round from all connections, or what there is; return whether there may be more.

        ZeroMQ takes from them in turn: at the second frame of one, each recognizer has been heard.
        """
        left, count, heard = FRAMES_RECEIVED_A_TURN, 0, set[int]()
        while left > 0 and not self.frames.is_full:
            try:
                received = self.sockets.receive()
            except (RefusedError, WireError) as error:
                self._refuse(error, None)
                left -= COST_OF_OTHERS
                continue
            if received is None:
                return False
            count += 1
            if not received.topic.startswith("frame."):
                self._look_at(received)
                left -= COST_OF_OTHERS
                continue
            self.frames.put(received.topic, received.connection, received, self.dispatch.can_wait)
            left -= 1
            if received.connection in heard and count >= FRAMES_A_TURN:
                break
            heard.add(received.connection)
        return True

    def _look_at_frames(self) -> None:
        """Take in some of the frames; in a flood, those that newer ones have overtaken are dropped unseen."""
        for _ in range(FRAMES_A_TURN):
            if (waiting := self.frames.take(self.dispatch.can_wait)) is None:
                break
            self._look_at(waiting)

    def _look_at_held(self, held: Iterable[Received]) -> None:
        for waiting in held:
            self._look_at(waiting)

    def _look_at(self, received: Received) -> None:
        try:
            self._bring_to_desk(self._authorise(received), received)
        except (RefusedError, PictureError, WireError) as error:
            self._refuse(error, received)

    def _refuse(self, error: TurnstileError, received: Received | None) -> None:
        """Count what is wrong with a message; `None` means one that could not be received whole."""
        if isinstance(error, RefusedError):
            self.heart.count("refused_by_key")
            log.debug("refused: %s", error)
        else:
            self.heart.count("refused_pictures" if isinstance(error, PictureError) else "refused_messages")
            self.sockets.note_unusable(str(error), received)

    def _authorise(self, received: Received) -> AnyMessage:
        message = decode(received.payload.buffer)
        sender = received.sender
        if sender is not None and (why_not := why_not_send(sender, received.topic, message)):
            raise self.sockets.refuse(received, why_not)
        return message

    def _bring_to_desk(self, message: AnyMessage, received: Received) -> None:
        about, body, now_ns = received.topic, received.payload, received.came_ns
        match message:
            case Frame():
                self._pass_on_frame(message, about, body, now_ns)
            case Ready():
                self._publish(self.people.take(message, now_ns))
            case Bye():
                self.dispatch.dispatcher.resting(work_topic(message.name, message.instance))
            case Result():
                self.dispatch.confirm(message)
                self._publish_result(message, now_ns)
                self._answered.add(message.camera)
                self._publish(self.people.take(message, now_ns))
            case Template():
                self.dispatch.confirm(message)
                self._publish(self.people.take(message, now_ns))
            case Fetch() | Unlock():
                self._publish(self.access.take(message))
            case Query() | Entries() | Reply():
                self.sockets.publish(_passed_on_under(message), body)
            case Request():
                self._publish(self.requests.take(message, now_ns))
            case Beat():
                self._pass_on_beat(message, about, body, now_ns)
            case _:
                raise WireError(f"{type(message).__name__} is not for the broker")

    def _pass_on_frame(self, frame: Frame, about: str, body: zmq.Frame, now_ns: int) -> None:
        _check_topic(about, topic("frame", frame.camera))
        if self.dispatch.take(frame, now_ns):
            self.meter.came(frame, now_ns)
            if about in self.frames.watched:
                self.sockets.publish(about, body)

    def _pass_on_beat(self, beat: Beat, about: str, body: zmq.Frame, now_ns: int) -> None:
        _check_topic(about, topic("status", beat.node))
        self.board.hear(beat, now_ns)
        self.sockets.publish(about, body)
        if beat.role == "capture" and beat.node in self.dispatch.dispatcher.cameras:
            self.dispatch.incumbents.hear(beat.node, beat.instance, now_ns)

    def _publish_result(self, result: Result, now_ns: int) -> None:
        """Publish a result that was asked for, and decide upon it."""
        recognized = self.dispatch.recognized(result, now_ns)
        if recognized is None:
            return
        recognized = self.people.name_faces(recognized)
        self.meter.answered(recognized.result, recognized.assignment, now_ns)
        self._decide(recognized)

    def _answer_unchanged(self, now_ns: int) -> None:
        """Answer frames of empty scenes that have not changed."""
        for recognized in self.dispatch.unchanged(now_ns):
            self.meter.unchanged(recognized.result.camera, now_ns)
            self._decide(self.people.name_faces(recognized))

    def _decide(self, recognized: Recognized) -> None:
        """Publish a result, decide upon it, and note who is at its door now."""
        result = recognized.result
        limit = self.access.decider.settings.max_distance
        self._publish([Outgoing(topic("result", result.camera), for_everybody(result, max_distance=limit))])
        self._publish(self.access.take(recognized))
        self.dispatch.note_door(result.camera, self.access.at_door(result.camera))

    def _keep_up(self, now_ns: int) -> None:
        """Do what no message asks for."""
        self._publish(self.access.due(enrolled=self.people.enrolled))
        self._publish(self.people.due(now_ns))
        self._set_aside(self.dispatch.dispatcher.expire(now_ns))
        if self.heart.is_due:
            self.heart.report(*standing(self.access, self.people.enrolment, self.board.notice))
            self._beat(now_ns)

    def _hand_out_work(self, now_ns: int) -> None:
        answered, self._answered = self._answered, set()
        for camera in answered:
            self._look_at_held(self.frames.take_held(topic("frame", camera)))
        for camera in self.dispatch.dispatcher.due_cameras():
            self._look_at_held(self.frames.take_held(topic("frame", camera)))
        self._look_at_held(self.frames.take_some_held(self.dispatch.dispatcher.without_work))
        for assignment, message in self.dispatch.due(now_ns):
            if isinstance(message, Work):
                self.meter.handed_out(assignment)
            self._publish([Outgoing(assignment.recognizer, message)])
        self._publish(self.dispatch.confirmations(now_ns))

    def _set_aside(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.kind == "picture":
                if not self.requests.set_aside(job.key):
                    self.people.set_aside(job.key)
            else:
                log.error("frame %d of %s took two recognizers down; set aside", job.seq, job.key)

    def _publish(self, outgoing: Iterable[Outgoing]) -> None:
        for about, message in outgoing:
            self.sockets.publish(about, encode(message))

    def _beat(self, now_ns: int) -> None:
        self._look_at_held(self.frames.take_some_held())
        self.dispatch.counts["dropped_unseen"] = self.frames.dropped
        if self.endpoint is not None:
            self.endpoint.check()
        for camera in self.dispatch.forget_silent(now_ns):
            self.meter.forget(camera)
            self.access.forget(camera)
        self._publish(self.board.rivals(self.dispatch.incumbents.rivalries(now_ns)))
        refused = self.sockets.refusals.worst(MAX_NAMES_REFUSED)
        self._publish(self.board.due(now_ns, refused_subscriptions=self.sockets.refused, refused=refused))


def _passed_on_under(message: Query | Entries | Reply) -> str:
    match message:
        case Query():
            return "query."
        case Entries():
            return topic("entries", message.asker)
        case Reply():
            return topic("reply", message.asker)


def _check_topic(about: str, right: str) -> None:
    if about != right:
        raise WireError(f"a message for the topic {right} under the topic {about}")


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
    journal = Journal(path=Path(site.broker.journal), loggers=(*site.loggers, *site.webhooks))
    guard = guard_of(site)
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    sockets = BrokerSockets(site.broker, guard=guard, wake_fds=(start.stop.fileno, journal.fileno, wake_fd))
    connections = raise_limit() // 2
    log.info("ingress %s, egress %s, at most %d nodes", site.broker.ingress, site.broker.egress, connections)
    enrolment = open_enrolment(site.gallery, site.recognition.encoding)
    dispatch = DispatchDesk(
        limits=site.broker,
        recognition=site.recognition,
        cameras=site.cameras.keys(),
        new_token=lambda: secrets.token_hex(16),
    )
    people = PeopleDesk(
        enrolment=enrolment,
        making=GalleryThread(GalleryBuilder(enrolment.engine, risk=risk_of(site.decision))),
        dispatch=dispatch,
        rate=StrangerRate(site.decision),
        keys=lambda: None if guard is None else guard.registry,
    )
    access = open_access_desk(site, start.options.config, journal, meter, unenrol=people.unenrol)
    requests = open_request_desk(site, start.options.config, dispatch, people, access, wake_fd=wake_fd)
    return BrokerNode(
        sockets=sockets,
        dispatch=dispatch,
        people=people,
        access=access,
        requests=requests,
        board=Board(heart=heart, meter=meter, desks=(dispatch, people, access, requests)),
        meter=meter,
        heart=heart,
        endpoint=open_endpoint(
            site.metrics,
            meter.registry,
            pulse=start.pulse,
            why_not=lambda: {
                "journal": journal.problem,
                "clock": access.clock.problem,
                "rules": "" if access.rules.rules is not None else access.rules.standing.problem,
                "gallery": enrolment.trouble
                if enrolment.in_use
                else "the faces folder has not been read yet",
            },
        ),
    )


if __name__ == "__main__":
    sys.exit(node.run("broker", wire, doc=__doc__))
