"""The gate: which frames need no look, as their camera shows an empty scene that has not changed.

Pure: times are when frames came, on the broker's running clock.

A frame needs no look only if all of this holds, and each doubt is a look:

- The newest look that was answered searched its whole frame and found nobody.
- No visit is open at the door. So absence of people who were there is observed by looks alone.
- Nothing changed since that look's frame came. A change is held until a look at its own frame, or at a later
  one, has found nobody; it does not matter how many frames in between were dropped.
- That frame came less than `look_every_s` ago.
- The camera says how much changed, and no frame of its process is missing since that look.
"""

from dataclasses import dataclass

from turnstile.protocol.messages import Frame, Result
from turnstile.site.recognition import RecognitionSettings

CHANGED_SHARE_OF_FACE = 0.25
"""A change is as many pixels as this share of the smallest face that is looked for: its half in half of the
cells. With 40 px, two cells of 16x16 (`turnstile.vision.change`)."""


@dataclass(kw_only=True)
class _LastLook:
    """What is known of one camera."""

    instance: str = ""
    seq: int = 0
    changed_ns: int = 0
    """When the newest frame came that showed a change, or may have hidden one."""
    looked_ns: int = 0
    """When the newest frame came that was looked at."""
    is_empty: bool = False
    """Whether all of that one was searched, and nobody found."""
    tells_change: bool = False
    """Whether the newest frame said how much changed."""
    has_visits: bool = False


class Gate:
    """What is known of each camera's scene."""

    def __init__(self, recognition: RecognitionSettings) -> None:
        self._is_used = recognition.skip_unchanged
        self._look_every_ns = round(recognition.look_every_s * 1e9)
        self._least_changed_px = CHANGED_SHARE_OF_FACE * recognition.min_face_px**2
        self._scenes: dict[str, _LastLook] = {}

    def needs_look(self, frame: Frame, came_ns: int) -> bool:
        """Note a frame, and tell whether somebody may be seen in it who was not there before."""
        scene = self._scenes.setdefault(frame.camera, _LastLook())
        is_next = (frame.instance, frame.seq) == (scene.instance, scene.seq + 1)
        scene.instance, scene.seq, scene.tells_change = frame.instance, frame.seq, frame.change is not None
        if not is_next or self._has_changed(frame):
            scene.changed_ns = came_ns
        is_known = scene.is_empty and not scene.has_visits and scene.changed_ns <= scene.looked_ns
        return not (self._is_used and is_known and came_ns - scene.looked_ns < self._look_every_ns)

    def needs_each(self, camera: str) -> bool:
        """Tell whether frames of a camera need no look soon, if none of them is missing until then."""
        scene = self._scenes.get(camera)
        return self._is_used and scene is not None and scene.tells_change and scene.is_empty

    def learn(self, result: Result, came_ns: int) -> None:
        """Note the answer to a look; one at an older frame than the newest that was looked at says nothing.

        Args:
            result: of a recognizer.
            came_ns: when its frame came.
        """
        scene = self._scenes.setdefault(result.camera, _LastLook())
        if came_ns >= scene.looked_ns:
            scene.looked_ns = came_ns
            scene.is_empty = result.full_scan and not result.faces and not result.problem

    def note_visits(self, camera: str, *, any_open: bool) -> None:
        """Note whether visits are open at a door."""
        self._scenes.setdefault(camera, _LastLook()).has_visits = any_open

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._scenes.pop(camera, None)

    def _has_changed(self, frame: Frame) -> bool:
        if frame.change is None:
            return True
        return frame.change * frame.width_px * frame.height_px >= self._least_changed_px
