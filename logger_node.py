"""Write the access log: one line a visit, each event exactly once.

Hears: `log.<name>.<instance>.` (events from the broker's journal) and `query.` (someone tails).
Says:  Fetch (which event it has last, every 0.3 s and at once after new ones), Entries, its beat.

Policy: an event counts as logged when its line is on the disk; only then does the next Fetch name it.
Repeated events are left out, events after a gap are fetched again. When the disk is full or fails, the node
says so and fetches nothing, because the broker keeps what was not fetched; it tries again every second.

    python logger_node.py --config FILE [--name LOGGER]
    python logger_node.py tail --config FILE [-n LINES] [--follow]    the log, from any machine
"""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from turnstile.accesslog import Event, Progress, entry_of, event_of, format_entry
from turnstile.errors import LogError
from turnstile.io import node, tail
from turnstile.io.beats import Heart
from turnstile.io.bus import Bus
from turnstile.io.logfile import LogFile
from turnstile.messages import Access, Fetch, Log, Query, log_topic, topic
from turnstile.tailing import MAX_PAGE_BYTES, RecentLines

FETCH_EVERY_S = 0.3
RETRY_FILE_EVERY_S = 1.0

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Logger:
    """The logger's ports, and what it has logged."""

    name: str
    instance: str
    bus: Bus
    heart: Heart
    file: LogFile
    recent: RecentLines
    progress: Progress = field(default_factory=Progress)
    trouble: str = ""
    """Why nothing can be logged; empty when it can."""
    gap: bool = False
    """Whether the events that came last do not follow on those logged."""
    open_at: float = 0.0
    fetch_at: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Log what came, answer who asked, and fetch when it is time."""
        for _, message in self.bus.hear(timeout_s):
            if isinstance(message, Log):
                self._take(message)
            elif isinstance(message, Query):
                self.heart.count("queries")
                self.bus.say(topic("entries", message.asker), self.recent.answer(message))
        self._keep_open()
        self._fetch_if_due()
        self._beat_if_due()

    def close(self) -> None:
        """Let go of the file and the sockets."""
        self.file.close()
        self.bus.close()

    def _take(self, message: Log) -> None:
        self._keep_open()
        if not self.file.is_open:
            return
        batch = self.progress.sift(message)
        self.heart.count("repeated", batch.repeated)
        self.heart.count("refused_gap", batch.refused)
        self._note_gap(message, refused=batch.refused)
        if batch.new:
            self._write(batch.new)

    def _write(self, events: Sequence[Access]) -> None:
        lines = [format_entry(entry_of(event, at=_local_time(event.decided_ns))) for event in events]
        before = time.monotonic()
        try:
            self.file.append(lines)
        except LogError as error:
            self._file_failed(error)
            return
        self.heart.gauge("write_ms", round((time.monotonic() - before) * 1000, 3))
        self.heart.count("entries", len(lines))
        self.recent.add(lines)
        for event in events:
            self.progress.have(Event(event.source, event.seq))
        self.fetch_at = 0.0

    def _keep_open(self) -> None:
        """Open the file at first, after it was moved away, and some time after it failed."""
        if self.file.is_open and self.file.was_moved():
            log.info("the access log was moved away; a new one begins")
            self.file.close()
        elif self.file.is_open or time.monotonic() < self.open_at:
            return
        self._open()

    def _open(self) -> None:
        newest = self.progress.newest
        try:
            lines = self.file.open(after=newest)
        except LogError as error:
            self._file_failed(error)
            return
        if self.trouble:
            log.info("the access log can be written again")
            self.trouble = ""
        if newest is None:
            for event in filter(None, map(event_of, lines)):
                self.progress.have(event)
            self.recent.add(lines)

    def _file_failed(self, error: LogError) -> None:
        if self.trouble != str(error):
            log.error("%s; nothing is lost: the broker keeps events until they are logged", error)
        self.trouble = str(error)
        self.open_at = time.monotonic() + RETRY_FILE_EVERY_S

    def _note_gap(self, message: Log, *, refused: int) -> None:
        if refused and not self.gap:
            wanted = self.progress.fetch_after.seq + 1
            log.warning("the broker skipped event %d of journal %s; asking again", wanted, message.source)
        self.gap = bool(refused)

    def _fetch_if_due(self) -> None:
        now = time.monotonic()
        if self.file.is_open and now >= self.fetch_at:
            source, after_seq = self.progress.fetch_after
            fetch = Fetch(name=self.name, instance=self.instance, source=source, after_seq=after_seq)
            self.bus.say("fetch.", fetch)
            self.fetch_at = now + FETCH_EVERY_S

    def _beat_if_due(self) -> None:
        self.heart.state = self.trouble or self._state()
        self.heart.gauge("last_seq", self.progress.fetch_after.seq)
        self.heart.take({"refused_messages": self.bus.refused, "reconnects": self.bus.reconnects})
        beat = self.heart.beat_if_due()
        if beat is not None:
            self.bus.say(self.heart.topic, beat)

    def _state(self) -> str:
        if self.bus.broker_lost:
            return "broker lost"
        return (
            f"waiting for event {self.progress.fetch_after.seq + 1}, which the broker skips"
            if self.gap
            else "live"
        )


def wire(start: node.Start) -> Logger:
    """Return the logger; its first step opens the file."""
    heart = Heart(node=start.name, instance=start.instance, role="logger", rates=("entries",))
    topics = (log_topic(start.name, start.instance), "query.")
    return Logger(
        name=start.name,
        instance=start.instance,
        bus=Bus(start.site.broker, topics=topics, wake_fd=start.stop.fileno),
        heart=heart,
        file=LogFile(Path(start.site.loggers[start.name].file)),
        recent=RecentLines(start.name, max_page_bytes=min(MAX_PAGE_BYTES, start.site.broker.max_frame_bytes)),
    )


def main(argv: Sequence[str]) -> int:
    """Run the node, or one of the commands that read the log."""
    if argv[:1] == ["tail"]:
        return tail.main(argv[1:])
    return node.run("logger", wire, doc=__doc__, argv=argv)


def _local_time(wall_ns: int) -> datetime:
    """Return a wall-clock time in this machine's zone."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).astimezone()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
