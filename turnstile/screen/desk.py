"""The scenes of one display, told what is said about their cameras and about the broker.

Pure: times are arguments, monotonic seconds.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnstile.protocol.messages import Access, AnyMessage, Beat, Guide, Result
from turnstile.protocol.state import LOCKED_OUT, State
from turnstile.screen.scene import BrokerState, Scene, View
from turnstile.site.settings import DisplaySettings, Site

MISSES_BEATS_S = 1.1
"""Without a word from the broker, which beats twice a second, for so long: from then on, pictures that do not
come say nothing of their cameras."""

NAME_LATE_S = 0.5
"""How much later than asked for a decided face may be encoded again before its name goes from the screen."""


@dataclass(kw_only=True)
class SceneDesk:
    """The scenes by camera, and how the broker is."""

    scenes: Mapping[str, Scene]
    broker_at: str
    """Its address, which is shown while it is silent."""
    broker: BrokerState = "awaited"
    trouble: str = ""
    """Why the broker lets nobody enter at present; empty when it does."""
    counts: Counter[str] = field(default_factory=Counter)
    _served_since_s: float | None = None
    """Since when the broker is heard without a gap."""

    def take(self, message: AnyMessage, now_s: float) -> None:
        """Tell the camera's scene of a message; cameras that are not shown are passed over."""
        match message:
            case Result(camera=camera) if camera in self.scenes:
                counts = self.scenes[camera].result(message, now_s=now_s)
                self.counts["results_in" if counts else "results_not_counting"] += 1
            case Access(camera=camera) if camera in self.scenes:
                counts = self.scenes[camera].access(message, now_s=now_s)
                self.counts["verdicts_in" if counts else "verdicts_too_late"] += 1
            case Guide(camera=camera) if camera in self.scenes:
                self.scenes[camera].guide(message, now_s=now_s)
            case Beat(role="broker", state=state, detail=detail, gauges=gauges):
                for camera, scene in self.scenes.items():
                    scene.locked_until_s = now_s + gauges.get(f"{LOCKED_OUT}{camera}", 0.0)
                self.trouble = (detail or "no reason given") if state is State.DEGRADED else ""
            case Beat(node=camera) if camera in self.scenes:
                self.scenes[camera].beat(message, now_s=now_s)
            case _:
                pass

    def note_broker(self, *, silent: bool, silent_s: float, now_s: float) -> None:
        """Note whether and how long the broker is silent; it is lost only if it was heard before."""
        if silent or silent_s > MISSES_BEATS_S:
            self._served_since_s = None
        elif self._served_since_s is None:
            self._served_since_s = now_s
        if not silent:
            self.broker = "heard"
        elif self.broker == "heard":
            self.broker = "lost"

    def view(self, camera: str, now_s: float) -> View:
        """Return what to draw of a camera."""
        return self.scenes[camera].view(
            now_s=now_s,
            broker=self.broker,
            broker_at=self.broker_at,
            trouble=self.trouble,
            served_since_s=self._served_since_s,
        )


def make_scenes(site: Site, display: DisplaySettings) -> dict[str, Scene]:
    """Return the scenes of the cameras that a display shows."""
    return {
        camera: Scene(
            camera=camera,
            stale_after_s=display.stale_after_s,
            banner_s=display.banner_s,
            max_fps=site.cameras[camera].max_fps,
            keep_name_s=site.recognition.confirm_every_s + NAME_LATE_S,
        )
        for camera in display.cameras or site.cameras
    }
