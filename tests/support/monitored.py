"""A site that is monitored: a real broker and logger, and a camera and a recognizer that the test plays."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.support.builders import a_beat, a_face, a_frame, a_ready, a_result, an_encoding, write_site
from tests.support.processes import Process, Programs
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import Access, AnyMessage, Beat, Work
from turnstile.protocol.topics import topic, work_topic

RECOGNIZER, INSTANCE = "recognizer-1", "recognizer-1-a1b2c3d4"

Samples = dict[str, list[tuple[dict[str, str], float]]]
"""By name: labels and value of each sample."""


class MonitoredSite:
    """Its broker answers over HTTP."""

    def __init__(
        self,
        folder: Path,
        *,
        broker: tuple[str, ...] = ("broker.py",),
        people_before: int = 0,
        clock: Path | None = None,
    ) -> None:
        """Start broker and logger.

        Args:
            folder: where the site is, perhaps from an earlier time.
            broker: the arguments of Python that run it.
            people_before: how many people came in earlier times; others come now.
            clock: a file that says by how many seconds the broker's clock is wrong.
        """
        self.file = write_site(
            folder,
            "metrics: {listen: '127.0.0.1:0'}",
            "decision: {votes_needed: 1, votes_of: 1, deny_after_votes: 1, deny_not_before_s: 0}",
            "loggers: {log: {file: access_log.txt}}",
            f"recognizers: {{{RECOGNIZER}: {{}}}}",
        )
        self.programs = Programs()
        self.broker = self.programs.start(*broker, "--config", str(self.file), clock=clock)
        self.address = _address(self.broker)
        self.logger = self.programs.start("logger_node.py", "--config", str(self.file))
        topics = ["status.", "access.", "gallery.", work_topic(RECOGNIZER, INSTANCE)]
        self.bus = Bus(load(self.file).broker, topics=topics)
        self.seq = self._before = people_before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bus.close()
        self.programs.__exit__()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of what the broker answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def scrape(self) -> Samples:
        """Return what Prometheus would read."""
        status, text = self.get("/metrics")
        assert status == 200
        samples: Samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples

    def decide_once(self) -> None:
        """Let somebody unknown come to the door, and return when he is denied and the logger has it."""
        self.seq += 1
        frame = a_frame(seq=self.seq, captured_ns=time.time_ns())
        self._say(topic("frame", frame.camera), frame)
        work = self._next_work()
        encoding = an_encoding(self.seq)
        face = msgspec.structs.replace(a_face(None, left=120 * self.seq), encoding=encoding)
        self._say("result.", a_result(face, work=work, name=RECOGNIZER, instance=INSTANCE))
        self._wait_for(lambda message: isinstance(message, Access))
        self._wait_for(
            lambda message: (
                isinstance(message, Beat)
                and message.role == "logger"
                and message.counts.get("entries", 0) >= self.seq - self._before
            )
        )

    def beat(self, beat: Beat | None = None) -> None:
        """Let the camera beat, and return when it was heard by everybody."""
        said = beat or a_beat(uptime_s=0.0)
        self._say(topic("status", said.node), said)
        self._wait_for(lambda message: message == said)

    def let_recognize(self) -> None:
        """Send frames until a real recognizer has said that it was busy with one."""

        def send_frame() -> None:
            self.seq += 1
            self._say("frame.front_door.", a_frame(seq=self.seq, captured_ns=time.time_ns()))

        wait_until(
            lambda: any(
                isinstance(message, Beat) and message.role == "recognizer" and "busy_ms" in message.counts
                for _, message in self.bus.receive(0.1)
            ),
            "a recognizer to be busy",
            between=send_frame,
        )

    def _next_work(self) -> Work:
        def ask() -> Work | None:
            self._say("ready.", a_ready(name=RECOGNIZER, instance=INSTANCE))
            works = (message for _, message in self.bus.receive(0.1) if isinstance(message, Work))
            return next(works, None)

        work = wait_until(ask, "work for the recognizer")
        assert work is not None
        return work

    def _say(self, about: str, message: Message) -> None:
        wait_until(
            lambda: self.bus.send(about, message), "the broker", between=lambda: self.bus.receive(0.05)
        )

    def _wait_for(self, condition: Callable[[AnyMessage], bool]) -> None:
        wait_until(
            lambda: any(condition(message) for _, message in self.bus.receive(0.1)), "a message on the bus"
        )


def _address(broker: Process) -> str:
    """Return where a broker says that its metrics are."""
    assert broker.stderr is not None
    for line in broker.stderr:
        found = re.search(r"http://(\S+)/metrics", line)
        if found is not None:
            return found[1]
    raise AssertionError("the broker ended")
