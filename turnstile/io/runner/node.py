"""What every node program does around its `step`: command line, site file, signals, logging, exit code."""

import argparse
import faulthandler
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol, Self

from turnstile import __version__
from turnstile.errors import ConfigError, DisplayError, NoScreenYetError, TurnstileError
from turnstile.io.bus.keys import NodeKey
from turnstile.io.runner.clock import ClockWatch
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.logs import configure_logging
from turnstile.io.runner.member import Member, choose_name, key_for
from turnstile.io.runner.watchdog import Pulse
from turnstile.io.site.changes import SiteFileWatch
from turnstile.io.site.file import load
from turnstile.protocol.roles import NodeRole, instance_of
from turnstile.site import restarts
from turnstile.site.parts import part_of
from turnstile.site.settings import Site

EXIT_STOPPED, EXIT_CRASHED = restarts.EXIT_STOPPED, restarts.EXIT_CRASHED
EXIT_CONFIG, EXIT_UNAVAILABLE = restarts.EXIT_CONFIG, restarts.EXIT_UNAVAILABLE
EXIT_NOT_YET = restarts.EXIT_NOT_YET
STEP_S = 0.1

UNDER_A_SUPERVISOR = "TURNSTILE_UNDER_A_SUPERVISOR"
"""Set in the environment of nodes whose supervisor says for all of them that the site file changed."""

log = logging.getLogger("turnstile")

_Handler = Callable[[int, FrameType | None], object] | int | None


class Stop:
    """A request to stop, made by SIGTERM or SIGINT or by the node itself. A second signal exits at once.

    `fileno` becomes readable at the first signal: a plain flag is seen only after a poll's whole time-out,
    because pyzmq restarts interrupted polls (PEP 475).

    Attributes:
        requested: the node is to stop.
        starting: the node is not wired yet. It has nothing in hand to finish, and loading models takes
            seconds, so a signal is raised as KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = False
        self.starting = False
        self._signalled = False
        self._handlers: dict[int, _Handler] = {}
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    @property
    def fileno(self) -> int:
        """Return a descriptor to put into a poller; it is never read, so it stays readable."""
        return self._read_fd

    def request(self) -> None:
        """Ask the loop to end after the step in hand."""
        self.requested = True

    def __enter__(self) -> Self:
        """Take over SIGTERM and SIGINT; main thread only."""
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            os._exit(128 + number)
        self._signalled = self.requested = True
        if self.starting:
            raise KeyboardInterrupt


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a node is given to wire itself."""

    site: Site
    key: NodeKey | None
    """As `Member` has it."""
    name: str
    instance: str
    """Unique to this process: the name and eight random hexadecimal digits."""
    options: argparse.Namespace
    stop: Stop
    pulse: Pulse
    """Tells when the node's loop turned last."""


class Node(Protocol):
    """A node once it is wired."""

    @property
    def heart(self) -> Heart:
        """Return what counts and says what the node does."""
        ...

    def step(self, timeout_s: float) -> None:
        """Do what there is to do, waiting at most `timeout_s` for something to come."""
        ...

    def close(self) -> None:
        """Let go of sockets, cameras, windows and files; called once, whatever happened."""
        ...


def run(
    role: NodeRole,
    wire: Callable[[Start], Node],
    *,
    doc: str | None,
    argv: Sequence[str] | None = None,
    add_options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Run a node until it is asked to stop, and return its exit code.

    It is 0 stopped, 1 crashed, 69 no screen, 75 no screen yet, or 78 bad site file.
    """
    parser = command_line(doc)
    if add_options is not None:
        add_options(parser)
    options = parser.parse_args(argv)

    def identify(site: Site) -> Member:
        name = choose_name(site, role, options.name)
        return Member(role, name, key_for(site, role, name))

    return run_as(identify, wire, options=options, log_level=options.log_level, check_only=options.check)


def run_as(
    identify: Callable[[Site], Member],
    wire: Callable[[Start], Node],
    *,
    options: argparse.Namespace,
    log_level: str = "info",
    check_only: bool = False,
) -> int:
    """Run what a command line was parsed for, as `run` does; `identify` finds who it is at its site."""
    configure_logging(log_level)
    try:
        site = load(options.config)
        member = identify(site)
    except ConfigError as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence is enough
        return EXIT_CONFIG
    if check_only:
        sys.stdout.write(f"{options.config}: valid; {member}\n")
        return EXIT_STOPPED
    return _drive(member, wire, site=site, options=options)


def _drive(member: Member, wire: Callable[[Start], Node], *, site: Site, options: argparse.Namespace) -> int:
    faulthandler.enable(file=2)  # systemd ends a loop that hangs by SIGABRT: say where it hung
    pulse = Pulse()
    with Stop() as stop, closing(pulse):
        start = Start(
            site=site,
            key=member.key,
            name=member.name,
            instance=instance_of(member.name, secrets.token_hex(4)),
            options=options,
            stop=stop,
            pulse=pulse,
        )
        try:
            log.info("%s starts", member)
            stop.starting = True
            node = wire(start)
            stop.starting = False
            watch = SiteFileWatch(
                options.config, lambda changed: part_of(changed, member.kind, member.name), site
            )
            work(node, stop, pulse, watch)
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the one place; all is logged
            return _account_for(error, stop, f"{member}")
        log.info("%s stopped", member)
        return EXIT_STOPPED


def work(node: Node, stop: Stop, pulse: Pulse, watch: SiteFileWatch) -> None:
    """Turn a node's loop until it is asked to stop, then close the node, whatever happened."""
    clock = ClockWatch()
    try:
        pulse.ready(node.heart.words)
        while not stop.requested:
            node.step(STEP_S)
            if watch.poll(time.monotonic()):
                node.heart.notice = watch.notice
                if watch.notice and not os.environ.get(UNDER_A_SUPERVISOR):
                    log.warning("%s", watch.notice)
            if words := clock.poll():
                node.heart.count("clock_set")
                log.warning("%s", words)
            pulse.turned(node.heart.words)
        node.heart.end()
        pulse.stopping()
    finally:
        node.close()


def _account_for(error: BaseException, stop: Stop, who: str) -> int:
    """Say why a node ended before its loop did, and return its exit code."""
    if stop.starting and stop.requested:
        # The interrupt may have become another error: dlib, while it is imported, makes it an ImportError.
        log.info("%s stopped before it was ready", who)
        return EXIT_STOPPED
    if isinstance(error, TurnstileError):
        log.error("%s", error)
        if isinstance(error, ConfigError):
            return EXIT_CONFIG
        if not (isinstance(error, DisplayError) and stop.starting):
            return EXIT_CRASHED
        return EXIT_NOT_YET if isinstance(error, NoScreenYetError) else EXIT_UNAVAILABLE
    log.error("%s crashed", who, exc_info=error)
    return EXIT_CRASHED


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options all nodes have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    parser.add_argument(
        "--name", metavar="NODE", help="which of the site's nodes this is; needed if there are several"
    )
    parser.add_argument("--check", action="store_true", help="check the site file and exit: 0 valid, 78 not")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--version", action="version", version=f"turnstile {__version__}")
    return parser
