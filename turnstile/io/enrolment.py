"""The faces folder on the broker's machine, and the encodings made of its pictures.

`FaceFolder` is a thread that watches the folder (watchfiles), hashes what changed, finds encodings in the
cache, and offers the pictures that have none, a few at a time. `Enrolment` belongs to the broker's loop: it
turns all that into work for recognizers and into the gallery.
"""

import hashlib
import logging
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import watchfiles

from turnstile import config
from turnstile.gallery import EMPTY, Gallery, build_gallery, is_encoding, person_of

MAX_PICTURE_BYTES = 24 * 2**20
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
    encodings: dict[str, bytes]
    """Hash → encoding, for those in the cache."""
    problems: dict[str, str]
    """Path → why it cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Unencoded:
    """A picture that no encoding is known of."""

    file: str
    digest: str
    data: bytes


class EncodingCache:
    """Encodings on disk, by picture hash, in a folder for each engine that only its owner can read."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder / engine.replace("/", "-")

    def get(self, digest: str) -> bytes | None:
        """Return the encoding of a picture; none if there is none or the file is damaged."""
        try:
            data = (self._folder / f"{digest}.f32").read_bytes()
        except OSError:
            return None
        return data if is_encoding(data) else None

    def put(self, digest: str, encoding: bytes) -> None:
        """Keep an encoding; a disk that cannot be written to costs only the next start's time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(encoding)
            Path(file.name).replace(self._folder / f"{digest}.f32")
        except OSError as error:
            log.warning("encoding cache %s cannot be written: %s", self._folder, error.strerror)


class FaceFolder:
    """Watches the faces folder from a thread of its own."""

    def __init__(self, folder: Path, cache: EncodingCache) -> None:
        self.listings: queue.SimpleQueue[Listing] = queue.SimpleQueue()
        self.unencoded: queue.Queue[Unencoded] = queue.Queue(_OFFERED)
        self._folder, self._cache = folder, cache
        self._stop = threading.Event()
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._pending: dict[str, str] = {}
        self._offered: set[str] = set()
        self._thread = threading.Thread(target=self._watch, name="faces", daemon=True)

    def start(self) -> None:
        """Begin to watch; the first listing comes as soon as the folder has been read."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        idle_s = RESCAN_S
        while not self._stop.is_set():
            if not self._folder.is_dir():
                self._scan()
                self._stop.wait(0.5)
                continue
            try:
                self._scan()
                for changes in self._changes():
                    idle_s += _WATCH_MS / 1000
                    if changes or idle_s >= RESCAN_S:
                        self._scan()
                        idle_s = 0.0
                    self._offer()
                    if not self._folder.is_dir():
                        break
            except OSError as error:
                log.warning("faces folder %s: %s", self._folder, error)
                self._stop.wait(1.0)

    def _changes(self) -> Iterator[set[watchfiles.main.FileChange]]:
        return watchfiles.watch(
            self._folder,
            stop_event=self._stop,
            watch_filter=None,
            debounce=200,
            step=50,
            rust_timeout=_WATCH_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        )

    def _scan(self) -> None:
        hashes: dict[str, str] = {}
        problems: dict[str, str] = {}
        for file, path in self._pictures():
            try:
                hashes[file] = self._hash(file, path)
            except OSError as error:
                problems[file] = f"cannot be read: {error.strerror}"
            except ValueError as error:
                problems[file] = str(error)
        self._known = {file: self._known[file] for file in hashes}
        encodings = {
            digest: found for digest in set(hashes.values()) if (found := self._cache.get(digest)) is not None
        }
        self._pending = {digest: file for file, digest in hashes.items() if digest not in encodings}
        self._offered &= set(self._pending)
        self.listings.put(Listing(hashes=hashes, encodings=encodings, problems=problems))

    def _pictures(self) -> Iterator[tuple[str, Path]]:
        if self._folder.is_dir():
            for path in sorted([*self._folder.glob("*"), *self._folder.glob("*/*")]):
                file = path.relative_to(self._folder).as_posix()
                if person_of(file) is not None and path.is_file():
                    yield file, path

    def _hash(self, file: str, path: Path) -> str:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if file in self._known and self._known[file][0] == stamp:
            return self._known[file][1]
        if status.st_size > MAX_PICTURE_BYTES:
            raise ValueError(f"is larger than {MAX_PICTURE_BYTES // 2**20} MB")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._known[file] = (stamp, digest)
        return digest

    def _offer(self) -> None:
        for digest, file in self._pending.items():
            if digest in self._offered:
                continue
            if self.unencoded.full():
                return
            try:
                if abs(time.time() - (self._folder / file).stat().st_mtime) < _SETTLE_S:
                    continue
                data = (self._folder / file).read_bytes()
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() == digest:
                self._offered.add(digest)
                self.unencoded.put(Unencoded(file=file, digest=digest, data=data))


