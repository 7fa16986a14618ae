"""The scene: boxes, banners and notices that a display shows over one camera's picture, as plain values.

`Scene` takes frames, results, decisions and beats with the display's own monotonic time. `View` is what to
draw. Rules:

- Boxes and names come from the latest result while it is fresh (`turnstile.screen.freshness`), and for
  `BOX_S` at most: a box that stays behind stands over an empty place.
- A face that was decided about has the colour of its verdict for as long as it can be followed.
- While stale, boxes come from local detection, without names and without banners.
- A banner shows one visit for the time that the site sets. A decision that comes too late for the picture on
  screen is not shown.
- Advice is shown while results are fresh, until it is withdrawn or no longer repeated.
- When the broker or the camera is lost, nothing is drawn on the old picture, and a notice says so.
- Without pictures, because nobody asks for them, results and the camera's beats say how it is.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from turnstile.health.roster import SILENT_AFTER_S
from turnstile.protocol.fields import Advised, Box
from turnstile.protocol.messages import Access, Beat, Face, Guide, Result, Verdict
from turnstile.protocol.reasons import WORDS, Reason
from turnstile.protocol.state import State
from turnstile.screen import guidance
from turnstile.screen.freshness import Freshness, see_frame, see_result
from turnstile.screen.names import FollowedNames
from turnstile.screen.verdicts import FollowedVerdicts

CAMERA_SILENT_S = 2.0
"""A camera is lost after this long without a picture, or after 2.5 of its periods if longer."""

LATE_S = 2.0
"""A decision older than the picture on screen by more than this and the banner's time is not shown."""

ADVICE_S = 1.5
"""How long advice is shown without a repeat; the broker repeats it twice a second."""

BOX_S = 1.0
"""How long a box stays without another result. Unmeasured."""

MAX_BANNERS = 3
OUT_OF_ORDER = "Out of order, please ring"
ONE_MOMENT = "One moment, please"
MOMENT_S = 10.0
"""What lasts longer than this is out of order."""

_RATE_OVER = 31

BrokerState = Literal["awaited", "heard", "lost"]
MarkKind = Literal["granted", "denied", "person", "unknown", "local"]
"""`person` and `unknown` are not decided about yet."""

