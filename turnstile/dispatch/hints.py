"""Hints: where each camera's faces were last. They go with the next frame, so recognizers stay stateless."""

from turnstile.protocol.messages import Frame, Hint, Result

MAX_AGE_NS = 2_000_000_000


class Hints:
    """The latest result of each camera, and how many results ago the whole picture was scanned."""

    def __init__(self) -> None:
        self._latest: dict[str, Result] = {}
        self._since_full_scan: dict[str, int] = {}

    def learn(self, result: Result) -> None:
        """Take over a result's boxes; one that is older than the latest changes nothing."""
        latest = self._latest.get(result.camera)
        if latest is not None and 0 <= latest.captured_ns - result.captured_ns < MAX_AGE_NS:
            return
        self._latest[result.camera] = result
        since = self._since_full_scan.get(result.camera, 0)
        self._since_full_scan[result.camera] = 0 if result.full_scan else since + 1

    def hint(self, frame: Frame) -> Hint | None:
        """Return the hint to go with a frame; `None` if the camera's latest result is no help."""
        latest = self._latest.get(frame.camera)
        if latest is None or not latest.faces:
            return None
        age_ns = frame.captured_ns - latest.captured_ns
        if not 0 <= age_ns <= MAX_AGE_NS:
            return None
        return Hint(
            boxes_px=tuple(face.box_px for face in latest.faces),
            age_s=age_ns / 1e9,
            frames_since_full_scan=self._since_full_scan[frame.camera],
        )

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._latest.pop(camera, None)
        self._since_full_scan.pop(camera, None)
