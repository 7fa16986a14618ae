"""The enrolled pictures of a site, with what the broker's cache has of each; the rest is encoded here."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from turnstile.errors import PictureError, TurnstileError
from turnstile.files.reading import is_absent, why
from turnstile.io.people.cache import EncodingCache, Made
from turnstile.io.people.folder import files_in, read_picture
from turnstile.io.site.progress import progress
from turnstile.people.gallery import persons_of
from turnstile.people.register import Encoded
from turnstile.protocol.names import same_name
from turnstile.site.settings import Site
from turnstile.vision.engines.engine import EncodedFace, Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment


def read_enrolled(site: Site, *, only: str | None = None, names: set[str] | None = None) -> Iterator[Encoded]:
    """Give each picture that names somebody, in order of path.

    Args:
        site: the broker's.
        only: one person, in any spelling; `None` for everybody.
        names: takes the names of all people that there are pictures of.

    Raises:
        TurnstileError: the faces folder cannot be read.
    """
    folder = Path(site.gallery.faces)
    try:
        files = [] if is_absent(folder) else files_in(folder)[0]
    except OSError as error:
        raise TurnstileError(f"{folder} cannot be read: {why(error, about=folder)}") from error
    persons = persons_of(files)
    if names is not None:
        names.update(persons.values())
    wanted = [pair for pair in persons.items() if only is None or same_name(pair[1], only)]
    cache = EncodingCache(Path(site.gallery.cache), site.recognition.encoding)
    engine: Engine | None = None
    for file, person in progress(wanted, "looking for faces"):
        try:
            data = read_picture(folder / file)
            digest = hashlib.sha256(data).hexdigest()
            made = cache.find(digest)
            if made is None:
                picture = decode_enrolment(data)
                engine = engine or make_engine(site.recognition)
                made = made_of(engine.enrol(picture))
            yield Encoded(person, file, digest, made.encoding, made.looks)
        except OSError as error:
            yield Encoded(person, file, problem=f"it cannot be read: {error.strerror}")
        except (PictureError, ValueError) as error:
            yield Encoded(person, file, problem=str(error))


def made_of(face: EncodedFace) -> Made:
    """Return what the cache would hold of a face."""
    return Made(face.encoding.astype("<f4").tobytes(), looks=face.looks)