Light = Literal["live", "waiting", "stale", "lost"]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A rectangle around a face, with what to write at it."""

    box_px: Box
    """In pixels of the frame as captured."""
    kind: MarkKind
    label: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A decision about one visit, as shown."""

    verdict: Verdict
    reason: Reason
    title: str
    who: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice in words."""

    title: str
    detail: str = ""
    at_door: str = OUT_OF_ORDER
    """What it means to the public."""


@dataclass(frozen=True, kw_only=True)
class View:
    """All that is drawn of one camera besides its picture."""

    camera: str
    light: Light
    status: str = ""
    frame_px: tuple[int, int] = (1, 1)
    """Width and height of the frame as captured, in which boxes are given."""
    marks: tuple[Mark, ...] = ()
    banners: tuple[Banner, ...] = ()
    """Oldest first."""
    advice: str = ""
    """What the people at the door could do."""
    notice: Notice | None = None

    @property
    def state(self) -> str:
        """Return the state of this camera in a few words."""
        return self.notice.title if self.notice is not None else self.light

    @property
    def dimmed(self) -> bool:
        """Tell whether the picture is old, or there is none."""
        return self.light == "lost"


@dataclass(kw_only=True)
class Scene:
    """One camera as one display shows it. Every `now_s` is of one monotonic clock."""

    camera: str
    stale_after_s: float
    banner_s: float
    max_fps: float
    """The camera's largest frame rate."""
    keep_name_s: float = 1.0
    """How long a name stays with a face that is found and not encoded."""
    freshness: Freshness = field(default_factory=Freshness)
    locked_until_s: float = 0.0
    """Until when the door is locked out after too many denials."""
    _frame_px: tuple[int, int] = (1, 1)
    _shown_s: deque[float] = field(default_factory=lambda: deque(maxlen=_RATE_OVER))
    _faces: tuple[Face, ...] = ()
    _verdicts: tuple[Verdict | None, ...] = ()
    """Of each of the faces."""
    _followed: FollowedVerdicts = field(default_factory=FollowedVerdicts)
    _names: FollowedNames = field(init=False)
    _fresh_s: float | None = None
    _local: tuple[Box, ...] = ()
    _local_ns: int = 0
    """`captured_ns` of the frame that `_local` was found in."""
    _banners: list[tuple[Access, float]] = field(default_factory=list)
    _advice: tuple[tuple[Advised, ...], float] = ((), 0.0)
    _lost: str | None = None
    _pictures_since_s: float | None = float("-inf")
    """Since when its pictures are asked for; `None` while they are not."""
    _beat_s: float | None = None
    """When its camera's node beat last."""
    _sends_since_s: float | None = None
    """Since when its camera has pictures, by its beats; `None` while it has none."""

    def __post_init__(self) -> None:
        """Know nobody yet."""
        self._names = FollowedNames(keep_s=self.keep_name_s)

    def ask_for_pictures(self, since_s: float | None) -> None:
        """Note since when pictures are asked for; `None`: they are not any more, and the last one goes."""
        self._pictures_since_s = since_s
        if since_s is None:
            self.freshness = Freshness(result_ns=self.freshness.result_ns)
            self._shown_s.clear()

    def frame(self, *, captured_ns: int, size_px: tuple[int, int], now_s: float) -> None:
        """Note that a frame of this width and height is on screen."""
        was_stale = self.freshness.stale
        self._fresh_s = now_s if self._fresh_s is None else self._fresh_s
        self.freshness = see_frame(
            self.freshness,
            captured_ns,
            stale_after_ns=self._stale_after_ns,
            waited_ns=round((now_s - self._fresh_s) * 1e9),
        )
        self._frame_px = size_px
        self._shown_s.append(now_s)
        self._lost = None
        if self.freshness.stale and not was_stale:
            self._show_faces((), now_s)
            self._local = ()

    def result(self, result: Result, *, now_s: float) -> bool:
        """Take a result; return whether it counts: it speaks for the picture on screen and has no problem."""
        if result.problem:
            return False
        before = self.freshness
        self.freshness = see_result(before, result.captured_ns, stale_after_ns=self._stale_after_ns)
        if self.freshness is before:
            return False
        self._show_faces(self._names.of(result.faces, now_s=now_s), now_s)
        self._fresh_s = now_s
        return True

    def local(self, boxes_px: Sequence[Box], *, captured_ns: int) -> None:
        """Take what local detection found in a frame; it counts only while stale and for recent frames."""
        frame_ns = self.freshness.frame_ns
        recent = frame_ns is not None and abs(frame_ns - captured_ns) <= self._stale_after_ns
        if self.freshness.stale and recent:
            self._local, self._local_ns = tuple(boxes_px), captured_ns

    def access(self, access: Access, *, now_s: float) -> bool:
        """Take a decision; return whether it is shown: once, and not if the picture is far newer."""
        frame_ns = self.freshness.frame_ns
        limit_ns = (self.banner_s + LATE_S) * 1e9
        late = frame_ns is not None and abs(frame_ns - access.captured_ns) > limit_ns
        if late or any(shown.visit == access.visit for shown, _ in self._banners):
            return False
        self._banners = [*self._banners, (access, now_s)][-MAX_BANNERS:]
        self._followed.add(access, now_s=now_s)
        self._show_faces(self._faces, now_s)
        return True

    def guide(self, guide: Guide, *, now_s: float) -> None:
        """Take advice to people at the door; it replaces the previous advice."""
        self._advice = (guide.advice, now_s)

    def beat(self, beat: Beat, *, now_s: float) -> None:
        """Take the camera's own state: whether it is lost, or has pictures."""
        self._beat_s = now_s - beat.age_s
        self._lost = (beat.detail or "no reason given") if beat.state is State.LOST else None
        if beat.state in (State.STARTING, State.LOST):
            self._sends_since_s = None
        elif self._sends_since_s is None:
            self._sends_since_s = now_s

    def view(
        self,
        *,
        now_s: float,
        broker: BrokerState,
        broker_at: str = "",
        trouble: str = "",
        served_since_s: float | None = 0.0,
    ) -> View:
        """Return what to draw.

        Args:
            now_s: the time.
            broker: how the broker is.
            broker_at: its address.
            trouble: why the broker lets nobody enter now.
            served_since_s: since when the broker is heard without a gap; `None` while it is not. A camera's
                pictures come through the broker, so only for that time is a missing picture the camera's.
        """
        self._banners = [
            (access, since_s) for access, since_s in self._banners if now_s < since_s + self.banner_s
        ]
        lost = self._what_is_lost(now_s, broker, broker_at, served_since_s)
        if lost is not None:
            return View(camera=self.camera, light="lost", frame_px=self._frame_px, notice=lost)
        if not self._shown_s and (self._sends_since_s is None or self._misses_pictures(now_s)):
            waiting = Notice(title="waiting for the first picture", at_door=ONE_MOMENT)
            return View(camera=self.camera, light="waiting", notice=waiting)
        if self.freshness.stale or self._misses_results(now_s, served_since_s):
            return self._stale_view(now_s)
        age_s = self.freshness.age_s
        old = age_s is None or max(age_s, now_s - (self._fresh_s or now_s)) > BOX_S
        faces = () if old else tuple(zip(self._faces, self._verdicts, strict=True))
        return View(
            camera=self.camera,
            light="live" if self.freshness.fresh else "waiting",
            status=self._status("no result yet" if age_s is None else f"result {age_s:.1f} s"),
            frame_px=self._frame_px,
            marks=tuple(self._mark(face, verdict) for face, verdict in faces),
            banners=tuple(_banner(access) for access, _ in self._banners),
            advice=self._advice_in_words(now_s) if not trouble else "",
            notice=self._notice(now_s, trouble),
        )

    def _notice(self, now_s: float, trouble: str) -> Notice | None:
        if trouble:
            return Notice(title="nobody can enter", detail=trouble)
        left_s = self.locked_until_s - now_s
        if left_s > 0:
            return Notice(
                title="locked out",
                detail=f"after too many denials, {left_s:.0f} s more",
                at_door=f"Too many tries, please wait {left_s:.0f} s",
            )
        return None

    @property
    def _stale_after_ns(self) -> int:
        return round(self.stale_after_s * 1e9)

    def _what_is_lost(
        self, now_s: float, broker: BrokerState, broker_at: str, served_since_s: float | None
    ) -> Notice | None:
        if broker == "awaited":
            return Notice(title="waiting for the broker", detail=broker_at)
        if broker == "lost":
            return Notice(title="broker lost", detail=f"connecting again to {broker_at}" if broker_at else "")
        if self._lost is not None:
            return Notice(title="camera lost", detail=self._lost)
        return None if served_since_s is None else self._silence(now_s, served_since_s)

    def _silence(self, now_s: float, served_since_s: float) -> Notice | None:
        """Return what to say if pictures came and do not, or if none came and the camera's node is silent."""
        if self._shown_s:
            heard_s, limit_s, what = self._shown_s[-1], self._patience_s, "no picture"
        elif self._beat_s is not None:
            heard_s, limit_s, what = self._beat_s, SILENT_AFTER_S, "silent"
        else:
            return None
        silent_s = now_s - max(heard_s, served_since_s)
        return (
            Notice(title="camera lost", detail=f"{what} for {silent_s:.0f} s") if silent_s > limit_s else None
        )

    @property
    def _patience_s(self) -> float:
        return max(CAMERA_SILENT_S, 2.5 / self.max_fps)

    def _misses_pictures(self, now_s: float) -> bool:
        """Tell whether pictures are asked for, for long enough that there should be one."""
        since_s = self._pictures_since_s
        return since_s is not None and now_s - since_s > self._patience_s

    def _misses_results(self, now_s: float, served_since_s: float | None) -> bool:
        """Tell whether there are no pictures, and no result came for longer than results may take."""
        if self._shown_s or self._sends_since_s is None:
            return False
        begun_s = max(self._sends_since_s, now_s if served_since_s is None else served_since_s)
        since_s = begun_s if self._fresh_s is None else max(begun_s, self._fresh_s)
        return now_s - since_s > max(self.stale_after_s, 2.5 / self.max_fps)

    def _stale_view(self, now_s: float) -> View:
        since_s = now_s - (now_s if self._fresh_s is None else self._fresh_s)
        old = abs((self.freshness.frame_ns or 0) - self._local_ns) > BOX_S * 1e9
        return View(
            camera=self.camera,
            light="stale",
            status=self._status(f"no result for {since_s:.0f} s"),
            frame_px=self._frame_px,
            marks=tuple(
                Mark(box_px=box, kind="local", label="not verified") for box in self._local if not old
            ),
            notice=Notice(
                title="no recent result",
                detail="local detection, not verified",
                at_door=ONE_MOMENT if since_s < MOMENT_S else OUT_OF_ORDER,
            ),
        )

    def _status(self, of_results: str) -> str:
        """Return pictures a second over the last second or so on screen, and how results are."""
        if not self._shown_s:
            return ""
        span_s = self._shown_s[-1] - self._shown_s[0]
        rate = f"{(len(self._shown_s) - 1) / span_s:.0f}" if span_s > 0 else "-"
        return f"{rate} fps  ·  {of_results}"

    def _show_faces(self, faces: tuple[Face, ...], now_s: float) -> None:
        names = [face.person for face in faces]
        self._faces, self._verdicts = faces, self._followed.of(faces, names, now_s=now_s)

    def _mark(self, face: Face, verdict: Verdict | None) -> Mark:
        name = face.person
        return Mark(
            box_px=face.box_px,
            kind=verdict or ("unknown" if name is None else "person"),
            label=name or ("" if face.unread else "unknown"),
            detail="" if face.distance is None else f"{face.distance:.2f}",
        )

    def _advice_in_words(self, now_s: float) -> str:
        advised, since_s = self._advice
        boxes_px = [face.box_px for face in self._faces]
        return guidance.in_words(advised, boxes_px) if now_s < since_s + ADVICE_S else ""


def _banner(access: Access) -> Banner:
    granted = access.verdict == "granted"
    who = (access.person or "") if granted else ": ".join(filter(None, (access.person, WORDS[access.reason])))
    distance = () if access.distance is None else (f"distance {access.distance:.2f}",)
    return Banner(
        verdict=access.verdict,
        reason=access.reason,
        title="ACCESS GRANTED" if granted else "ACCESS DENIED",
        who=who,
        detail="  ·  ".join((*distance, f"{access.votes} of {access.of} votes")),
    )
