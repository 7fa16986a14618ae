"""The faces folder on the broker's machine, watched from a thread of its own, whose death is the broker's.

The thread hashes the pictures that changed, finds their encodings in the cache, and offers those that have
none, a few at a time.
"""

import hashlib
import logging
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

import watchfiles

from turnstile.files.reading import read_file, why
from turnstile.io.people.anchors import AnchorFolder
from turnstile.io.people.cache import EncodingCache, Made
from turnstile.io.runner.worker import Worker
from turnstile.io.site.descriptors import are_used_up
from turnstile.people.anchors import NO_ANCHORS, Anchored
from turnstile.people.encodings import Unencoded
from turnstile.people.gallery import is_picture, persons_of, why_not_used
from turnstile.protocol.fields import Looks

MAX_PICTURE_BYTES = 24 * 2**20
MAX_FOLDERS = 2
MAX_FILES = 100_000
"""Most files that are looked at: more than a gallery takes, and few enough to be listed in a second."""

RESCAN_S = 30.0
"""The folder is also read this often, for file systems that do not report changes."""

_WATCH_MS = 100
_OFFERED = 4
_SETTLE_S = 0.25
"""A picture changed more recently than this may still be being copied."""

log = logging.getLogger("turnstile")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All pictures of the folder now, by path below it."""

    hashes: dict[str, str]
    persons: Mapping[str, str]
    """Path → whom that picture is of."""
    encodings: dict[str, bytes]
    """Hash → encoding, for those in the cache."""
    makers: Mapping[str, str] = field(default_factory=dict)
    """Hash → the key of the recognizer that made that encoding."""
    looks: Mapping[str, Looks] = field(default_factory=dict)
    """Hash → what that face looks like, where it is known."""
    problems: dict[str, str]
    """Path → why it cannot be used."""
    wanted: frozenset[str] = frozenset()
    """All hashes."""
    trouble: str = ""
    """Why the folder itself cannot be read. Nobody is enrolled then, as nobody sees who was removed."""
    absent: str = ""
    """That the folder is not there, and its path."""
    anchored: Anchored = field(default=NO_ANCHORS, compare=False)


Changes = Callable[[Path, threading.Event], Iterator[object]]
"""Gives what changed in a folder, or nothing, at least ten times a second until the event is set."""


def watch(folder: Path, stop: threading.Event) -> Iterator[object]:
    """Give changes as the system reports them."""
    return watchfiles.watch(
        folder,
        stop_event=stop,
        watch_filter=None,
        debounce=200,
        step=50,
        rust_timeout=_WATCH_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )


class FaceFolder:
    """Watches the faces folder from a thread of its own."""

    def __init__(
        self,
        folder: Path,
        cache: EncodingCache,
        *,
        anchors: AnchorFolder | None = None,
        changes: Changes = watch,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to watch a folder that may not exist yet; the last two are there for tests.

        Changes of the anchors are noticed within a tenth of a second.
        """
        self.listings: queue.SimpleQueue[Listing] = queue.SimpleQueue()
        self.unencoded: queue.Queue[Unencoded] = queue.Queue(_OFFERED)
        self._folder, self._cache, self._anchors = folder, cache, anchors
        self._anchors_stamp: object = None
        self._changes, self._wall_clock = changes, wall_clock
        self._trouble = ""
        self._listing: Listing | None = None
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._encodings: dict[str, Made] = {}
        self._forgotten: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pending: dict[str, str] = {}
        self._offered: set[str] = set()
        self._encoded: queue.SimpleQueue[tuple[str, Made]] = queue.SimpleQueue()
        self._worker = Worker("faces", self._watch)

    def check(self) -> None:
        """Raise what ended the watching, if anything did."""
        self._worker.check()

    def start(self) -> None:
        """Begin to watch; the first listing comes as soon as the folder has been read."""
        self._worker.start()

    def keep(self, digest: str, made: Made) -> None:
        """Write an encoding into the cache, from the folder's thread: the disk may be slow."""
        self._encoded.put((digest, made))

    def trust(self, makers: frozenset[str]) -> None:
        """Use only cached encodings that these keys made."""
        self._cache.makers = makers

    def encode_again(self, digest: str) -> None:
        """Offer a picture again whose encoding is not to be used any more."""
        self._forgotten.put(digest)

    def close(self) -> bool:
        """Stop watching, and tell whether the thread has ended within half a second."""
        return self._worker.close(within_s=0.5)

    def _watch(self) -> None:
        while not self._worker.stopping.is_set():
            try:
                self._scan()
                self._offer()
                self._follow()
            except (OSError, RuntimeError) as error:  # watchfiles' own errors are RuntimeError
                if str(error) != self._trouble:
                    log.warning("faces folder %s: %s; looking every second", self._folder, error)
                self._trouble = str(error)
                self._worker.stopping.wait(1.0)
        self._write_encodings()

    def _follow(self) -> None:
        """Look again whenever the folder changes, until another folder, or none, is in its place."""
        watched = self._identity()
        if watched is None:
            self._worker.stopping.wait(0.5)
            return
        look_at = 0.0  # once the system watches, as something may have changed just before
        for changes in self._changes(self._folder, self._worker.stopping):
            if changes or self._anchors_changed() or time.monotonic() >= look_at:
                self._scan()
                look_at = time.monotonic() + RESCAN_S
            self._offer()
            if self._identity() != watched:
                return

    def _anchors_changed(self) -> bool:
        return self._anchors is not None and self._anchors.stamp() != self._anchors_stamp

    def _read_anchors(self) -> Anchored:
        if self._anchors is None:
            return NO_ANCHORS
        self._anchors_stamp = self._anchors.stamp()
        return self._anchors.read()

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._folder.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _scan(self) -> None:
        files: list[str] = []
        problems: dict[str, str] = {}
        trouble = absent = ""
        try:
            files, problems = files_in(self._folder)
        except OSError as error:
            _raise_if_used_up(error)
            about = f"nobody is enrolled: the faces folder {self._folder}"
            if isinstance(error, FileNotFoundError) and not self._folder.is_symlink():
                absent = f"{about} is not there"
            else:
                trouble = f"{about} cannot be read: {why(error, about=self._folder)}"
        anchored = self._read_anchors()
        if anchored.trouble:
            files, trouble = [], trouble or anchored.trouble
        hashes: dict[str, str] = {}
        for file in files:
            if (reason := why_not_used(file)) or not is_picture(file):
                problems |= {file: reason} if reason else {}
                continue
            try:
                hashes[file] = self._hash(file)
            except OSError as error:
                _raise_if_used_up(error)
                problems[file] = f"cannot be read: {error.strerror}"
            except ValueError as error:
                problems[file] = str(error)
        self._known = {file: self._known[file] for file in hashes}
        wanted = frozenset(hashes.values())
        known = ((digest, self._encodings.get(digest) or self._cache.find(digest)) for digest in wanted)
        self._encodings = {digest: made for digest, made in known if made is not None}
        self._pending = {digest: file for file, digest in hashes.items() if digest not in self._encodings}
        self._offered &= set(self._pending)
        listing = Listing(
            hashes=hashes,
            persons=persons_of(hashes),
            encodings={digest: made.encoding for digest, made in self._encodings.items()},
            makers={digest: made.maker for digest, made in self._encodings.items()},
            looks={digest: made.looks for digest, made in self._encodings.items() if made.looks},
            problems=problems,
            wanted=wanted,
            trouble=trouble,
            absent=absent,
            anchored=anchored,
        )
        before = self._listing
        if before is None or listing != before or not anchored.is_same(before.anchored):
            self._listing = listing
            self.listings.put(listing)

    def _hash(self, file: str) -> str:
        status = (self._folder / file).stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if file in self._known and self._known[file][0] == stamp:
            return self._known[file][1]
        digest = hashlib.sha256(read_picture(self._folder / file)).hexdigest()
        self._known[file] = (stamp, digest)
        return digest

    def _write_encodings(self) -> None:
        """Write what waits, unless its picture was removed meanwhile."""
        while not self._encoded.empty():
            digest, made = self._encoded.get()
            if self._listing is not None and digest in self._listing.wanted:
                self._cache.put(digest, *made)

    def _forget_encodings(self) -> None:
        """Let pictures be encoded again. Those that were not read yet come with the next look."""
        files = {} if self._listing is None else {one: file for file, one in self._listing.hashes.items()}
        while not self._forgotten.empty():
            digest = self._forgotten.get()
            self._encodings.pop(digest, None)
            self._offered.discard(digest)
            if digest in files:
                self._pending[digest] = files[digest]

    def _offer(self) -> None:
        self._write_encodings()
        self._forget_encodings()
        for digest, file in self._pending.items():
            if digest in self._offered:
                continue
            if self.unencoded.full():
                return
            try:
                if abs(self._wall_clock() - (self._folder / file).stat().st_mtime) < _SETTLE_S:
                    continue
                data = read_picture(self._folder / file)
            except (OSError, ValueError):
                continue
            if hashlib.sha256(data).hexdigest() == digest:
                self._offered.add(digest)
                self.unencoded.put(Unencoded(file=file, digest=digest, data=data))


