"""The terminal: text from the bus made safe to print, a reader who leaves, and how far long work is."""

import os
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Item = TypeVar("Item")


def progress(items: Iterable[Item], doing: str) -> Iterator[Item]:
    """Give items one by one, with a bar on standard error. Where that is no terminal, nothing is printed."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(doing, total=len(items) if isinstance(items, Sized) else None)
        for item in items:
            yield item
            shown.advance(task)


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal, whoever sent it: what does not print is replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def give_up_output() -> None:
    """Write nowhere from now on, because whoever read standard output (such as `head`) is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
