"""The rules file on the broker's machine: read at start, and again whenever it changes.

Only a file that is not there means that there are no rules: no file, no link of its name, and a folder that
could be looked into. It is said then, with the path. Of anything else nobody can tell whom the rules
bar, so nobody enters (`RulesFile.rules` is `None`) until it is put right:

- The file or its folder may not be read, or a link leads nowhere.
- The file is empty, has only comments or is no text, as a full disk or a loss of power leaves it.
- The file is gone. A broker notes beside its journal that there were rules, so that one that starts again
  knows it too. Who wants no rules any more writes ``{}`` into the file.
- The file lies where it was looked for until November 2026, and not where it is looked for now.
- A file beside it has nearly its name: ``rules.yml``, ``Rules.yaml``, ``rules.yaml.txt``.

An edit with a mistake in it is refused while the broker runs, and the rules before it hold on. A broker does
not start with such a file (`ConfigError`).

A thread looks at the file four times a second: that works on every file system, and neither a slow disk nor
a long file holds up the broker. Should the thread die, the broker dies with it: rules that
are no longer watched would go on admitting whom an edit has barred.
"""

import datetime as dt
import logging
import os
import queue
import zoneinfo
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from turnstile.access.rules import NO_RULES, Rules, build
from turnstile.errors import ConfigError, UnreadableError
from turnstile.files.reading import is_absent, why
from turnstile.files.whole import write_whole
from turnstile.io.runner.worker import Worker
from turnstile.io.site import yaml_file
from turnstile.site.settings import Site

LOOK_S = 0.25
_KIND = "a rules file"

log = logging.getLogger("turnstile")

_Stamp = tuple[int, ...] | str
"""What changes when the file does, or why it cannot be looked at."""


class Places(NamedTuple):
    """Where rules lie, and where else to look before saying that there are none."""

    path: Path
    formerly: Path | None = None
    """Where the file was looked for until November 2026."""
    memory: Path | None = None
    """The note that there were rules; `None` where nobody keeps one."""


class Standing(NamedTuple):
    """Which rules hold, and what there is to say about it."""

    rules: Rules | None
    """`None`: nobody can tell what they are, so nobody enters."""
    problem: str = ""
    """Why the file as it is now is not used."""
    absent: str = ""
    """That there is no file, and where it was looked for."""


class RulesFile:
    """Keeps the newest rules that were right. Call from the broker's loop.

    Attributes:
        standing: which rules hold.
    """

    def __init__(self, places: Places, *, doors: Iterable[str]) -> None:
        """Read the file, if there is one.

        Raises:
            ConfigError: there is a mistake in it; the text names the line.
        """
        self._places, self._doors = places, tuple(doors)
        self._stamp = _stamp(places.path)
        self.standing = self._last = standing(places, doors=self._doors)
        _say(self.standing, places.path)
        _keep_in_mind(self.standing, places)
        self._newer: queue.SimpleQueue[Standing] = queue.SimpleQueue()
        self._is_put = False
        self._worker = Worker("rules", self._watch)
        self._worker.start()

    @property
    def rules(self) -> Rules | None:
        """Return the rules that hold; `None` if nobody can tell what they are."""
        return self.standing.rules

    def close(self) -> None:
        """Stop looking."""
        self._worker.close(within_s=1.0)

    def refresh(self) -> bool:
        """Take over newer rules, and return whether there were any. Does not wait."""
        self._worker.check()
        before = self.rules
        while not self._newer.empty():
            self.standing = self._newer.get()
        return self.rules is not before

    def put(self, rules: Rules) -> None:
        """Let rules hold that were written into the file just now, before that is noticed.

        The file is read again soon: somebody may have written it since.
        """
        self._newer.put(Standing(rules))
        self._is_put = True

    def local(self, now_s: float) -> dt.datetime:
        """Return a time since 1970 on the clocks that the rules mean."""
        return local_time(self.rules or NO_RULES, now_s)

    def _watch(self) -> None:
        seen = self._stamp
        while not self._worker.stopping.wait(LOOK_S):
            now = _stamp(self._places.path)
            # changed, or changing still: read once it has been the same twice; what could not be read, always
            settled, seen = now == seen, now
            if settled and (now != self._stamp or self._is_put or self._last.rules is None):
                self._stamp, self._is_put = now, False
                self._read_again()

    def _read_again(self) -> None:
        try:
            found = standing(self._places, doors=self._doors)
        except ConfigError as error:
            found = Standing(None, problem=f"nobody may enter: {error}")
            if self._last.rules is not None and not self._last.absent:
                found = Standing(
                    self._last.rules, problem=f"rules not changed, those before still hold: {error}"
                )
        if found != self._last or found.rules is not None:
            self._last = found
            _say(found, self._places.path)
            _keep_in_mind(found, self._places)
            self._newer.put(found)


def earlier_of(path: Path) -> Path:
    """Return where the rules lie as they were before their last change in a browser."""
    return path.with_name(f".{path.name}.before")


