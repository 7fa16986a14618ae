"""Change how many recognizers run here, under `turnstile up`."""

import argparse

from turnstile.commands.options import add_config, number
from turnstile.commands.supervise import up
from turnstile.site.fields import MAX_COUNT


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("count", type=number(0, MAX_COUNT), metavar="N")
    add_config(parser)
    parser.add_argument(
        "--host", metavar="HOST", help="which host, if this machine runs several of the site's"
    )


def run(options: argparse.Namespace) -> int:
    """Change the number; return 0 or 1."""
    return up.scale(options)
