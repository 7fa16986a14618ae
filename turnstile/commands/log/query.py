"""Show entries of the access log, by person, camera, verdict, reason or time, on the machine where it is."""

import argparse
import sys
from collections.abc import Iterator
from heapq import merge

from turnstile.commands.log.opened import add_log, opened
from turnstile.commands.log.selection import add_selection, question_of, require_known
from turnstile.io.log.selection import acts, select
from turnstile.io.log.text import line_of
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.terminal import printable
from turnstile.io.store.store import number_of
from turnstile.log.chain import Link
from turnstile.log.notes import NoteLink


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_log(parser)
    add_selection(parser)
    parser.add_argument(
        "--why", action="store_true", help="below each entry, what its frame measured and against which limit"
    )


def run(options: argparse.Namespace) -> int:
    """Print the lines as they stand in the text; return 0.

    Raises:
        LogError: nobody of that name, or no such camera, is known; without entries of a known one it is 0.
    """
    question = question_of(options)
    with opened(options) as log:
        require_known(log, question)
        entries: Iterator[Link | NoteLink] = select(log.store, question)
        notes = (note for note, _ in acts(log.store, question))
        for link in merge(entries, notes, key=number_of):
            sys.stdout.write(f"{printable(line_of(link))}\n")
            if options.why and isinstance(link, Link):
                sys.stdout.write(f"# {printable(measured(link))}\n")
    return EXIT_STOPPED


def measured(link: Link) -> str:
    """Return what the frame that an entry rests on measured, in words for operators."""
    record, personal = link.record, link.personal
    if record.distance is None:
        return "no distance was measured"
    whom = personal.nearest or personal.pseudonym or personal.person or "the nearest enrolled person"
    words = [f"{record.distance:.4f} from {whom}"]
    if record.max_distance is not None:
        words.append(f"the limit was {record.max_distance:.4f}")
    if record.margin is not None:
        words.append(f"the second nearest was {record.margin:.4f} farther")
    return "; ".join(words)
