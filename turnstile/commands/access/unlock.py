"""End what keeps people out: the lockout of a door that denied too many visits, or a clock in the past.

With keys, only the operator's key may do that. The access log notes who did it and when.
"""

import argparse
import secrets
import sys
import time

from turnstile.commands.health.status import no_broker
from turnstile.commands.options import add_config
from turnstile.errors import TurnstileError
from turnstile.io.bus.keys import key_to_look_on
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.protocol.messages import Beat, Unlock
from turnstile.protocol.roles import OPERATOR, instance_of
from turnstile.protocol.state import CLOCK_BEHIND, LOCKED_OUT

WITHIN_S = 3.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("door", metavar="DOOR", nargs="?", help="the camera's name: end its lockout")
    what.add_argument(
        "--clock",
        action="store_true",
        help="the broker's clock is right, though it stands before its records",
    )


def run(options: argparse.Namespace) -> int:
    """Ask the broker until nothing keeps people out any more; return 0.

    Raises:
        TurnstileError: there is no such door, or the broker does not do it.
    """
    site = load(options.config)
    door: str | None = options.door
    if door is not None and door not in site.cameras:
        raise TurnstileError(f"{door}: no such camera; the site has {', '.join(site.cameras)}")
    gauge = CLOCK_BEHIND if door is None else f"{LOCKED_OUT}{door}"
    asked = Unlock(asker=instance_of(OPERATOR, secrets.token_hex(4)), camera=door)
    bus = Bus(site.broker, key=key_to_look_on(site, OPERATOR if site.keys else None))
    try:
        if not _is_shut(bus, gauge):
            sys.stdout.write(f"{door} is not locked out\n" if door else "the broker's clock is not behind\n")
            return EXIT_STOPPED
        until_s = time.monotonic() + WITHIN_S
        while time.monotonic() < until_s:
            bus.send("unlock.", asked)
            if not _is_shut(bus, gauge):
                sys.stdout.write(f"{door} is unlocked\n" if door else "the broker believes its clock\n")
                return EXIT_STOPPED
    finally:
        bus.close()
    raise TurnstileError(f"nothing is unlocked: the broker did not do what {asked.asker} asked for")


def _is_shut(bus: Bus, gauge: str) -> bool:
    """Tell whether the broker's next beat has a gauge that is not 0."""
    until_s = time.monotonic() + WITHIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        for _, message in bus.receive(left_s):
            if isinstance(message, Beat) and message.role == "broker":
                return bool(message.gauges.get(gauge))
    raise no_broker(bus)
