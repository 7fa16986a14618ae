"""All doors as pages show them: the scenes of the window, the newest frames, and what the beats say.

Pages say what the window says: boxes, names, verdicts, advice and notices are those of `turnstile.screen`.
Only local detection is missing, since no page runs a detector: while results are stale, no box is drawn.
Of doors that no page shows there are no pictures, and words come of results and beats.

Pure: times are arguments, monotonic seconds.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from turnstile.health.overview import Overview, Watch
from turnstile.health.roster import Heard
from turnstile.protocol.messages import Access, AnyMessage, Beat, Frame
from turnstile.screen.audience import for_door
from turnstile.screen.desk import SceneDesk, make_scenes
from turnstile.screen.scene import View
from turnstile.site.settings import DisplaySettings, Site
from turnstile.web.live import decisions, message
from turnstile.web.live.credits import DoorNews, Due
from turnstile.web.live.decisions import DecisionLine
from turnstile.web.live.door_words import broker_troubles, is_calm, site_troubles, state_of
from turnstile.web.live.message import DoorHeader

KEPT_DECISIONS = 100
OVERVIEW_EVERY_S = 0.5


@dataclass(kw_only=True)
class LiveDoors:
    """What is known of a site's doors now."""

    site: Site
    desk: SceneDesk
    watch: Watch
    news: dict[str, DoorNews]
    frames: dict[str, tuple[Frame, float]] = field(default_factory=dict)
    """The newest of each camera that is shown, and when it came."""
    shown: frozenset[str] = frozenset()
    """Cameras whose pictures are asked for."""
    decisions: deque[DecisionLine] = field(default_factory=lambda: deque(maxlen=KEPT_DECISIONS))
    decided: int = 0
    """How many decisions came so far."""
    views: dict[str, View] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """How each door is, in words."""
    _overview: Overview | None = None
    _overview_s: float = float("-inf")

    def show(self, cameras: frozenset[str], now_s: float) -> None:
        """Note that the pictures of these cameras are asked for, and no others; the last of others go."""
        for camera in (self.shown ^ cameras) & self.news.keys():
            self.desk.scenes[camera].ask_for_pictures(now_s if camera in cameras else None)
            if camera not in cameras:
                self.frames.pop(camera, None)
                self.news[camera].is_kept = False
        self.shown = cameras

    def take(self, messages: Iterable[AnyMessage], now_s: float) -> set[str]:
        """Take what came, frames first; return the cameras of which something came."""
        touched = set()
        for one in sorted(messages, key=lambda said: not isinstance(said, Frame)):
            self._take(one, now_s)
            camera = getattr(one, "camera", None)
            if camera in self.news:
                touched.add(camera)
        return touched

    def note_broker(self, *, silent: bool, silent_s: float, now_s: float) -> None:
        """Note whether and how long the broker is silent."""
        self.desk.note_broker(silent=silent, silent_s=silent_s, now_s=now_s)

    def refresh(self, cameras: Collection[str], now_s: float) -> None:
        """Look anew at how these doors are."""
        overview = self.overview(now_s)
        for camera in cameras:
            view, news = self.desk.view(camera, now_s), self.news[camera]
            before, said = self.views.get(camera), self.states.get(camera)
            self.views[camera] = view
            self.states[camera] = state_of(view, overview.roster)
            news.marks += before is None or _drawn(view) != _drawn(before)
            news.words += before is None or _words(view) != _words(before) or said != self.states[camera]
            frame = self.frames.get(camera)
            news.calm = is_calm(view, None if frame is None else frame[0], self.site.recognition)

    def overview(self, now_s: float) -> Overview:
        """Return all nodes and cameras, as they were half a second ago at most."""
        if self._overview is None or now_s - self._overview_s > OVERVIEW_EVERY_S:
            self._overview, self._overview_s = self.watch.view(now_s), now_s
        return self._overview

    def troubles(self, doors: Collection[str], now_s: float) -> tuple[str, ...]:
        """Return what is wrong with the site; whoever may see some doors only is not told of other nodes."""
        of_broker = broker_troubles(self.desk.broker, self.desk.trouble)
        if of_broker or doors:
            return of_broker
        return site_troubles(self.overview(now_s))

    def header(self, due: Due, *, at_door: bool, now_s: float) -> tuple[DoorHeader, bytes]:
        """Return what a page is sent of a door: the header, and the picture if one is due."""
        view = self.views[due.camera]
        words = self.states[due.camera]
        shown = for_door(view) if at_door else view
        said = ("" if shown.notice is None else shown.notice.title) if at_door else words
        if not due.with_picture:
            return message.of_door(shown, said), b""
        frame, came_s = self.frames[due.camera]
        shown = replace(shown, frame_px=(frame.width_px, frame.height_px))
        return message.of_door(shown, said, frame, age_s=now_s - came_s), frame.jpeg

    def decisions_since(self, number: int) -> list[DecisionLine]:
        """Return the decisions that came after the first `number`, oldest first; only the last are kept."""
        missing = min(self.decided - number, len(self.decisions))
        return list(self.decisions)[len(self.decisions) - missing :]

    def _take(self, said: AnyMessage, now_s: float) -> None:
        match said:
            case Frame(camera=camera) if camera in self.shown and camera in self.news:
                self.frames[camera] = said, now_s
                self.news[camera].pictures += 1
                self.news[camera].is_kept = True
                self.desk.scenes[camera].frame(
                    captured_ns=said.captured_ns,
                    size_px=(said.width_px, said.height_px),
                    now_s=now_s,
                )
                return
            case Access(camera=camera) if camera in self.news:
                self.decisions.append(decisions.of_access(said))
                self.decided += 1
            case Beat():
                self.watch.receive(Heard(said, now_s - said.age_s))
            case _:
                pass
        self.desk.take(said, now_s)


def make_live_doors(site: Site) -> LiveDoors:
    """Return a site's doors, of which nothing is known yet."""
    scenes = make_scenes(site, DisplaySettings())
    for scene in scenes.values():
        scene.ask_for_pictures(None)
    return LiveDoors(
        site=site,
        desk=SceneDesk(scenes=scenes, broker_at=site.broker.egress),
        watch=Watch(site=site),
        news={camera: DoorNews() for camera in scenes},
    )


def _drawn(view: View) -> View:
    """Return a view without what is new with every picture."""
    return replace(view, status="")


def _words(view: View) -> tuple[object, ...]:
    return view.light, view.banners, view.advice, view.notice