@dataclass(kw_only=True)
class Enrolment:
    """The gallery as the broker knows it. Belongs to the broker's loop."""

    folder: FaceFolder
    cache: EncodingCache
    engine: str
    gallery: Gallery = EMPTY
    hashes: dict[str, str] = field(default_factory=dict)
    encodings: dict[str, bytes] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """Hash → why no encoding could be made of that picture."""
    _reported: set[tuple[str, str]] = field(default_factory=set)
    _read: bool = False
    _changed: bool = False

    @property
    def read(self) -> bool:
        """Tell whether the folder has been read at least once."""
        return self._read

    def refresh(self) -> list[str]:
        """Take over what the folder's thread found; return the hashes of pictures no longer wanted."""
        gone: set[str] = set()
        while not self.folder.listings.empty():
            listing = self.folder.listings.get()
            gone |= set(self.hashes.values()) - set(listing.hashes.values())
            self.hashes = listing.hashes
            wanted = set(self.hashes.values())
            self.encodings = {d: e for d, e in (self.encodings | listing.encodings).items() if d in wanted}
            self.problems = {d: p for d, p in self.problems.items() if d in wanted}
            self._changed = self._read = True
            for file, problem in listing.problems.items():
                self._report(file, "", problem)
            for file, digest in self.hashes.items():
                if digest in self.problems:
                    self._report(file, digest, self.problems[digest])
        return sorted(gone - set(self.hashes.values()))

    def next_unencoded(self) -> Unencoded | None:
        """Return a picture to hand out; none when there is none now."""
        while not self.folder.unencoded.empty():
            picture = self.folder.unencoded.get()
            if picture.digest in self.hashes.values() and picture.digest not in self.encodings:
                return picture
        return None

    def take_encoding(self, digest: str, encoding: bytes) -> None:
        """Keep the encoding of a picture."""
        self.cache.put(digest, encoding)
        self.encodings[digest] = encoding
        self._changed = True

    def take_problem(self, digest: str, problem: str) -> None:
        """Say, once for each file, why a picture cannot be used."""
        self.problems[digest] = problem
        for file, other in self.hashes.items():
            if other == digest:
                self._report(file, digest, problem)

    def rebuild(self) -> bool:
        """Build the gallery again if anything changed; return whether it is another than before."""
        if not self._changed:
            return False
        self._changed = False
        known = [
            (person, self.encodings[digest])
            for file, digest in self.hashes.items()
            if digest in self.encodings and (person := person_of(file)) is not None
        ]
        before = self.gallery.version
        self.gallery = build_gallery(self.engine, known)
        return self.gallery.version != before

    def _report(self, file: str, digest: str, problem: str) -> None:
        if (file, digest) not in self._reported:
            self._reported.add((file, digest))
            log.warning("faces/%s is not used: %s", file, problem)


def open_enrolment(gallery: config.Gallery, engine: str) -> Enrolment:
    """Return the enrolment of a site, its folder's thread started."""
    cache = EncodingCache(Path(gallery.cache), engine)
    folder = FaceFolder(Path(gallery.faces), cache)
    if not Path(gallery.faces).is_dir():
        log.warning("faces folder %s does not exist; nobody is enrolled until it does", gallery.faces)
    folder.start()
    return Enrolment(folder=folder, cache=cache, engine=engine)
