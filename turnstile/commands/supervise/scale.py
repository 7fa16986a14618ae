"""Change how many recognizers run here, under `turnstile up`."""

import argparse
import sys

from turnstile.commands.options import add_config, add_host, number
from turnstile.io.supervise.control import send_command
from turnstile.site.fields import MAX_COUNT
from turnstile.site.restarts import EXIT_STOPPED


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("count", type=number(0, MAX_COUNT), metavar="N", help="how many are to run")
    add_config(parser)
    add_host(parser, default="the one that runs here")


def run(options: argparse.Namespace) -> int:
    """Change the number, and say which were started or stopped; return 0."""
    answer = send_command(options.config, options.host, "scale", count=options.count)
    changes = [f"{verb} {', '.join(answer[verb])}" for verb in ("started", "stopped") if answer[verb]]
    sys.stdout.write(f"{'; '.join(changes) or f'{options.count} run already'}\n")
    return EXIT_STOPPED
