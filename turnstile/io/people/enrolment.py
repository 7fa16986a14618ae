"""The gallery as the broker knows it: pictures as work for recognizers, and the encodings made of them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.counts import counted, named
from turnstile.io.people.anchors import open_anchors
from turnstile.io.people.cache import EncodingCache, Made
from turnstile.io.people.folder import FaceFolder, Listing
from turnstile.people.agreement import by_reason
from turnstile.people.anchors import NO_ANCHORS, Anchored
from turnstile.people.building import Ingredients, MadeGallery, without
from turnstile.people.encodings import Unencoded
from turnstile.people.quality import in_words, weaknesses
from turnstile.protocol.fields import Looks
from turnstile.protocol.names import name_key
from turnstile.site.settings import GallerySettings

MAX_SAID = 20
"""Files of one look at the folder that are named in the log: 20,000 lines held up all doors for a second."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Enrolment:
    """The gallery as the broker knows it. Belongs to the broker's loop."""

    folder: FaceFolder
    engine: str
    made: MadeGallery = field(default_factory=MadeGallery)
    """The gallery in use."""
    hashes: dict[str, str] = field(default_factory=dict)
    persons: Mapping[str, str] = field(default_factory=dict)
    """Path → whom that picture is of."""
    encodings: dict[str, bytes] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    """Hash → the key of the recognizer that made that encoding."""
    looks: dict[str, Looks] = field(default_factory=dict)
    """Hash → what that face looks like, where it is known."""
    trusted: frozenset[str] | None = None
    """The keys of recognizers; `None` when the bus has no keys, and all encodings are used."""
    problems: dict[str, str] = field(default_factory=dict)
    """Hash → why no encoding could be made of that picture."""
    trouble: str = ""
    """Why the faces folder cannot be read; empty when it can."""
    absent: str = ""
    """That the faces folder is not there."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Path → why nothing could be read there, or was read."""
    anchored: Anchored = NO_ANCHORS
    """The faces that are not a person's, and whom damaged ones keep out."""
    erased: set[str] = field(default_factory=set)
    """Who is left out until their pictures are gone, though the folder was not read since."""
    _reported: set[tuple[str, str]] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _wanted: frozenset[str] = frozenset()
    """The hashes of all pictures."""
    _kept: dict[str, Made] = field(default_factory=dict)
    """Hash → what was made, for those that the folder's thread has not told of yet."""
    _read: bool = False
    _changed: bool = False
    _in_use: bool = False

    @property
    def read(self) -> bool:
        """Tell whether the folder has been read at least once."""
        return self._read

    @property
    def waiting(self) -> int:
        """Return how many pictures are still to be encoded."""
        return len(self._wanted) - len(self.encodings) - len(self.problems.keys() - self.encodings.keys())

    @property
    def refused(self) -> int:
        """Return how many files and pictures are not used."""
        unusable = sum(one in self.problems for one in self.hashes.values()) if self.problems else 0
        return len(self.unread) + unusable + len(self.made.left_out_pictures) + self.made.surplus

    @property
    def in_use(self) -> bool:
        """Tell whether a gallery of what was read is in use."""
        return self._in_use

    @property
    def changed(self) -> bool:
        """Tell whether another gallery is to be made."""
        return self._changed

    def refresh(self) -> list[str]:
        """Take over what the folder's worker found; return the hashes of pictures no longer wanted."""
        self.folder.check()
        self._read_listings()
        gone, self._gone = self._gone - self._wanted, set()
        return sorted(gone)

    def next_unencoded(self) -> Unencoded | None:
        """Return a picture to hand out; none when there is none now."""
        while not self.folder.unencoded.empty():
            picture = self.folder.unencoded.get()
            self._read_listings()  # the one that names it was put before it, perhaps just now
            if picture.digest in self._wanted and picture.digest not in self.encodings:
                return picture
        return None

    def trust(self, keys: frozenset[str]) -> None:
        """Drop what recognizers encoded whose keys are not among these, and have it encoded again."""
        self.trusted = keys
        self.folder.trust(keys)
        dropped = [digest for digest in self.encodings if self.makers.get(digest, "") not in keys]
        for digest in dropped:
            del self.encodings[digest]
            self._kept.pop(digest, None)
            self.folder.encode_again(digest)
        if dropped:
            log.warning(
                "%s encoded again: a recognizer did it whose key is revoked",
                counted(len(dropped), "picture is", "pictures are"),
            )
            self._changed = True

    def keep_encoding(
        self, digest: str, encoding: bytes, maker: str = "", looks: Looks | None = None
    ) -> None:
        """Keep the encoding of a picture, unless it was removed, or its maker's key revoked, meanwhile."""
        if digest not in self._wanted:
            return
        if self.trusted is not None and maker not in self.trusted:
            self.folder.encode_again(digest)
            return
        made = self._kept[digest] = Made(encoding, maker, looks)
        self.folder.keep(digest, made)
        self.encodings[digest], self.makers[digest] = encoding, maker
        if looks is not None:
            self.looks[digest] = looks
            self._name_if_weak(digest, looks)
        self._changed = True

    def _name_if_weak(self, digest: str, looks: Looks) -> None:
        """Say what is wrong with a picture that just came, for whoever is to take a better one."""
        told = in_words(weaknesses(looks))
        if told:
            files = named([f"faces/{file}" for file, other in self.hashes.items() if other == digest])
            log.warning("%s: a weak picture: %s", _printable(files), told)

    def keep_problem(self, digest: str, problem: str) -> None:
        """Say, once for each file, why a picture cannot be used."""
        self.problems[digest] = problem
        self._changed = True
        for file, other in self.hashes.items():
            if other == digest:
                self._report([file], digest, problem)

    def leave_out(self, person: str) -> None:
        """Leave somebody out of the gallery, at once and until the pictures are gone."""
        self.erased.add(name_key(person))
        self.made = without(self.made, self.erased)
        self._changed = True

    def let_in_again(self, person: str) -> None:
        """Leave somebody out no more, as the pictures stay."""
        self.erased.discard(name_key(person))
        self._changed = True

    def ingredients(self) -> Ingredients:
        """Return what a gallery is to be made of now."""
        self._changed = False
        return Ingredients(
            persons=self.persons,
            hashes=self.hashes,
            encodings=self.encodings,
            unusable=self.problems.keys(),
            erased=frozenset(self.erased),
            barred=frozenset(self.anchored.barred),
            looks=self.looks,
        )

    def use(self, made: MadeGallery) -> bool:
        """Use a gallery, and return whether it is another than before."""
        self.erased -= made.left_out - made.still_there
        if made.surplus > self.made.surplus:
            log.warning(
                "%s left out, the last by name: %d are the most that recognizers take; fewer "
                "pictures a person make room",
                counted(made.surplus, "picture"),
                len(made.pictures),
            )
        for why, files in by_reason({file: made.disagreeing[file] for file in made.settled}).items():
            self._report(files, why, why)
        for why, files in by_reason(made.spoiling).items():
            self._report(files, why, f"{why}; the person's other pictures are better without")
        before, self._in_use = self.made.gallery.version, True
        self.made = without(made, self.erased - made.left_out)
        return self.made.gallery.version != before

    def _read_listings(self) -> None:
        while not self.folder.listings.empty():
            listing = self.folder.listings.get()
            self._gone |= self._wanted
            self._note(listing)
            self._note_anchors(listing.anchored)
            self.hashes, self.persons, self._wanted = listing.hashes, listing.persons, listing.wanted
            self._take_encodings(listing)
            self.problems = {d: p for d, p in self.problems.items() if d in self._wanted}
            self._changed = self._read = True
            self.unread = listing.problems
            self._report_unread(listing.problems)
            for file, digest in self.hashes.items() if self.problems else ():
                if digest in self.problems:
                    self._report([file], digest, self.problems[digest])

    def _take_encodings(self, listing: Listing) -> None:
        """Use what the cache has, but for what was read before its maker's key was revoked."""
        encodings, makers, trusted = listing.encodings, listing.makers, self.trusted
        if trusted is not None and not set(makers.values()) <= trusted:
            revoked = {digest for digest, maker in makers.items() if maker not in trusted}
            for digest in revoked - self._kept.keys():
                self.folder.encode_again(digest)
            encodings = {digest: one for digest, one in encodings.items() if digest not in revoked}
            makers = {digest: one for digest, one in makers.items() if digest not in revoked}
        self._kept = {
            digest: one
            for digest, one in self._kept.items()
            if digest in self._wanted and digest not in encodings
        }
        kept = self._kept.items()
        self.encodings = encodings | {digest: made.encoding for digest, made in kept}
        self.makers = {**makers, **{digest: made.maker for digest, made in kept}}
        self.looks = {**listing.looks, **{digest: made.looks for digest, made in kept if made.looks}}

    def _note(self, listing: Listing) -> None:
        before, now = self.trouble or self.absent, listing.trouble or listing.absent
        if now != before:
            log.log(
                logging.WARNING if now else logging.INFO, "%s", now or "the faces folder can be read again"
            )
        self.trouble, self.absent = listing.trouble, listing.absent

    def _note_anchors(self, anchored: Anchored) -> None:
        """Use these anchors from now on, and say once whom damaged ones keep out."""
        for key, problem in anchored.barred.items():
            if key not in self.anchored.barred:
                log.error("%s; nobody of that name is let in until it is removed or put right", problem)
        self.anchored = anchored

    def _report_unread(self, problems: Mapping[str, str]) -> None:
        """Say of each file, once, why it is not read: of many at a time only the first, and their number."""
        new = [file for file, problem in problems.items() if (f"faces/{file}", problem) not in self._reported]
        for file in new[:MAX_SAID]:
            self._report([file], problems[file], problems[file])
        self._reported.update((f"faces/{file}", problems[file]) for file in new)
        if len(new) > MAX_SAID:
            log.warning(
                "%s not used either; `turnstile check` names them",
                counted(len(new) - MAX_SAID, "more file in faces/ is", "more files in faces/ are"),
            )

    def _report(self, files: Sequence[str], about: str, problem: str) -> None:
        """Say once why files cannot be used, in one line for all that cannot for one reason."""
        names = named([f"faces/{file}" for file in files])
        if (names, about) not in self._reported:
            self._reported.add((names, about))
            log.warning("%s %s not used: %s", _printable(names), "is" if len(files) == 1 else "are", problem)


def _printable(names: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in names)


def open_enrolment(gallery: GallerySettings, engine: str) -> Enrolment:
    """Return the enrolment of a site, its folder's thread started."""
    cache = EncodingCache(Path(gallery.cache), engine)
    folder = FaceFolder(Path(gallery.faces), cache, anchors=open_anchors(gallery, engine))
    folder.start()
    return Enrolment(folder=folder, engine=engine)
