"""End the lockout of a door that denied too many visits. With keys, only the operator's key may do that."""

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
from turnstile.protocol.state import LOCKED_OUT

WITHIN_S = 3.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("door", metavar="DOOR", help="the camera's name")


def run(options: argparse.Namespace) -> int:
    """Ask the broker until it says that the door is not locked out; return 0.

    Raises:
        TurnstileError: there is no such door, it is not locked out, or the broker does not do it.
    """
    site = load(options.config)
    if options.door not in site.cameras:
        raise TurnstileError(f"{options.door}: no such camera; the site has {', '.join(site.cameras)}")
    asked = Unlock(asker=instance_of(OPERATOR, secrets.token_hex(4)), camera=options.door)
    bus = Bus(site.broker, key=key_to_look_on(site, OPERATOR if site.keys else None))
    try:
        if not _is_locked(bus, options.door):
            sys.stdout.write(f"{options.door} is not locked out\n")
            return EXIT_STOPPED
        until_s = time.monotonic() + WITHIN_S
        while time.monotonic() < until_s:
            bus.send("unlock.", asked)
            if not _is_locked(bus, options.door):
                sys.stdout.write(f"{options.door} is unlocked\n")
                return EXIT_STOPPED
    finally:
        bus.close()
    raise TurnstileError(f"{options.door} is still locked out: the broker took no word of {asked.asker}")


def _is_locked(bus: Bus, door: str) -> bool:
    """Tell whether the broker's next beat says that a door is locked out."""
    until_s = time.monotonic() + WITHIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        for _, message in bus.receive(left_s):
            if isinstance(message, Beat) and message.role == "broker":
                return f"{LOCKED_OUT}{door}" in message.gauges
    raise no_broker(bus)
