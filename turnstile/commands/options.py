"""Options that several commands have, each defined once."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

SITE_FILE = "the site file"


def add_config(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    """Add `--config FILE`, which must be given.

    Args:
        parser: the command's.
        positional: whether the file may also stand alone: `turnstile check FILE`.
    """
    if not positional:
        parser.add_argument("--config", type=Path, required=True, metavar="FILE", help=SITE_FILE)
        return
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--config", type=Path, metavar="FILE", help=SITE_FILE)
    either.add_argument("config", type=Path, nargs="?", action=_StoreIfGiven, help=argparse.SUPPRESS)


def add_host(parser: argparse.ArgumentParser, *, default: str = "found by name or address") -> None:
    """Add `--host HOST`; the default is said in words."""
    parser.add_argument(
        "--host", metavar="HOST", help=f"which of the site's hosts this is (default: {default})"
    )


def number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return what turns text into a whole number of this range."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text[:19]) <= highest):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {lowest} to {highest}")
        return int(text)

    return convert


class _StoreIfGiven(argparse.Action):
    """Keep what the option of the same name stored where no argument stands alone."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: Any = None
    ) -> None:
        if values is not None:
            setattr(namespace, self.dest, values)
