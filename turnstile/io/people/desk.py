"""The people desk: enrolment pictures become work for recognizers, and their answers become the gallery.

Times are arguments, monotonic nanoseconds. It returns what is to be published and publishes nothing itself.

Policy: recognizers get no work before there is a gallery of what the faces folder holds. It is made again at
most four times a second, in a thread. Everybody gets it when it changes; a recognizer that says it holds
another gets it on its own topic, again after 3 s if it still does. Faces get their names from this gallery,
whatever a recognizer claims.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from turnstile.counts import counted, named
from turnstile.dispatch.desk import DispatchDesk, Recognized
from turnstile.dispatch.dispatcher import Job
from turnstile.dispatch.refusals import Refusals
from turnstile.errors import WireError
from turnstile.io.people.building import GalleryThread
from turnstile.io.people.enrolment import Enrolment
from turnstile.io.people.rates import StrangerRate
from turnstile.people.anchors import deny_anchored
from turnstile.people.building import MadeGallery
from turnstile.people.encodings import is_encoding
from turnstile.people.gallery import Gallery
from turnstile.people.naming import false_claims, name_faces
from turnstile.people.register import few_in_words
from turnstile.protocol.messages import Ready, Result, Template
from turnstile.protocol.roles import Identity, is_own_name
from turnstile.protocol.topics import Outgoing, work_topic

GALLERY_PERIOD_NS = 250_000_000
RESEND_NS = 3_000_000_000
"""When to send a gallery again to a recognizer that does not say that it has it: large ones take a while."""

_FALSE_CLAIM = (
    "its names or distances are not the gallery's; those of the broker count. Check that machine; "
    "`turnstile keys revoke` cuts it off"
)

log = logging.getLogger("turnstile")


def _asked_by_nobody(_key: str, _template: Template, _maker: str) -> None:
    """Leave it at that."""


def _no_keys() -> None:
    """Return that the bus has none."""


@dataclass(kw_only=True)
class PeopleDesk:
    """The enrolment, and which recognizer was sent which gallery."""

    enrolment: Enrolment
    making: GalleryThread
    dispatch: DispatchDesk
    rate: StrangerRate
    keys: Callable[[], Mapping[str, Identity] | None] = _no_keys
    """Returns whose each public key is now; `None` when the bus has no keys."""
    asked: Callable[[str, Template, str], None] = _asked_by_nobody
    """Called with what a recognizer made of a picture that somebody asks about, and the recognizer's key."""
    counts: Counter[str] = field(default_factory=Counter)
    enrolled: tuple[str, ...] | None = None
    """Who was when no picture waited to be encoded; `None` before that."""
    _claims: Refusals = field(default_factory=Refusals)
    _sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Recognizer → the version that it was sent, and when."""
    _used_ns: int | None = None
    _said: str = ""
    _few: str = ""
    """What was said last of people with too few pictures."""
    _keys: Mapping[str, Identity] | None = None
    """Those that were looked at last."""

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        values: dict[str, float] = {
            "people": len(self.enrolment.made.gallery.persons),
            "pictures_waiting": self.enrolment.waiting,
            "pictures_refused": self.enrolment.refused,
        }
        return values if self.rate.value is None else values | {"stranger_rate": self.rate.value}

    def take(self, message: Ready | Result | Template, now_ns: int) -> list[Outgoing]:
        """Note that a recognizer is ready, or keep the encoding that it made; return a gallery it lacks.

        Raises:
            WireError: a template that is no encoding, is of another engine, or is for other work.
        """
        if isinstance(message, Template):
            self._keep(message)
            return []
        return self._greet(message, now_ns) if message.credits else []

    def name_faces(self, recognized: Recognized) -> Recognized:
        """Return a result with the names that the gallery gives its faces."""
        claimed = recognized.result
        named = name_faces(claimed, self.enrolment.made.templates)
        if not claimed.faces:
            return recognized._replace(result=named)
        false = false_claims(claimed, named)
        if false:
            self.counts["false_claims"] += false
            line = self._claims.note(claimed.name, _FALSE_CLAIM, recognized.now_ns / 1e9)
            if line is not None:
                log.warning("%s", line)
        anchors = self.enrolment.anchored.encodings
        return recognized._replace(result=deny_anchored(named, anchors, self.enrolment.engine))

    def due(self, now_ns: int) -> list[Outgoing]:
        """Queue pictures to be encoded, and return the gallery if it changed.

        Raises:
            TurnstileError: the faces folder is no longer watched.
        """
        self.rate.check()
        self._look_at_keys()
        self._queue_pictures(now_ns)
        early = self._used_ns is not None and now_ns - self._used_ns < GALLERY_PERIOD_NS
        if self.enrolment.changed and self.making.is_free and not early:
            self.making.ask(self.enrolment.ingredients())
        made = self.making.take()
        if made is None:
            return []
        is_another = self.enrolment.use(made)
        if not self.dispatch.dispatcher.waiting_pictures and not self.enrolment.changed:
            self._say_who_is_enrolled(self.enrolment.made)
        return self._spread(now_ns) if is_another else []

    def _say_who_is_enrolled(self, made: MadeGallery) -> None:
        gallery = made.gallery
        if gallery.version == self._said:
            return
        log.info("%s", _in_words(gallery, self.enrolled))
        counts = np.bincount(gallery.owners, minlength=len(gallery.persons))
        few = few_in_words(dict(zip(gallery.persons, counts.tolist(), strict=True)))
        if few and few != self._few:
            log.info("%s", few)
        self._few = few
        self.enrolled, self._said = gallery.persons, gallery.version
        if gallery.persons:
            self.rate.ask(made)

    def _spread(self, now_ns: int) -> list[Outgoing]:
        self._used_ns = now_ns
        made = self.enrolment.made
        for recognizer in self.dispatch.dispatcher.recognizers:
            self._sent[recognizer] = (made.gallery.version, now_ns)
        return [Outgoing("gallery.", made.message)]

    def unenrol(self, person: str) -> None:
        """Leave somebody who is erased out of the gallery at once."""
        self.enrolment.leave_out(person)
        self._used_ns = None

    def set_aside(self, digest: str) -> None:
        """Refuse a picture that two recognizers failed on."""
        self.enrolment.keep_problem(digest, "two recognizers failed on it")

    def left(self, recognizer: str) -> None:
        """Forget what a recognizer was sent, as its connection closed."""
        self._sent.pop(recognizer, None)

    def close(self) -> None:
        """Stop watching the faces folder, and computing."""
        self.enrolment.folder.close()
        self.making.close()
        self.rate.close()

    def _look_at_keys(self) -> None:
        """Use only what recognizers encoded that still have a key."""
        keys = self.keys()
        if keys is not self._keys and keys is not None:
            recognizers = frozenset(key for key, who in keys.items() if who.role == "recognizer")
            if recognizers != self.enrolment.trusted:
                self.enrolment.trust(recognizers)
        self._keys = keys

    def _maker(self, template: Template) -> str:
        """Return the key of the recognizer that made a template; empty on a bus without keys."""
        keys = {} if self._keys is None else self._keys
        own = (
            key for key, who in keys.items() if who.role == "recognizer" and is_own_name(who, template.name)
        )
        return next(own, "")

    def _greet(self, ready: Ready | Result, now_ns: int) -> list[Outgoing]:
        recognizer, version = work_topic(ready.name, ready.instance), self.enrolment.made.gallery.version
        if not self.enrolment.in_use:
            return []
        if not self.dispatch.ready(recognizer, most=ready.credits, now_ns=now_ns):
            return []
        sent, sent_ns = self._sent.get(recognizer, ("", 0))
        if ready.gallery_version == version or (sent == version and now_ns - sent_ns <= RESEND_NS):
            return []
        self._sent[recognizer] = (version, now_ns)
        return [Outgoing(recognizer, self.enrolment.made.message)]

    def _keep(self, template: Template) -> None:
        picture = self.dispatch.encoded(template)
        if picture is None:
            return
        fits = template.engine == self.enrolment.engine and is_encoding(template.encoding)
        maker = self._maker(template)
        if picture.is_asked:
            problem = template.problem or ("" if fits else f"{template.name} made no encoding of it")
            self.asked(picture.digest, msgspec.structs.replace(template, problem=problem), maker)
        elif template.problem:
            self.enrolment.keep_problem(picture.digest, template.problem)
        elif fits:
            self.enrolment.keep_encoding(picture.digest, template.encoding, maker, template.looks)
        else:
            self.enrolment.keep_problem(picture.digest, f"{template.name} answered with no encoding of it")
        if not template.problem and not fits:
            raise WireError("a template that is no encoding, or of another engine than the site's")

    def _queue_pictures(self, now_ns: int) -> None:
        dispatcher = self.dispatch.dispatcher
        for digest in self.enrolment.refresh():
            dispatcher.withdraw_picture(digest)
        while dispatcher.waiting_pictures < 2 * max(1, len(dispatcher.recognizers)):
            picture = self.enrolment.next_unencoded()
            if picture is None:
                return
            dispatcher.offer_picture(
                Job(kind="picture", key=picture.digest, seq=0, body=picture, came_ns=now_ns)
            )


def _in_words(gallery: Gallery, before: Sequence[str] | None) -> str:
    """Return how many are enrolled, and who came and went since."""
    people, pictures = len(gallery.persons), len(gallery.owners)
    said = f"gallery: {counted(people, 'person', 'people')}, {counted(pictures, 'picture')}"
    if before is None:
        return said
    now, then = set(gallery.persons), set(before)
    for word, names in (("new", sorted(now - then)), ("removed", sorted(then - now))):
        if names:
            said += f"; {word}: {named(names)}"
    return said
