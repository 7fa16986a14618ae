"""Say which cameras see more faces than are encoded, such as a poster, a screen or a crowd."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FORGET_S = 60.0
"""So long after the last such frame nothing is said of a camera."""


@dataclass(kw_only=True)
class CrowdWatch:
    """Notes which cameras had faces that were left out, and when."""

    _said: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By camera: when faces were last left out, and what was said of it."""

    def hints(self, now_s: float) -> Mapping[str, str]:
        """Return what to say, by camera."""
        self._said = {camera: said for camera, said in self._said.items() if now_s - said[0] <= FORGET_S}
        return {camera: hint for camera, (_, hint) in self._said.items()}

    def note(self, camera: str, *, found: int, left_out: int, now_s: float) -> str:
        """Note a frame; return a new hint, or nothing."""
        if not left_out:
            return ""
        known = self.hints(now_s).get(camera)
        hint = known or (
            f"{camera}: {left_out} of {found} faces in a frame were not encoded, so that other doors do not "
            "wait; they take turns. If a poster or a screen is in view, cover it or turn the camera away"
        )
        self._said[camera] = now_s, hint
        return "" if known else hint
