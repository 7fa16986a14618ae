"""Start a node again that was stopped, has ended or was given up, under `turnstile up`."""

import argparse
import sys

from turnstile.commands.options import add_config, add_host
from turnstile.io.supervise.control import send_command
from turnstile.site.restarts import EXIT_STOPPED


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("node", metavar="NODE", help="its name in the site file")
    add_config(parser)
    add_host(parser, default="the one that runs here")


def run(options: argparse.Namespace) -> int:
    """Start the node; return 0."""
    send_command(options.config, options.host, "start", name=options.node)
    sys.stdout.write(f"started {options.node}\n")
    return EXIT_STOPPED