def files_in(folder: Path, *, at_most: int = MAX_FILES) -> tuple[list[str], dict[str, str]]:
    """Return the paths of all files in a faces folder and two levels below, and what is not looked at.

    Each entry counts for itself: one that leads nowhere, or may not be followed, hides none of the others.
    A link to a picture is followed wherever it leads. One to a folder is followed only within the faces
    folder, as a whole disk may lie behind it.

    Raises:
        OSError: the folder itself cannot be read.
    """
    files: list[str] = []
    problems: dict[str, str] = {}
    waiting = _names_in(folder, at_most)[::-1]
    home, looked = folder.resolve(), 0
    while waiting:
        name = waiting.pop()
        looked += 1
        if looked > at_most:
            problems[name] = f"it and all behind it by name are beyond the first {at_most} files and folders"
            break
        try:
            if not stat.S_ISDIR((folder / name).stat().st_mode):
                files.append(name)
            elif PurePosixPath(name).name.startswith("."):
                continue
            elif _leads_out(folder / name, home):
                problems[name] = _OUTSIDE
            elif name.count("/") >= MAX_FOLDERS:
                problems[name] = f"folders are read {MAX_FOLDERS} levels deep, such as team/ada_lovelace/"
            else:
                waiting += [f"{name}/{inner}" for inner in _names_in(folder / name, at_most)[::-1]]
        except OSError as error:
            _raise_if_used_up(error)
            if not PurePosixPath(name).name.startswith(".") and os.path.lexists(folder / name):
                problems[name] = f"cannot be read: {error.strerror}"
    return files, problems


_OUTSIDE = "it links to a folder outside the faces folder; move that folder here, or link to each picture"


def _leads_out(folder: Path, home: Path) -> bool:
    return folder.is_symlink() and not folder.resolve().is_relative_to(home)


def _names_in(folder: Path, at_most: int) -> list[str]:
    """Return the names in a folder in order; of an enormous one some of them, more than are looked at."""
    return sorted(path.name for path in islice(folder.iterdir(), at_most + 1))


def read_picture(path: Path) -> bytes:
    """Return a picture's bytes.

    Raises:
        OSError: it cannot be read, or is no file.
        ValueError: it is too large.
    """
    data = read_file(path, at_most=MAX_PICTURE_BYTES + 1)
    if len(data) > MAX_PICTURE_BYTES:
        raise ValueError(f"is larger than {MAX_PICTURE_BYTES // 2**20} MB")
    return data


def _raise_if_used_up(error: OSError) -> None:
    """Let a lack of descriptors pass: it says nothing about the picture, which stays enrolled."""
    if are_used_up(error):
        raise error
