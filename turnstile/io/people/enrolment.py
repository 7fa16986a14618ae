"""The gallery as the broker knows it: pictures as work for recognizers, and the encodings made of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.counts import counted
from turnstile.io.people.cache import EncodingCache
from turnstile.io.people.folder import FaceFolder, Listing
from turnstile.people.agreement import AgreementBounds, EnrolledPicture, bounds_of, by_person, disagreeing
from turnstile.people.encodings import Unencoded
from turnstile.people.gallery import EMPTY, Gallery, build_gallery, templates
from turnstile.protocol.names import name_key
from turnstile.site.settings import GallerySettings

MAX_PICTURES = 80_000
"""In a gallery: one travels as a message of at most 64 MB, and a picture takes up to 777 bytes of it, for its
encoding and for a name as long as file names can be. Recognizers would be cut off by a larger one."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Enrolment:
    """The gallery as the broker knows it. Belongs to the broker's loop."""

    folder: FaceFolder
    engine: str
    gallery: Gallery = EMPTY
    """Every picture's encoding."""
    templates: Gallery = EMPTY
    """What recognizers compare faces with."""
    hashes: dict[str, str] = field(default_factory=dict)
    persons: Mapping[str, str] = field(default_factory=dict)
    """Path → whom that picture is of."""
    encodings: dict[str, bytes] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    """Hash → the key of the recognizer that made that encoding."""
    trusted: frozenset[str] | None = None
    """The keys of recognizers; `None` when the bus has no keys, and all encodings are used."""
    problems: dict[str, str] = field(default_factory=dict)
    """Hash → why no encoding could be made of that picture."""
    max_pictures: int = MAX_PICTURES
    trouble: str = ""
    """Why the faces folder cannot be read; empty when it can."""
    absent: str = ""
    """That the faces folder is not there."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Path → why nothing could be read there, or was read."""
    surplus: int = 0
    """How many pictures are left out because there are too many."""
    erased: set[str] = field(default_factory=set)
    """Who is left out until their pictures are gone, though the folder was not read since."""
    pictures: list[EnrolledPicture] = field(default_factory=list)
    """Those that the gallery is made of."""
    disagreeing: dict[str, str] = field(default_factory=dict)
    """Path → why that picture, or another, cannot be its person's."""
    _judged: dict[tuple[EnrolledPicture, ...], dict[str, str]] = field(default_factory=dict)
    """One person's pictures → which of them disagree."""
    _reported: set[tuple[str, str]] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _read: bool = False
    _changed: bool = False

    @property
    def read(self) -> bool:
        """Tell whether the folder has been read at least once."""
        return self._read

    @property
    def waiting(self) -> int:
        """Return how many pictures are still to be encoded."""
        return len(set(self.hashes.values()) - self.encodings.keys() - self.problems.keys())

    @property
    def refused(self) -> int:
        """Return how many files and pictures are not used."""
        unusable = sum(one in self.problems for one in self.hashes.values())
        return len(self.unread) + unusable + len(self.disagreeing) + self.surplus

    @property
    def _bounds(self) -> AgreementBounds:
        return bounds_of(self.engine)

    def refresh(self) -> list[str]:
        """Take over what the folder's worker found; return the hashes of pictures no longer wanted."""
        self.folder.check()
        self._read_listings()
        gone, self._gone = self._gone - set(self.hashes.values()), set()
        return sorted(gone)

    def next_unencoded(self) -> Unencoded | None:
        """Return a picture to hand out; none when there is none now."""
        while not self.folder.unencoded.empty():
            picture = self.folder.unencoded.get()
            self._read_listings()  # the one that names it was put before it, perhaps just now
            if picture.digest in self.hashes.values() and picture.digest not in self.encodings:
                return picture
        return None

    def trust(self, keys: frozenset[str]) -> None:
        """Drop what recognizers encoded whose keys are not among these, and have it encoded again."""
        self.trusted = keys
        self.folder.trust(keys)
        dropped = [digest for digest in self.encodings if self.makers.get(digest, "") not in keys]
        for digest in dropped:
            del self.encodings[digest]
            self.folder.encode_again(digest)
        if dropped:
            log.warning(
                "%s encoded again: a recognizer did it whose key is revoked",
                counted(len(dropped), "picture is", "pictures are"),
            )
            self._changed = True

    def keep_encoding(self, digest: str, encoding: bytes, maker: str = "") -> None:
        """Keep the encoding of a picture, unless it was removed, or its maker's key revoked, meanwhile."""
        if digest not in self.hashes.values():
            return
        if self.trusted is not None and maker not in self.trusted:
            self.folder.encode_again(digest)
            return
        self.folder.keep(digest, encoding, maker)
        self.encodings[digest], self.makers[digest] = encoding, maker
        self._changed = True

    def keep_problem(self, digest: str, problem: str) -> None:
        """Say, once for each file, why a picture cannot be used."""
        self.problems[digest] = problem
        self._changed = True
        for file, other in self.hashes.items():
            if other == digest:
                self._report(file, digest, problem)

    def leave_out(self, person: str) -> None:
        """Leave somebody out of the gallery, from the next time it is built until the pictures are gone."""
        self.erased.add(name_key(person))
        self._changed = True

    def rebuild(self) -> bool:
        """Build the gallery again if anything changed; return whether it is another than before."""
        if not self._changed:
            return False
        self._changed = False
        if self.erased:
            self.erased &= {name_key(person) for person in self.persons.values()}
        pictures = [
            EnrolledPicture(file, person, digest, self.encodings[digest])
            for file, person in self.persons.items()
            if (digest := self.hashes[file]) in self.encodings
            and not (self.erased and name_key(person) in self.erased)
        ]
        self._judge(pictures)
        self.pictures = [one for one in pictures if one.file not in self.disagreeing]
        known = [(one.person, one.encoding) for one in self.pictures]
        self._count_surplus(len(known) - self.max_pictures)
        before = self.gallery.version
        self.gallery = build_gallery(self.engine, known[: self.max_pictures])
        self.templates = templates(self.gallery)
        return self.gallery.version != before

    def _judge(self, pictures: list[EnrolledPicture]) -> None:
        """Find pictures that disagree with others of their person; say so when all of these are encoded."""
        before, self._judged, self.disagreeing = self._judged, {}, {}
        waited_for = {
            self.persons[file]
            for file, digest in self.hashes.items()
            if digest not in self.encodings and digest not in self.problems
        }
        for person, own in by_person(pictures).items():
            if len(own) < 2:
                continue
            found = before.get(tuple(own))
            self._judged[tuple(own)] = found = disagreeing(own, self._bounds) if found is None else found
            self.disagreeing |= found
            for file, why in found.items() if person not in waited_for else ():
                self._report(file, why, why)

    def _count_surplus(self, surplus: int) -> None:
        if surplus > self.surplus:
            log.warning(
                "%s left out, the last by name: %d are the most that recognizers take; fewer "
                "pictures a person make room",
                counted(surplus, "picture"),
                self.max_pictures,
            )
        self.surplus = max(0, surplus)

    def _read_listings(self) -> None:
        while not self.folder.listings.empty():
            listing = self.folder.listings.get()
            self._gone |= set(self.hashes.values())
            self._note(listing)
            self.hashes, self.persons = listing.hashes, listing.persons
            wanted = set(self.hashes.values())
            self._take_encodings(listing, wanted)
            self.problems = {d: p for d, p in self.problems.items() if d in wanted}
            self._changed = self._read = True
            self.unread = listing.problems
            for file, problem in listing.problems.items():
                self._report(file, problem, problem)
            for file, digest in self.hashes.items():
                if digest in self.problems:
                    self._report(file, digest, self.problems[digest])

    def _take_encodings(self, listing: Listing, wanted: set[str]) -> None:
        """Add what the cache has, but for what was read before its maker's key was revoked."""
        for digest, encoding in listing.encodings.items():
            maker = listing.makers.get(digest, "")
            if self.trusted is None or maker in self.trusted:
                self.encodings[digest], self.makers[digest] = encoding, maker
            elif digest not in self.encodings:
                self.folder.encode_again(digest)
        self.encodings = {digest: one for digest, one in self.encodings.items() if digest in wanted}
        self.makers = {digest: one for digest, one in self.makers.items() if digest in wanted}

    def _note(self, listing: Listing) -> None:
        before, now = self.trouble or self.absent, listing.trouble or listing.absent
        if now != before:
            log.log(
                logging.WARNING if now else logging.INFO, "%s", now or "the faces folder can be read again"
            )
        self.trouble, self.absent = listing.trouble, listing.absent

    def _report(self, file: str, about: str, problem: str) -> None:
        if (file, about) not in self._reported:
            self._reported.add((file, about))
            printable = "".join(one if one.isprintable() else "?" for one in file)
            log.warning("faces/%s is not used: %s", printable, problem)


def open_enrolment(gallery: GallerySettings, engine: str) -> Enrolment:
    """Return the enrolment of a site, its folder's thread started."""
    cache = EncodingCache(Path(gallery.cache), engine)
    folder = FaceFolder(Path(gallery.faces), cache)
    folder.start()
    return Enrolment(folder=folder, engine=engine)