def places_of(site: Site, site_path: Path) -> Places:
    """Return where the rules of a site lie."""
    path, beside = Path(site.decision.rules), Path(site.gallery.faces).parent / "rules.yaml"
    formerly = Path(os.path.normpath(site_path.resolve().parent / "../rules.yaml"))
    journal = Path(site.broker.journal)
    return Places(
        path,
        formerly=formerly if path == beside != formerly else None,
        memory=journal.with_name(f"{journal.name}.rules"),
    )


def standing(places: Places, *, doors: Iterable[str]) -> Standing:
    """Return what holds by the file as it is now.

    Raises:
        ConfigError: there is a mistake in it; the text names the line.
    """
    try:
        if is_missing(places):
            words = f"no rules: {places.path} is not there, so everybody enrolled may use every door"
            return Standing(NO_RULES, absent=words)
        return Standing(load(places.path, doors=doors))
    except UnreadableError as error:
        return Standing(None, problem=f"nobody may enter: {error}")


def load(path: Path, *, doors: Iterable[str]) -> Rules:
    """Return the rules of a file.

    Raises:
        UnreadableError: it cannot be read, or is empty or no text.
        ConfigError: it does not hold rules for these doors; the text names the line.
    """
    return _rules_of(yaml_file.read(path, kind=_KIND), doors=doors)


def parse(text: bytes, path: Path, *, doors: Iterable[str]) -> Rules:
    """Return the rules that a text would be as the file.

    Raises:
        UnreadableError: it is empty or no text.
        ConfigError: it does not hold rules for these doors; the text names the line.
    """
    return _rules_of(yaml_file.parse(text, path, kind=_KIND), doors=doors)


def _rules_of(document: yaml_file.Document, *, doors: Iterable[str]) -> Rules:
    if document.value is None:
        words = "has only comments" if document.text.strip() else "is empty"
        raise UnreadableError(f"{document.path}: {words}; write {{}} into it if there are to be no rules")
    with document.located():
        rules = build(document.value, doors=doors)
        if rules.timezone:
            _check_timezone(rules.timezone)
    return rules


def local_time(rules: Rules, now_s: float) -> dt.datetime:
    """Return a time since 1970 on the clocks that rules mean."""
    zone = zoneinfo.ZoneInfo(rules.timezone) if rules.timezone else None
    return dt.datetime.fromtimestamp(now_s, dt.UTC).astimezone(zone)


def is_missing(places: Places) -> bool:
    """Tell whether there is no file, and never was one.

    Raises:
        UnreadableError: nobody can tell, the file is gone, or it lies where it was looked for before.
    """
    path, formerly, memory = places
    try:
        if not is_absent(path):
            return False
        if formerly is not None and not is_absent(formerly):
            raise UnreadableError(
                f"the rules are looked for at {path}, beside the faces folder; there are some at {formerly}: "
                "move them, or name them as decision.rules in the site file"
            )
        near = [one for one in _near(path) if not is_absent(one)]
        if near:
            raise UnreadableError(f"the rules are looked for at {path}; there is {near[0]}: rename it")
        if memory is not None and _is_noted(memory):
            raise UnreadableError(
                f"{path}: the rules are gone; put them back, or write {{}} into that file for none"
            )
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be looked at: {why(error, about=path)}") from error
    return True


def _near(path: Path) -> tuple[Path, ...]:
    """Return the names that people and editors give the file by mistake."""
    other = path.with_suffix(".yml" if path.suffix == ".yaml" else ".yaml")
    return other, path.with_name(path.name.capitalize()), path.with_name(f"{path.name}.txt")


def _is_noted(memory: Path) -> bool:
    """Tell whether there were rules; a folder that is not there yet holds no note."""
    try:
        memory.lstat()
    except FileNotFoundError:
        return False
    return True


def _keep_in_mind(found: Standing, places: Places) -> None:
    """Note that there are rules, or that none are wanted, for a broker that starts without their file."""
    if places.memory is None or found.problem or found.absent:
        return
    try:
        if found.rules == NO_RULES:
            places.memory.unlink(missing_ok=True)
        elif not _is_noted(places.memory):
            write_whole(places.memory, f"{places.path}\n".encode(), durable=True)
    except OSError as error:
        log.warning("%s cannot be written: %s", places.memory, why(error, about=places.memory))


def _say(found: Standing, path: Path) -> None:
    level = logging.INFO if not found.problem else logging.ERROR if found.rules is None else logging.WARNING
    log.log(level, "%s", found.problem or found.absent or f"rules read from {path}")


def _check_timezone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = f"{name!r} is no time zone known here; one is Europe/Vienna"
        lacking = (
            f"{name!r} cannot be looked up: this system has no time zone data; install its package tzdata "
            "(apt, dnf, apk), or `pip install tzdata`"
        )
        has_data = bool(zoneinfo.available_timezones())
        raise ConfigError(known if has_data else lacking, place=("timezone",)) from error


def _stamp(path: Path) -> _Stamp:
    try:
        if is_absent(path):
            return "absent"
        status = path.stat()
    except OSError as error:
        return str(error)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
