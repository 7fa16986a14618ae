"""Show the site in a browser, to whoever is signed in: run the web node.

`turnstile up` starts it where the site file has `web:`. `turnstile web invite` lets somebody in.
"""

import argparse

from turnstile.commands.options import add_config
from turnstile.io.web.serving import node


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--name", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop; return an exit code as nodes do."""
    return node.run(options)
