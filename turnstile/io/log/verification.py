"""Verifying a whole log: the chain in the store, the heads that were kept elsewhere, and the text."""

from collections.abc import Iterable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from turnstile.errors import LogError
from turnstile.io.log import witness
from turnstile.io.log.store import Store
from turnstile.io.log.text import local_time
from turnstile.log.chain import Finding, Head, Inspection, Link
from turnstile.log.lines import Event, entry_of, format_entry, is_remark, parse_entry
from turnstile.site.settings import LoggerSettings

MAX_FINDINGS = 100


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
    floor, text = store.floor, _Text(Path(settings.file))
    inspection, findings = _walk(store, kept, against, text)
    store.refresh()
    if store.floor != floor:  # retention removed entries meanwhile; the next time is an hour away
        text = _Text(Path(settings.file))
        inspection, findings = _walk(store, kept, against, text)
    lines = [finding.words for finding in findings[:MAX_FINDINGS]] + text.complaints[:MAX_FINDINGS]
    total = len(findings) + len(text.complaints)
    lines += [f"and {total - len(lines)} more"] if total > len(lines) else []
    return Report(not total, [*lines, *_summary(store, inspection, kept, total)])


def _walk(
    store: Store, kept: Iterable[tuple[Head, str]], against: bytes | None, text: "_Text"
) -> tuple[Inspection, list[Finding]]:
    inspection = Inspection(store.floor, erasures=[one.pseudonym for one in store.erasures()])
    inspection.expect(kept)
    inspection.expect([(store.head, "the store itself names as its newest")])
    if against is not None and (not store.floor.number or against != store.floor.hash):
        inspection.expect_hash(against, f"no entry has the hash {against.hex()}: cut off, or rewritten")
    for link in store.links(pictures=True):
        inspection.take(link)
        text.compare(link)
    text.finish(store.floor)
    return inspection, inspection.finish()


def _summary(
    store: Store, inspection: Inspection, kept: list[tuple[Head, str]], findings: int
) -> Iterator[str]:
    yield f"log of {store.name}: {inspection.entries} entries, the newest {_in_words(inspection.head)}"
    if store.floor.number:
        yield f"entries up to {store.floor.number} were removed for their age"
    for erasure in store.erasures():
        yield f"{erasure.pseudonym} stands for a name that was erased in {erasure.entries} entries"
    if inspection.without_picture:
        yield f"{inspection.without_picture} pictures were removed, for their age or by erasure"
    if kept:
        yield f"compared with {len(kept)} heads kept elsewhere, the newest {_in_words(max(kept)[0])}"
    else:
        yield "no head was kept elsewhere (loggers.*.witness): a cut end would not be seen"
    yield (
        "whole: nothing was changed, removed or reordered" if not findings else f"NOT whole: {findings} found"
    )


def _in_words(head: Head) -> str:
    return f"{head.number} {head.hash.hex()}"


class _Text:
    """The lines of the text file, to compare with the store; read before the walk, so never ahead of it."""

    def __init__(self, path: Path) -> None:
        self.complaints: list[str] = []
        self._path = path
        self._lines: dict[Event, tuple[int, str, tzinfo | None]] = {}
        try:
            lines = path.read_text("utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        for number, line in enumerate(lines[:-1], 1):
            if is_remark(line):
                continue
            try:
                entry = parse_entry(line)
            except LogError:
                self._complain(number, "is no entry")
                continue
            if entry.event in self._lines:
                self._complain(number, "tells an event a second time")
            self._lines[entry.event] = number, line, entry.at.tzinfo

    def compare(self, link: Link) -> None:
        """Compare an entry with its line, if the file has it."""
        found = self._lines.pop(Event(link.record.source, link.record.seq), None)
        if found is None:
            return
        number, line, zone = found
        at = local_time(link.record.decided_ns).astimezone(zone)
        if format_entry(entry_of(link, at=at)) != line:
            self._complain(number, f"does not say what entry {link.record.number} says")

    def finish(self, floor: Head) -> None:
        """Complain about lines that the store has no entry for, unless it once had older ones."""
        for number, _, _ in [] if floor.number else self._lines.values():
            self._complain(number, "tells an event that the store does not have")

    def _complain(self, number: int, what: str) -> None:
        self.complaints.append(f"line {number} of {self._path} {what}")
