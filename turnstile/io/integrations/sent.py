"""What a webhook has sent, and the file that remembers it."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.errors import ConfigError
from turnstile.files.whole import write_whole
from turnstile.log.lines import Event, Progress

MAX_SENT = 200
"""Visits sent last that are remembered, to know them when the journal was put back."""


@dataclass(kw_only=True)
class SentEvents:
    """What was sent: how far, and the visits sent last."""

    progress: Progress = field(default_factory=Progress)
    visits: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_SENT))
    newest_visit: str = ""
    """The visit of the newest event; empty if it is not known."""

    def have(self, event: Event, visit: str = "") -> None:
        """Note that an event and all before it are done with."""
        self.progress.have(event)
        self.newest_visit = visit
        if visit:
            self.visits.append(visit)


def read_progress(path: Path) -> SentEvents:
    """Return how far the events were sent; nowhere if there is no file.

    Raises:
        ConfigError: the file is not one that `write_progress` wrote.
    """
    sent = SentEvents()
    try:
        newest, *visits = path.read_text().split("\n")
        source, seq = newest.split(":")
        sent.visits.extend(visits[1:])
        sent.have(Event(source, int(seq)), *visits[:1])
    except FileNotFoundError:
        return sent
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"state_file {path}: cannot be used: {error}; remove it to send all again"
        ) from error
    return sent


def write_progress(path: Path, sent: SentEvents) -> None:
    """Keep how far the events were sent, in one piece: the newest event, its visit, and visits before it."""
    if sent.progress.newest is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    newest = sent.progress.newest
    lines = [f"{newest.source}:{newest.seq}", sent.newest_visit, *sent.visits]
    write_whole(path, "\n".join(lines).encode(), durable=True)
