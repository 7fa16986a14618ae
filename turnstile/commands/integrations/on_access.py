"""Run a program for each access event of a camera, to open a door or ring a bell.

The program gets the event as JSON on its input. One runs at a time, in the order of the events. A grant
that has expired meanwhile is not acted on: no door opens for somebody who left.
"""

import argparse

from turnstile.commands.options import add_config
from turnstile.io.integrations import on_access


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--camera", required=True, metavar="NAME", help="whose events")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="kill the program after this (10)"
    )
    parser.add_argument("command_line", nargs="*", metavar="PROGRAM", help="after --, with its arguments")


def run(options: argparse.Namespace) -> int:
    """Act on events until asked to stop; return an exit code as nodes do."""
    return on_access.run(options)
