"""Write entries of the access log for other programs, with all their fields, on the machine where it is."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from heapq import merge
from pathlib import Path
from typing import Any

from turnstile.commands.log.opened import add_log, opened
from turnstile.commands.log.selection import add_selection, question_of, require_known
from turnstile.errors import LogError
from turnstile.files.whole import write_whole
from turnstile.io.log.selection import acts, select
from turnstile.io.log.text import local_time
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.progress import progress
from turnstile.log.chain import Link
from turnstile.log.export import as_csv, as_jsonl, row, row_of_act


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_log(parser)
    add_selection(parser)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="jsonl", help="default: jsonl")
    parser.add_argument(
        "--thumbnails", type=Path, metavar="FOLDER", help="write the pictures there, named by number"
    )


def run(options: argparse.Namespace) -> int:
    """Write the entries to standard output, and their pictures into a folder; return 0."""
    question, folder = question_of(options), options.thumbnails
    with opened(options) as log:
        require_known(log, question)
        found = select(log.store, question, pictures=folder is not None)
        rows: Iterable[Mapping[str, Any]] = (
            row(link, at=local_time(link.record.decided_ns), thumbnail=_save_picture(link, folder))
            for link in (found if sys.stdout.isatty() else progress(found, "exporting"))
        )
        told = (row_of_act(link, fact, at=local_time(fact.at_ns)) for link, fact in acts(log.store, question))
        rows = merge(rows, told, key=lambda one: int(one["number"]))
        lines: Iterable[str] = as_csv(rows) if options.format == "csv" else as_jsonl(rows)
        for line in lines:
            sys.stdout.write(line)
    return EXIT_STOPPED


def _save_picture(link: Link, folder: Path | None) -> str | None:
    if folder is None or link.personal.thumbnail is None:
        return None
    file = folder / f"{link.record.number}.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, link.personal.thumbnail)
    except OSError as error:
        raise LogError(f"cannot write {file}: {error.strerror}") from error
    return str(file)
