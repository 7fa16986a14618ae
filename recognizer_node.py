"""Recognizer: a frame becomes faces with names and distances.

Receives: its own work and the gallery.

Sends: readiness, results, templates (the encodings of enrolment pictures), a goodbye and its beat.

Policy: it does one piece of work at a time. It has more than one only where the broker finds the line to it
long, and at most `recognition.credits`. An answer is repeated until the broker has it, or dropped and counted
when its lease is over. A frame that cannot be decoded is answered with the problem and counted. On SIGTERM
the frame in hand is finished. It needs no file but the site file and, where that names one, the network for
liveness. So any number can be started at any time, on any machine that reaches the broker.

    python recognizer_node.py --config configs/local.yaml [--name recognizer-2]
"""

import logging
import sys
import time
from collections import deque
from dataclasses import dataclass, field

import msgspec

from turnstile.dispatch.outbox import Answer, Outbox
from turnstile.errors import WireError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import (
    AnyMessage,
    Bye,
    People,
    Picture,
    Ready,
    Taken,
    Template,
    Work,
)
from turnstile.protocol.state import State
from turnstile.protocol.topics import work_topic
from turnstile.vision.engines.desk import RecognitionDesk
from turnstile.vision.engines.selection import make_engine, network_of

READY_S = 0.3
"""How often a recognizer that has nothing to do repeats that it is ready."""

GOODBYE_S = 0.3
"""How long a recognizer that stops waits for the broker to take its last answers."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class RecognizerNode:
    """The recognition desk, the work that waits for it, and the answers that the broker has not taken yet."""

    bus: Bus
    desk: RecognitionDesk
    credits: int
    heart: Heart
    stop: node.Stop
    outbox: Outbox = field(default_factory=Outbox)
    work: deque[Work | Picture] = field(default_factory=deque)
    ready_at: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Do one piece of work, or wait for one."""
        for _, message in self.bus.receive(0 if self.work else min(timeout_s, self._until_ready_s())):
            self._receive(message)
        if self.work:
            self._answer(self.work.popleft())
        for answer in self.outbox.due(time.monotonic()):
            self.heart.count("answers_repeated")
            self._send(answer)
        if self._until_ready_s() <= 0 and not self.stop.requested:
            self._send_ready()
        self.heart.set_counts({**self.desk.counts, "dropped_answers": self.outbox.lost})
        self.heart.report(State.LIVE, self.desk.hints or self.desk.engine.description.runtime)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Say goodbye, and give the broker a moment to take the last answers."""
        self.bus.send("bye.", Bye(name=self.desk.name, instance=self.desk.instance))
        until = time.monotonic() + GOODBYE_S
        while len(self.outbox) and time.monotonic() < until:
            for _, message in self.bus.receive(0):
                if isinstance(message, Taken):
                    self.outbox.confirm(message.token)
            time.sleep(0.005)  # a wait would end at once: the signal to stop is there to be read
        self.bus.close()

    def _receive(self, message: AnyMessage) -> None:
        match message:
            case Work():
                self.outbox.confirm(message.taken)
                self.work.append(message)
            case Picture():
                self.work.append(message)
            case Taken():
                self.outbox.confirm(message.token)
            case People():
                self._replace_gallery(message)
            case _:
                pass

    def _replace_gallery(self, people: People) -> None:
        try:
            self.desk.replace_gallery(people)
        except WireError as error:
            self.heart.count("refused_galleries")
            log.warning("gallery refused: %s", error)
            return
        self.heart.gauge("people", len(people.persons))
        log.debug("gallery %s: %d people", people.version, len(people.persons))  # the broker says it once

    def _answer(self, work: Work | Picture) -> None:
        answer = self.desk.take(work)
        self.heart.gauge("last_ms", self.desk.last_ms)
        self.outbox.put(answer, lease_s=work.lease_s, now_s=time.monotonic())
        self.ready_at = 0.0 if isinstance(answer, Template) else time.monotonic()
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        """Send an answer; a result says besides that more may come."""
        if isinstance(answer, Template):
            self.bus.send("template.", answer)
        else:
            more = 0 if self.stop.requested else self.credits
            self.bus.send("result.", msgspec.structs.replace(answer, credits=more))

    def _until_ready_s(self) -> float:
        return self.ready_at + READY_S - time.monotonic()

    def _send_ready(self) -> None:
        self.ready_at = time.monotonic()
        ready = Ready(
            name=self.desk.name,
            instance=self.desk.instance,
            credits=self.credits,
            gallery_version=self.desk.gallery.version,
        )
        self.bus.send("ready.", ready)


def wire(start: node.Start) -> RecognizerNode:
    """Join the bus, which connects while the models are loaded."""
    topics = ("gallery.", work_topic(start.name, start.instance))
    bus = Bus(start.site.broker, key=start.key, topics=topics, wake_fds=(start.stop.fileno,))
    try:
        engine = make_engine(start.site.recognition)
        network = network_of(start.site.decision)
    except BaseException:  # an interrupt too
        bus.close()
        raise
    description = engine.description
    log.info("engine %s, detector %s, on %s", description.encoding, description.detector, description.runtime)
    return RecognizerNode(
        bus=bus,
        desk=RecognitionDesk(name=start.name, instance=start.instance, engine=engine, network=network),
        credits=start.site.recognition.credits,
        heart=Heart(
            node=start.name, instance=start.instance, role="recognizer", rates=("frames_in", "busy_ms")
        ),
        stop=start.stop,
    )


if __name__ == "__main__":
    sys.exit(node.run("recognizer", wire, doc=__doc__))
