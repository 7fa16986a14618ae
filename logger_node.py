"""Logger: events become the access log, one line a visit, each event exactly once.

Receives: its own batches of events, queries of whoever tails the log, and requests of the web node.

Sends: which event it has last (every 0.3 s, and at once after new ones), entries and replies to whoever
asked, its beat.

Policy: an event counts as logged when its entry is durable in the store; only then does the next `Fetch` name
it. The text is written from the store. Repeated events are left out, events after a gap are fetched again.
When the store is full or fails, the node says so and fetches nothing, because the broker keeps what was not
fetched. It tries again every second.

    python logger_node.py --config FILE [--name LOGGER]
    python logger_node.py tail --config FILE [-n LINES] [--follow]    the log, from any machine
    python logger_node.py query --config FILE [--person NAME] [--since 2h] …    on the store's machine
    python logger_node.py export --config FILE [--format csv|jsonl] …
    python logger_node.py verify --config FILE [--against HASH]
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from turnstile.commands import cli
from turnstile.io.bus.nodes import Bus
from turnstile.io.log.book import Book
from turnstile.io.log.desk import LogDesk
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.store.store import LogName
from turnstile.log.paging import MAX_PAGE_BYTES
from turnstile.protocol.messages import Log, Query
from turnstile.protocol.requests import MAX_ANSWER_BYTES, Request
from turnstile.protocol.state import State
from turnstile.protocol.topics import log_topic, topic

FETCH_S = 0.3


@dataclass(kw_only=True)
class LoggerNode:
    """One access log, and the bus it is filled from."""

    name: str
    instance: str
    bus: Bus
    heart: Heart
    book: Book
    desk: LogDesk
    wake_fd: int
    fetch_at: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Log what came, answer who asked, and fetch when it is time."""
        for _, message in self.bus.receive(timeout_s):
            if isinstance(message, Log):
                if self.book.append(message):
                    self.fetch_at = 0.0
            elif isinstance(message, Query):
                self.heart.count("queries")
                answer = self.book.answer(message)
                if answer is not None:
                    self.bus.send(topic("entries", message.asker), answer)
            elif isinstance(message, Request) and not self.book.is_refused:
                self.desk.take(message)
        self._reply()
        if self.book.keep_open() and time.monotonic() >= self.fetch_at:
            self._fetch()
        self._beat()

    def close(self) -> None:
        """Let go of the file and the sockets; all that was logged is on the disk."""
        self.desk.close()
        self.book.close()
        self.bus.close()
        os.close(self.wake_fd)

    def _reply(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.wake_fd)
        for reply in self.desk.due():
            self.bus.send(topic("reply", reply.asker), reply)

    def _fetch(self) -> None:
        self.bus.send("fetch.", self.book.fetch(name=self.name, instance=self.instance))
        self.fetch_at = time.monotonic() + FETCH_S

    def _beat(self) -> None:
        trouble = self.book.trouble
        self.heart.report(State.DEGRADED if trouble else State.LIVE, trouble)
        self.heart.set_counts(self.book.counts)
        self.heart.set_counts(self.desk.counts)
        self.heart.gauge("write_ms", round(self.book.write_ms, 3))
        self.heart.gauge("last_seq", self.book.fetch_after.seq)
        for name, value in self.book.space.gauges("log").items():
            self.heart.gauge(name, value)
        self.heart.beat(self.bus)


def wire(start: node.Start) -> LoggerNode:
    """Return the logger; its first step opens the file."""
    broker, settings = start.site.broker, start.site.loggers[start.name]
    log_name = LogName(start.site.site, start.name)
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    return LoggerNode(
        name=start.name,
        instance=start.instance,
        bus=Bus(
            broker,
            key=start.key,
            topics=[log_topic(start.name, start.instance), "query.", topic("request", start.name)],
            wake_fds=(start.stop.fileno, wake_fd),
        ),
        heart=Heart(node=start.name, instance=start.instance, role="logger", rates=("entries",)),
        book=Book(settings, log_name, max_page_bytes=min(MAX_PAGE_BYTES, broker.max_frame_bytes)),
        desk=LogDesk(
            settings,
            log_name,
            max_bytes=min(MAX_ANSWER_BYTES, 2 * broker.max_frame_bytes),
            wake=lambda: os.eventfd_write(wake_fd, 1),
        ),
        wake_fd=wake_fd,
    )


def main(argv: Sequence[str]) -> int:
    """Run the node, or the command that reads the log."""
    if argv and f"log {argv[0]}" in cli.all_commands():
        return cli.main(["log", *argv])
    return node.run("logger", wire, doc=__doc__, argv=argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
