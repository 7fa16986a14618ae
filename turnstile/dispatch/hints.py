"""Hints: where each camera's faces were last. They go with the next frame, so recognizers stay stateless."""

from turnstile.protocol.fields import Hint
from turnstile.protocol.messages import Result

MAX_AGE_NS = 2_000_000_000


class Hints:
    """The latest result of each camera, and how many results ago the whole picture was scanned."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[Result, int]] = {}
        self._since_full_scan: dict[str, int] = {}

    def learn(self, result: Result, came_ns: int) -> None:
        """Take over a result's boxes; one that is no newer than the latest changes nothing.

        Args:
            result: of a frame.
            came_ns: when that frame came, on a clock that runs.
        """
        _, latest_ns = self._latest.get(result.camera, (None, 0))
        if came_ns <= latest_ns:
            return
        self._latest[result.camera] = (result, came_ns)
        since = self._since_full_scan.get(result.camera, 0)
        self._since_full_scan[result.camera] = 0 if result.full_scan else since + 1

    def hint(self, camera: str, came_ns: int) -> Hint | None:
        """Return the hint for a frame that came then; `None` if the camera's latest result is no help."""
        latest, latest_ns = self._latest.get(camera, (None, 0))
        if latest is None or not latest.faces:
            return None
        age_ns = came_ns - latest_ns
        if not 0 <= age_ns <= MAX_AGE_NS:
            return None
        return Hint(
            boxes_px=tuple(face.box_px for face in latest.faces),
            age_s=age_ns / 1e9,
            frames_since_full_scan=self._since_full_scan[camera],
        )

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._latest.pop(camera, None)
        self._since_full_scan.pop(camera, None)
