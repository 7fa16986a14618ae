"""The access log as a logger keeps it: a text file, what it has, and its newest lines for those who tail."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from turnstile.accesslog import Event, Progress, entry_of, event_of, format_entry
from turnstile.errors import LogError
from turnstile.io.logfile import LogFile
from turnstile.messages import Access, Entries, Log, Query
from turnstile.tailing import RecentLines

RETRY_S = 1.0

log = logging.getLogger("turnstile")


class TextLog:
    """Each event once, in order, on the disk before it counts.

    Attributes:
        trouble: why the log cannot go on now, in words; empty when it can.
        counts: ``entries`` written, events ``repeated``, events ``refused_gap`` because others are missing
            before them.
        write_ms: how long the latest batch took to reach the disk.
    """

    def __init__(self, path: Path, *, logger: str, max_page_bytes: int) -> None:
        """Name the file and who answers for it; `keep_open` opens it."""
        self.trouble = ""
        self.counts: Counter[str] = Counter()
        self.write_ms = 0.0
        self._file = LogFile(path)
        self._progress = Progress()
        self._recent = RecentLines(logger, max_page_bytes=max_page_bytes)
        self._open_at = 0.0

    @property
    def fetch_after(self) -> Event:
        """Return the event to fetch after."""
        return self._progress.fetch_after

    def keep_open(self) -> bool:
        """Open the file at first, when it was moved away, and a second after it failed; tell if it is open.

        Raises:
            ConfigError: the file holds something else than an access log.
        """
        if self._file.is_open and self._file.was_moved():
            log.info("the access log was moved away or emptied; it goes on in a new file")
            self._file.close()
            self._open_at = 0.0
        if not self._file.is_open and time.monotonic() >= self._open_at:
            self._open()
        return self._file.is_open

    def take(self, message: Log) -> bool:
        """Write what is new in a `Log`; tell whether that was anything."""
        if not self.keep_open():
            return False
        batch = self._progress.sift(message)
        self.counts["repeated"] += batch.repeated
        self.counts["refused_gap"] += batch.refused
        written = bool(batch.new) and self._write(batch.new)
        if batch.refused:
            self._in_trouble(
                f"event {self.fetch_after.seq + 1} is missing in what the broker sends; asking again"
            )
        elif written:
            self.trouble = ""
        return written

    def answer(self, query: Query) -> Entries:
        """Return the lines that somebody asks for."""
        return self._recent.answer(query)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _open(self) -> None:
        newest = self._progress.newest
        try:
            lines = self._file.open(after=newest)
        except LogError as error:
            self._failed(error)
            return
        if self.trouble:
            log.info("the access log can be written again")
            self.trouble = ""
        if newest is None:
            for event in filter(None, map(event_of, lines)):
                self._progress.have(event)
            self._recent.add(lines)

    def _write(self, events: Sequence[Access]) -> bool:
        lines = [format_entry(entry_of(event, at=_local_time(event.decided_ns))) for event in events]
        began = time.monotonic()
        try:
            self._file.append(lines)
        except LogError as error:
            self._failed(error)
            return False
        self.write_ms = (time.monotonic() - began) * 1000
        self.counts["entries"] += len(lines)
        self._recent.add(lines)
        for event in events:
            self._progress.have(Event(event.source, event.seq))
        return True

    def _failed(self, error: LogError) -> None:
        self._open_at = time.monotonic() + RETRY_S
        self._in_trouble(f"{error}; nothing is lost: the broker keeps events until they are logged")

    def _in_trouble(self, words: str) -> None:
        if self.trouble != words:
            log.error("%s", words)
            self.trouble = words


def _local_time(wall_ns: int) -> datetime:
    """Return a wall-clock time in this machine's zone."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).astimezone()
