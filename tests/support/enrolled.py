"""People who are enrolled without a recognizer: their encodings lie in the broker's cache already."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from turnstile.io.people.cache import EncodingCache
from turnstile.site.settings import Site


def enrol(site: Site, people: Mapping[str, bytes]) -> None:
    """Put a picture of each person into the faces folder, and its encoding into the cache before that."""
    cache = EncodingCache(Path(site.gallery.cache), site.recognition.encoding)
    for person, encoding in people.items():
        picture = f"a picture of {person}".encode()
        cache.put(hashlib.sha256(picture).hexdigest(), encoding)
        picture_of(site, person).parent.mkdir(exist_ok=True)
        picture_of(site, person).write_bytes(picture)


def picture_of(site: Site, person: str) -> Path:
    """Return the file that enrols a person."""
    return Path(site.gallery.faces) / f"{person.lower().replace(' ', '_')}.jpg"
