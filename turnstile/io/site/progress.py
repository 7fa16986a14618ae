"""How far long work is, on a terminal only. It stands apart, so that nobody else loads rich."""

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
