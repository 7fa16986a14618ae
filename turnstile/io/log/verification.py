"""Verifying a whole log: the chain in the store, the heads that were kept elsewhere, and the text."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from turnstile.counts import counted
from turnstile.io.log import witness
from turnstile.io.log.text import local_time
from turnstile.io.log.text_inspection import TextInspection
from turnstile.io.site.progress import progress
from turnstile.io.store.damage import damage_of, strays_of
from turnstile.io.store.store import Store
from turnstile.log.chain import Head
from turnstile.log.inspection import Finding, Inspection, KeptHead
from turnstile.log.notes import EntriesRemoved, NoteLink, PicturesRemoved, words_of
from turnstile.site.settings import LoggerSettings

MAX_FINDINGS = 100
LINE_WITHIN_S = 0.5
"""A running logger writes an entry's line within this time of the entry."""


class Report(NamedTuple):
    """What is to be said about a log."""

    whole: bool
    lines: list[str]


def inspect(store: Store, settings: LoggerSettings, *, against: bytes | None = None) -> Report:
    """Walk along a log from its first entry, while its logger may be writing it.

    Args:
        store: opened for reading.
        settings: where the text and the witness are.
        against: the hash of an entry, kept by somebody.

    Raises:
        LogError: the store or the witness cannot be read.
    """
    kept = list(witness.read(Path(settings.witness), str(store.name))) if settings.witness else []
    damage = damage_of(store)
    if damage:
        return Report(False, [*damage, f"NOT whole: {len(damage)} found; nothing else was looked at"])
    floor, head, text = store.floor, store.head, TextInspection(Path(settings.file))
    inspection, findings = _walk(store, kept, against, text)
    store.refresh()
    if text.complaints or store.floor != floor or (findings and store.head != head):  # a logger writes it now
        time.sleep(LINE_WITHIN_S if text.complaints else 0)
        text = TextInspection(Path(settings.file))
        inspection, findings = _walk(store, kept, against, text)
    if store.floor.number and not settings.keep_entries_days:
        words = f"entries up to {store.floor.number} were removed, but keep_entries_days is not set"
        findings.append(Finding(store.floor.number, words))
    lines = [finding.words for finding in findings[:MAX_FINDINGS]] + text.complaints[:MAX_FINDINGS]
    total = len(findings) + len(text.complaints)
    lines += [f"and {total - len(lines)} more"] if total > len(lines) else []
    return Report(not total, [*lines, *_summary(store, inspection, kept, text, total)])


def _walk(
    store: Store, kept: Iterable[KeptHead], against: bytes | None, text: TextInspection
) -> tuple[Inspection, list[Finding]]:
    inspection = Inspection(store.floor)
    inspection.expect([*kept, KeptHead(store.head, "the store itself names as its newest")])
    if against is not None and (not store.floor.number or against != store.floor.hash):
        inspection.expect_hash(against, f"no entry has the hash {against.hex()}: cut off, or rewritten")
    last_seqs = store.progress.last_seqs
    for link in progress(store.chain(after=store.floor.number, pictures=True), "verifying"):
        inspection.take(link)
        text.compare(link)
    text.finish(store)
    return inspection, sorted([*strays_of(store), *inspection.finish(last_seqs)])


def _summary(
    store: Store, inspection: Inspection, kept: list[KeptHead], text: TextInspection, findings: int
) -> Iterator[str]:
    entries = counted(inspection.entries, "entry", "entries")
    yield f"log of {store.name}: {entries}, the newest {_in_words(inspection.head)}"
    for link in inspection.notes:
        if not _is_outdone(link, inspection):
            when = local_time(link.note.at_ns).isoformat(timespec="seconds")
            yield f"note {link.note.number} of {when}: {words_of(link.note.fact, link.told)}"
    if inspection.without_picture:
        yield f"{counted(inspection.without_picture, 'picture')} removed, for their age or by erasure"
    yield from text.summary()
    if kept:
        newest = _in_words(max(one.head for one in kept))
        yield f"compared with {counted(len(kept), 'head')} kept elsewhere, the newest {newest}"
    else:
        yield "no head was kept elsewhere (loggers.*.witness): a cut end would not be seen"
    yield (
        "whole: nothing was changed, removed or reordered" if not findings else f"NOT whole: {findings} found"
    )


def _is_outdone(link: NoteLink, inspection: Inspection) -> bool:
    """Tell whether a later note says the same of more entries."""
    fact = link.note.fact
    last = next(one for one in reversed(inspection.notes) if type(one.note.fact) is type(fact))
    return isinstance(fact, EntriesRemoved | PicturesRemoved) and link is not last


def _in_words(head: Head) -> str:
    return f"{head.number} {head.hash.hex()}"
