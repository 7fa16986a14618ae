"""Show the newest entries of the access log, from any machine, over the bus, and follow it."""

import argparse
import secrets
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from turnstile.commands.options import add_config, number
from turnstile.errors import LogError
from turnstile.io.bus.keys import NodeKey, key_to_look_on
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.node import EXIT_STOPPED, Stop
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.log.paging import MAX_LINES, Follower
from turnstile.protocol.messages import Entries
from turnstile.protocol.roles import instance_of
from turnstile.protocol.topics import topic
from turnstile.site.settings import BrokerSettings

ASK_EVERY_S = 0.5
ASK_AGAIN_S = 0.05
SILENT_S = 3.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument(
        "--name", metavar="NAME", help="which observer's key to ask with, if there are several"
    )
    parser.add_argument(
        "-n",
        "--lines",
        type=number(0, MAX_LINES),
        default=10,
        metavar="N",
        help=f"how many lines to begin with, at most {MAX_LINES} (default: 10)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with every further line")


def run(options: argparse.Namespace) -> int:
    """Print lines until there are no more, or until interrupted when following; return 0.

    Raises:
        LogError: no logger answers.
    """
    site = load(options.config)
    key = key_to_look_on(site, options.name)
    with Stop() as stop:
        asked = lines(
            site.broker,
            key=key,
            last=options.lines,
            follow=options.follow,
            until=_interrupted_or_unread(stop),
            wake_fds=(stop.fileno,),
        )
        for line in asked:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return EXIT_STOPPED


def lines(
    broker: BrokerSettings,
    *,
    key: NodeKey | None = None,
    last: int,
    follow: bool,
    until: Callable[[], bool],
    wake_fds: Sequence[int] = (),
) -> Iterator[str]:
    """Yield the last lines of the access log and, to follow, each further line as it comes, each once.

    After the first answer, following waits for loggers and the broker to come back.

    Args:
        broker: where it is.
        key: an observer's, if the site has keys.
        last: how many lines to begin with, at most `turnstile.log.paging.MAX_LINES`.
        follow: whether to go on after the last line.
        until: says when to stop; called at least twice a second.
        wake_fds: descriptors that end waiting when readable.

    Raises:
        LogError: no logger answered within 3 s.
    """
    asker = instance_of("tail" if key is None else key.who.name, secrets.token_hex(4))
    bus = Bus(broker, key=key, topics=[topic("entries", asker)], wake_fds=wake_fds)
    try:
        yield from _lines(bus, Follower(asker, last=last), follow=follow, until=until)
    finally:
        bus.close()


def _lines(bus: Bus, follower: Follower, *, follow: bool, until: Callable[[], bool]) -> Iterator[str]:
    ask_at, answered_at = 0.0, time.monotonic()
    answered = False
    while not until():
        now = time.monotonic()
        if now >= ask_at:
            heard_out = not bus.broker_lost and bus.send("query.", follower.query())
            ask_at = now + (ASK_EVERY_S if heard_out else ASK_AGAIN_S)
        for _, message in bus.receive(max(0.0, ask_at - now)):
            if isinstance(message, Entries) and follower.accepts(message):
                if answered and not follower.logger:
                    _say(f"logger {message.logger} answers again")
                yield from map(printable, follower.take(message))
                answered, answered_at = True, time.monotonic()
                ask_at = 0.0 if follower.more else ask_at
        if answered and not follower.more and not follow:
            return
        if time.monotonic() - answered_at > SILENT_S and (follower.logger or not answered):
            _bear_silence(bus, patient=answered and follow)
            follower.logger = ""


def _bear_silence(bus: Bus, *, patient: bool) -> None:
    """Say that nobody answers.

    Raises:
        LogError: it is not `patient`.
    """
    who = "broker" if bus.trouble else "logger"
    why = bus.trouble or "no logger answers: is one running, and has it the site's key?"
    if not patient:
        raise LogError(f"{why} (waited {SILENT_S:.0f} s)")
    _say(f"the {who} does not answer; waiting: {why}")


def _interrupted_or_unread(stop: Stop) -> Callable[[], bool]:
    """Return a check for a signal, and for a reader of standard output (such as `head`) that is gone."""
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)
    return lambda: stop.requested or any(happened & select.POLLERR for _, happened in reader.poll(0))


def _say(text: str) -> None:
    sys.stderr.write(f"tail: {text}\n")
