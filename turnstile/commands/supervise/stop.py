"""Stop a node that runs here, under `turnstile up`."""

import argparse

from turnstile.commands.options import add_config
from turnstile.commands.supervise import up


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("node", metavar="NODE")
    add_config(parser)
    parser.add_argument(
        "--host", metavar="HOST", help="which host, if this machine runs several of the site's"
    )


def run(options: argparse.Namespace) -> int:
    """Stop the node; return 0 or 1."""
    return up.stop(options)
