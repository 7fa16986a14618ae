"""Send each access event to a web address of the site file, signed, in order, until it is taken.

The address gets one event as JSON in each POST, with the header `Turnstile-Signature: t=SECONDS,v1=HEX`. HEX
is the HMAC-SHA256 of "SECONDS.BODY" with the secret. An event may come twice; its `source` and `seq` tell.
docs/integrations.md lists the event's fields, and has ten lines of Python that check the signature.
"""

import argparse

from turnstile.commands.options import add_config
from turnstile.io.integrations import webhook


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--name", metavar="WEBHOOK", help="which one; needed if there are several")


def run(options: argparse.Namespace) -> int:
    """Send events until asked to stop; return an exit code as nodes do."""
    return webhook.run(options)
