"""Pictures held in memory: those a page has shown a moment ago, and those that somebody has uploaded.

Shown ones are kept for a minute, so that a browser that fetches a page's faces asks no logger again. They are
forgotten at once when somebody is erased or discarded. Uploaded ones wait for a quarter of an hour to be
decided upon, for the account that uploaded them alone. The oldest of too many are forgotten.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from typing import NamedTuple

from starlette.responses import Response

from turnstile.protocol.names import same_name
from turnstile.requests.answers import Done, PictureJudged

SHOWN_S = 60.0
MAX_SHOWN = 1000
PENDING_S = 15 * 60.0
MAX_PENDING_BYTES = 256 * 2**20
MAX_PENDING_EACH = 30
"""Of one account."""

_NO_STORE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class SeenPicture(NamedTuple):
    """A picture, and where it was taken."""

    jpeg: bytes
    cameras: tuple[str, ...]


class Thumbnails:
    """The pictures by name."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, SeenPicture]] = OrderedDict()

    def keep(self, name: str, jpeg: bytes, cameras: tuple[str, ...]) -> None:
        """Keep a picture for a minute."""
        now_s = time.monotonic()
        self._kept.pop(name, None)
        self._kept[name] = (now_s, SeenPicture(jpeg, cameras))
        while len(self._kept) > MAX_SHOWN or now_s - next(iter(self._kept.values()))[0] > SHOWN_S:
            self._kept.popitem(last=False)

    def find(self, name: str) -> SeenPicture | None:
        """Return a picture that is still kept."""
        found = self._kept.get(name)
        if found is None or time.monotonic() - found[0] > SHOWN_S:
            self._kept.pop(name, None)
            return None
        return found[1]

    def forget(self) -> None:
        """Keep none of them."""
        self._kept.clear()


def as_jpeg(data: bytes) -> Response:
    """Return a picture as a browser loads it."""
    return picture_response(data, "image/jpeg")


def picture_response(data: bytes, media_type: str) -> Response:
    """Return a picture of a kind that browsers show; nothing keeps it."""
    if not data:
        return Response(status_code=404)
    return Response(data, media_type=media_type, headers=_NO_STORE)


class PendingPicture(NamedTuple):
    """A picture, and what enrolment would say of it."""

    owner: str
    person: str
    name: str
    """Of the file, as it was uploaded."""
    data: bytes
    judged: PictureJudged
    kept: Done | None = None
    """What was answered when it was enrolled; its data is not held any more."""

    @property
    def media_type(self) -> str:
        """Return what a browser can show it as; empty if none can."""
        return media_type_of(self.data)

    @property
    def is_refused(self) -> bool:
        """Tell whether it is kept only if somebody insists, or not at all."""
        return bool(self.judged.problem)


class PendingPictures:
    """The pictures by token. Call from the server's event loop.

    Attributes:
        deciding: held while some of them are enrolled.
    """

    def __init__(self) -> None:
        self.deciding = asyncio.Lock()
        self._kept: OrderedDict[str, PendingPicture] = OrderedDict()

    def add(self, *, owner: str, person: str, name: str, data: bytes, judged: PictureJudged) -> str:
        """Keep a picture, and return its token."""
        token = secrets.token_urlsafe(12)
        self._kept[token] = PendingPicture(owner, person, name, data, judged)
        asyncio.get_running_loop().call_later(PENDING_S, self.remove, token)
        self._make_room(owner)
        return token

    def find(self, token: str, owner: str) -> PendingPicture | None:
        """Return a picture of an account; `None` if it is not kept, or another's."""
        found = self._kept.get(token)
        return found if found is not None and found.owner == owner else None

    def note_kept(self, token: str, answer: Done) -> None:
        """Hold a picture's data no longer: it is enrolled."""
        found = self._kept.get(token)
        if found is not None:
            self._kept[token] = found._replace(data=b"", kept=answer)

    def remove(self, token: str) -> None:
        """Keep a picture no longer."""
        self._kept.pop(token, None)

    def forget(self, person: str) -> None:
        """Keep no picture of a person."""
        for token in [token for token, one in self._kept.items() if same_name(one.person, person)]:
            del self._kept[token]

    def _make_room(self, owner: str) -> None:
        theirs = [token for token, one in self._kept.items() if one.owner == owner]
        for token in theirs[:-MAX_PENDING_EACH]:
            del self._kept[token]
        while sum(len(one.data) for one in self._kept.values()) > MAX_PENDING_BYTES:
            self._kept.popitem(last=False)


def media_type_of(data: bytes) -> str:
    """Return what a browser can show a picture as; empty if none can."""
    return next((kind for kind, begin, at in _KINDS if data[at:].startswith(begin)), "")


_KINDS = (
    ("image/jpeg", b"\xff\xd8\xff", 0),
    ("image/png", b"\x89PNG\r\n\x1a\n", 0),
    ("image/webp", b"WEBP", 8),
)
"""What browsers show: media type, how the data begins, and where. Of HEIC a JPEG is made."""
