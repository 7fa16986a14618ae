"""The rules file on the broker's machine: read at start, and again whenever it changes.

A thread looks at the file four times a second, so that neither a slow disk nor a long file holds up the
broker, and so that it works on every file system. What is there when the broker starts must be right; an edit
that is not is refused, said once, and changes nothing. Should the thread die, the broker dies with it: rules
that are no longer watched would go on admitting whom an edit has barred.
"""

import datetime as dt
import logging
import queue
import zoneinfo
from collections.abc import Iterable
from pathlib import Path

from turnstile.access.rules import NO_RULES, Rules, build
from turnstile.errors import ConfigError
from turnstile.io.runner.worker import Worker
from turnstile.io.site import yaml_file

LOOK_S = 0.25

log = logging.getLogger("turnstile")

_Stamp = tuple[int, int, int] | None


class RulesFile:
    """Keeps the newest rules that were right.

    Attributes:
        problem: why the file as it is now is not used; empty when it is.
    """

    def __init__(self, path: Path, *, doors: Iterable[str]) -> None:
        """Read the file, if there is one.

        Raises:
            ConfigError: it cannot be used; the text names the line.
        """
        self.problem = ""
        self._path, self._doors = path, tuple(doors)
        self._stamp = _stamp(path)
        self.rules = NO_RULES if self._stamp is None else load(path, doors=self._doors)
        self._newer: queue.SimpleQueue[Rules] = queue.SimpleQueue()
        self._worker = Worker("rules", self._watch)
        self._worker.start()

    def close(self) -> None:
        """Stop looking."""
        self._worker.close(within_s=1.0)

    def refresh(self) -> bool:
        """Take over newer rules, and return whether there were any. Does not wait."""
        self._worker.check()
        before = self.rules
        while not self._newer.empty():
            self.rules = self._newer.get()
        return self.rules is not before

    def local(self, now_s: float) -> dt.datetime:
        """Return a time since 1970 on the clocks that the rules mean."""
        return local_time(self.rules, now_s)

    def _watch(self) -> None:
        seen = self._stamp
        while not self._worker.stopping.wait(LOOK_S):
            now = _stamp(self._path)
            if now == seen == self._stamp:
                continue
            # changed, or changing still: read once it has been the same twice
            settled, seen = now == seen, now
            if settled:
                self._stamp = now
                self._read_again()

    def _read_again(self) -> None:
        try:
            rules = load(self._path, doors=self._doors)
        except ConfigError as error:
            self.problem = str(error)
            log.warning("rules not changed, those before still hold: %s", error)
        else:
            self.problem = ""
            self._newer.put(rules)
            log.info("rules read again from %s", self._path)


def load(path: Path, *, doors: Iterable[str]) -> Rules:
    """Return the rules of a file.

    Raises:
        ConfigError: it cannot be read, or does not hold rules for these doors; the text names the line.
    """
    document = yaml_file.read(path, kind="a rules file")
    with document.located():
        rules = build(document.value, doors=doors)
        if rules.timezone:
            _check_timezone(rules.timezone)
    return rules


def local_time(rules: Rules, now_s: float) -> dt.datetime:
    """Return a time since 1970 on the clocks that rules mean."""
    zone = zoneinfo.ZoneInfo(rules.timezone) if rules.timezone else None
    return dt.datetime.fromtimestamp(now_s, dt.UTC).astimezone(zone)


def _check_timezone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"{name!r} is no time zone known here; one is Europe/Vienna", place=("timezone",)
        ) from error


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
