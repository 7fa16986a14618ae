"""The real broker and the real recognizer, with the time noted at their sockets.

Each is the program's own node, wired and run as the program does it; what it hears and says goes through a
port that notes when. Wall-clock nanoseconds, comparable on one machine.
"""

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import zmq

import broker
import recognizer_node
from benchmarks.simulated_nodes import SleepingEngine, a_recognizer
from tests.support.process_group import Channel
from turnstile.dispatch.refusals import Refusals
from turnstile.errors import RefusedError
from turnstile.io.bus.broker import BrokerSockets, Received
from turnstile.io.bus.nodes import Bus, Heard
from turnstile.io.runner import node
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import Frame, Result, Work, decode
from turnstile.protocol.roles import NodeRole

Stamps = dict[str, dict[int, int]]
"""Point on the way → the frame's number → when it came by."""


@dataclass(kw_only=True)
class StampedSockets:
    """The broker's sockets. What goes by is decoded only at the end."""

    inner: BrokerSockets
    notes: list[tuple[str, int, bytes]] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Return what the broker counts."""
        return self.inner.refused

    def wait(self, timeout_s: float) -> bool:
        """Wait as the broker does."""
        return self.inner.wait(timeout_s)

    def subscription(self, until_s: float = float("inf")) -> tuple[str, bool] | None:
        """Pass a subscription on."""
        return self.inner.subscription(until_s)

    def receive(self) -> Received | None:
        """Note when a frame is taken."""
        said = self.inner.receive()
        if said is not None and said.topic.startswith("frame."):
            self.notes.append(("taken", time.time_ns(), said.body))
        return said

    def publish(self, topic: str, body: bytes | zmq.Frame) -> None:
        """Note when work and a result leave."""
        if topic.startswith("work."):
            self.notes.append(("handed out", time.time_ns(), body if isinstance(body, bytes) else body.bytes))
        elif topic.startswith("result."):
            self.notes.append(("published", time.time_ns(), body if isinstance(body, bytes) else body.bytes))
        self.inner.publish(topic, body)

    def refuse(self, said: Received, why: str) -> RefusedError:
        """Refuse as the broker does."""
        return self.inner.refuse(said, why)

    @property
    def refusals(self) -> Refusals:
        """Return what the ports count by name."""
        return self.inner.refusals

    def note_unusable(self, why: str, said: Received | None = None) -> None:
        """Name the sender as the broker does."""
        self.inner.note_unusable(why, said)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close as the broker does."""
        self.inner.close(linger_s=linger_s)

    def stamps(self) -> Stamps:
        """Return what was noted."""
        found: Stamps = {}
        for point, at_ns, body in self.notes:
            message = decode(body)
            if isinstance(message, Frame | Work | Result):
                found.setdefault(point, {})[message.seq] = at_ns
        return found


@dataclass(kw_only=True)
class StampedBus:
    """The recognizer's bus."""

    inner: Bus
    found: Stamps = field(default_factory=lambda: {"heard": {}})

    @property
    def counts(self) -> dict[str, int]:
        """Return what the bus counts."""
        return self.inner.counts

    @property
    def broker_lost(self) -> bool:
        """Return what the bus knows."""
        return self.inner.broker_lost

    @property
    def trouble(self) -> str:
        """Return what the bus says."""
        return self.inner.trouble

    def receive(self, timeout_s: float) -> list[Heard]:
        """Note when work comes."""
        heard = self.inner.receive(timeout_s)
        for _, message in heard:
            if isinstance(message, Work):
                self.found["heard"][message.seq] = time.time_ns()
        return heard

    def send(self, topic: str, message: Message) -> bool:
        """Say it."""
        return self.inner.send(topic, message)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close as the bus does."""
        self.inner.close(linger_s=linger_s)


def run_broker(channel: Channel, site_path: Path) -> None:
    """Be the broker until told to stop; answer with the `Stamps` of what it took and published."""
    ports: list[StampedSockets] = []

    def wire(start: node.Start) -> broker.BrokerNode:
        plain = broker.wire(start)
        ports.append(StampedSockets(inner=plain.sockets))
        return dataclasses.replace(plain, sockets=cast(BrokerSockets, ports[0]))

    _run(channel, "broker", wire, site_path)
    channel.answers.send(ports[0].stamps())


def run_recognizer(channel: Channel, site_path: Path, *, replies_only: bool) -> None:
    """Be a recognizer until told to stop; answer with the `Stamps` of what it heard and answered.

    With `replies_only` its engine sees nothing and takes no time.
    """
    ports: list[StampedBus] = []

    def wire(start: node.Start) -> recognizer_node.RecognizerNode:
        if replies_only:
            engine = SleepingEngine(work_s=0.0)
            plain = a_recognizer(
                start.site.broker,
                engine,
                name=start.name,
                instance=start.instance,
                wake_fd=start.stop.fileno,
            )
        else:
            plain = recognizer_node.wire(start)
        ports.append(StampedBus(inner=plain.bus))
        return dataclasses.replace(plain, bus=cast(Bus, ports[0]))

    _run(channel, "recognizer", wire, site_path)
    channel.answers.send(ports[0].found)


def _run(channel: Channel, role: NodeRole, wire: Callable[[node.Start], node.Node], site_path: Path) -> None:
    """Run a node as its program does, and send this process the signal that stops it when told to stop."""

    def end() -> None:
        channel.stop.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    named = () if role == "broker" else ("--name", f"{role}-1")
    code = node.run(role, wire, doc="", argv=("--config", str(site_path), "--log-level", "error", *named))
    if code != node.EXIT_STOPPED:
        raise SystemExit(code)
