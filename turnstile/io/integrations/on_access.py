"""`turnstile on-access`: runs a command for the grants of a camera, to open a door, or for its denials.

Receives: the decisions of one camera.

Sends: its beat.

Policy: only grants run the command, unless denials are asked for: a command that opens a door need not read
its input to be safe. One command runs at a time, in the order of the events, each within a bounded time. A
grant that has expired on its way, or while it waited for the command before it, is never acted on: a door
does not open for somebody who left. Its age is counted on clocks that run (`lateness`), so no date matters.

    turnstile on-access --config FILE --camera NAME [--granted | --denied | --all] -- COMMAND [ARGUMENT …]
"""

import argparse
import logging
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from turnstile.errors import ConfigError
from turnstile.io.bus.keys import key_to_look_on
from turnstile.io.bus.nodes import Bus
from turnstile.io.integrations.lateness import BrokerClock
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.member import Member
from turnstile.protocol.messages import Access, Beat, Verdict
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.site.settings import Site

MAX_WAITING = 64
"""Events that wait for the command before them; older ones are dropped and counted."""

STOP_GRACE_S = 0.7
"""How long a command in hand may go on after this process was asked to stop."""

RUNS_FOR: Mapping[str, tuple[Verdict, ...]] = {
    "granted": ("granted",),
    "denied": ("denied",),
    "all": ("granted", "denied"),
}
"""Option -> the verdicts that run the command."""

log = logging.getLogger("turnstile")


def run(options: argparse.Namespace) -> int:
    """Act on events until asked to stop; return an exit code as `node.run` does."""

    def identify(site: Site) -> Member:
        _check(site, options)
        name = f"door-{options.camera}"[:63]
        key = key_to_look_on(site, preferred=name)
        return Member("on-access", name if key is None else key.who.name, key)

    return node.run_as(identify, wire, options=options)


def wire(start: node.Start) -> "OnAccess":
    """Join the bus for the events of one camera."""
    camera, verdicts = start.options.camera, RUNS_FOR[start.options.runs_for]
    log.info(
        "%s: %s runs for %s%s",
        camera,
        start.options.command_line[0],
        " and ".join(f"{verdict} visits" for verdict in verdicts),
        " only; --denied or --all runs it for others" if verdicts == ("granted",) else "",
    )
    return OnAccess(
        camera=camera,
        verdicts=verdicts,
        command=start.options.command_line,
        timeout_s=start.options.timeout,
        bus=Bus(
            start.site.broker, key=start.key, topics=[topic("access", camera)], wake_fds=(start.stop.fileno,)
        ),
        heart=Heart(node=start.name, instance=start.instance, role="observer"),
    )


@dataclass(kw_only=True)
class OnAccess:
    """The events of one camera, and the command that is run for those wanted."""

    camera: str
    verdicts: Sequence[Verdict]
    """Events with another verdict are counted and run nothing."""
    command: Sequence[str]
    timeout_s: float
    bus: Bus
    heart: Heart
    clock: BrokerClock = field(default_factory=BrokerClock)
    waiting: deque[tuple[Access, float]] = field(default_factory=deque)
    """Events with the earliest monotonic time at which they may have been sent."""
    running: subprocess.Popen[bytes] | None = None
    ends_at: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Take in events, and start or watch over the command."""
        for _, message in self.bus.receive(min(timeout_s, 0.02) if self.running else timeout_s):
            if isinstance(message, Access):
                self._queue(message)
            elif isinstance(message, Beat):
                self.clock.hear(message, time.monotonic())
        self._watch()
        while self.waiting and self.running is None:
            self._act(*self.waiting.popleft())
        self.heart.report(State.LIVE)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Let the command in hand end, but not for long."""
        if self.running is not None:
            with suppress(subprocess.TimeoutExpired):
                self.running.wait(timeout=STOP_GRACE_S)
            self._watch()
        if self.running is not None:
            self._kill("this process was asked to stop")
        self.bus.close()

    def _queue(self, event: Access) -> None:
        self.heart.count("events_in")
        if event.verdict not in self.verdicts:
            self.heart.count(f"{event.verdict}_ignored")
            return
        if len(self.waiting) >= MAX_WAITING:
            self.waiting.popleft()
            self.heart.count("dropped_waiting")
        now_s = time.monotonic()
        self.waiting.append((event, now_s - self.clock.age_at_most_s(now_s)))

    def _act(self, event: Access, sent_at: float) -> None:
        age_s = time.monotonic() - sent_at
        if is_expired(event, age_s=age_s):
            self.heart.count("expired_grants")
            log.warning(
                "%s: the grant of %s may be %.1f s old, is valid for %.1f s, and is not acted on",
                *(self.camera, event.visit, age_s, event.valid_s),
            )
            return
        try:
            self.running = subprocess.Popen(self.command, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            self.heart.count("failed_commands")
            log.error("%s: %s cannot be run: %s", self.camera, self.command[0], error.strerror)  # noqa: TRY400 - one sentence
            return
        self.ends_at = time.monotonic() + self.timeout_s
        self.heart.count("commands")
        self._feed(self.running, msgspec.json.encode(event) + b"\n")

    def _feed(self, process: subprocess.Popen[bytes], text: bytes) -> None:
        """Give a command its input: less than a pipe holds, so one that does not read holds up nobody."""
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(text)
                process.stdin.close()

    def _watch(self) -> None:
        if self.running is None:
            return
        code = self.running.poll()
        if code is None and time.monotonic() >= self.ends_at:
            self._kill(f"it took longer than {self.timeout_s:g} s")
        elif code is not None:
            if code != 0:
                self.heart.count("failed_commands")
                log.warning("%s: %s ended with %d", self.camera, self.command[0], code)
            self.running = None

    def _kill(self, why: str) -> None:
        """Kill a command and all that it started."""
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
            self.running = None
        self.heart.count("failed_commands")
        log.warning("%s: %s was killed: %s", self.camera, self.command[0], why)


def _check(site: Site, options: argparse.Namespace) -> None:
    if options.camera not in site.cameras:
        known = ", ".join(site.cameras)
        raise ConfigError(f"--camera {options.camera}: the site's cameras are: {known}")
    if not options.command_line:
        raise ConfigError("no command was given: turnstile on-access … -- COMMAND [ARGUMENT …]")
    program = options.command_line[0]
    if shutil.which(program) is None:
        raise ConfigError(
            f"{program} is not there, or this user may not execute it; a program that is found on PATH, or a "
            "path such as ./open-door.sh with `chmod +x`, would be"
        )


def is_expired(event: Access, *, age_s: float) -> bool:
    """Tell whether it is too late to act on an event; denials do not expire."""
    return event.verdict == "granted" and age_s > event.valid_s
