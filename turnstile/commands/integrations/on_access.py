"""Run a program when a camera's visitor is granted entry, to open a door; or for denials, to ring a bell.

The program runs for grants only, unless --denied or --all is given. It gets the event as a line of JSON on
its input: `verdict` ("granted" or "denied"), `person` (or null), `reason`, `camera`, `distance`, `votes`,
`of`, `source` and `seq`, which together name the event, `decided_ns`, `expires_ns`, and `thumbnail`, a JPEG
in base64. docs/integrations.md lists every field.

One program runs at a time, in the order of the events. A grant that has expired meanwhile is not acted on: no
door opens for somebody who left.
"""

import argparse

from turnstile.commands.options import add_config
from turnstile.io.integrations import on_access


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--camera", required=True, metavar="NAME", help="whose events")
    which = parser.add_mutually_exclusive_group()
    for name, text in (
        ("granted", "run the program for grants only (the default)"),
        ("denied", "run it for denials only"),
        ("all", "run it for both; it must read the verdict from its input"),
    ):
        which.add_argument(f"--{name}", dest="runs_for", action="store_const", const=name, help=text)
    parser.set_defaults(runs_for="granted")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="kill the program after this (10)"
    )
    parser.add_argument("command_line", nargs="*", metavar="PROGRAM", help="after --, with its arguments")


def run(options: argparse.Namespace) -> int:
    """Act on events until asked to stop; return an exit code as nodes do."""
    return on_access.run(options)
