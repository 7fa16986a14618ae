"""What one page is sent next: the newest picture of a door that it is ready for, and words as they change.

The same rule as the broker's dispatch: a page says that it is ready for a camera, gets its newest picture,
and no other until it is ready again. A slow page therefore skips pictures and holds up
nobody. Words need no credit: they are short, and only the newest count.

Pure: times are arguments, monotonic seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

CALM_S = 1.0
"""A door where nothing happens is shown once in so long."""

Pace = Literal["all", "calm"]
"""``all``: each picture that the page is ready for; ``calm``: that, but for doors where nothing happens."""


@dataclass(kw_only=True)
class DoorNews:
    """How often something about a door became new."""

    pictures: int = 0
    is_kept: bool = True
    """Whether the newest picture is still there: it goes when nobody has looked for a while."""
    marks: int = 0
    """Whatever is drawn over the picture."""
    words: int = 0
    """What is said of the door beside its picture."""
    calm: bool = False
    """Nobody is there and nothing moves."""


class Due(NamedTuple):
    """What to send."""

    camera: str
    with_picture: bool


@dataclass(kw_only=True)
class _Sent:
    """What the page has of a door."""

    pictures: int = 0
    marks: int = -1
    words: int = -1
    picture_s: float = float("-inf")
    at_s: float = float("-inf")


@dataclass(kw_only=True)
class PageCredits:
    """The doors of one page, and what it has of them."""

    doors: frozenset[str]
    """That the account may see."""
    _paces: dict[str, Pace] = field(default_factory=dict)
    """Doors whose pictures are in view."""
    _ready: set[str] = field(default_factory=set)
    _sent: dict[str, _Sent] = field(default_factory=dict)

    @property
    def in_view(self) -> frozenset[str]:
        """Return the doors whose pictures are in view."""
        return frozenset(self._paces)

    def watch(self, paces: Mapping[str, Pace]) -> None:
        """Show the pictures of these doors and of no others; those that are new to the view have a credit."""
        seen: dict[str, Pace] = {camera: pace for camera, pace in paces.items() if camera in self.doors}
        self._ready = (self._ready & seen.keys()) | (seen.keys() - self._paces.keys())
        self._paces = seen

    def ready(self, cameras: Iterable[str]) -> None:
        """Note that a page has drawn what it was sent of these cameras."""
        self._ready |= self._paces.keys() & set(cameras)

    def next(self, news: Mapping[str, DoorNews], now_s: float) -> Due | None:
        """Return what is due, that of the door that has waited longest first; `None` if nothing is."""
        due = [one for camera in self.doors if (one := self._due(camera, news[camera], now_s)) is not None]
        return min(due, key=lambda one: self._of(one.camera).at_s, default=None)

    def sent(self, due: Due, news: DoorNews, now_s: float) -> None:
        """Note that it was sent."""
        sent = self._of(due.camera)
        sent.marks, sent.words, sent.at_s = news.marks, news.words, now_s
        if due.with_picture:
            sent.pictures, sent.picture_s = news.pictures, now_s
            self._ready.discard(due.camera)

    def _due(self, camera: str, news: DoorNews, now_s: float) -> Due | None:
        sent = self._of(camera)
        waits = camera in self._ready and news.is_kept and news.pictures > sent.pictures
        calm = news.calm and self._paces.get(camera) == "calm" and now_s - sent.picture_s < CALM_S
        if waits and not calm:
            return Due(camera, with_picture=True)
        changed = news.words > sent.words or (camera in self._paces and news.marks > sent.marks)
        return Due(camera, with_picture=False) if changed else None

    def _of(self, camera: str) -> _Sent:
        return self._sent.setdefault(camera, _Sent())
