"""The terminal: text from the bus made safe to print, and a reader who leaves."""

import os
import sys


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal, whoever sent it: what does not print is replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def give_up_output() -> None:
    """Write nowhere from now on, because whoever read standard output (such as `head`) is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
