"""Guided enrolment at a door: which pose is wanted next, which frames are kept, and what to say meanwhile.

Three poses: straight, the head turned a little, the head nodded a little. The bounds lie within those of
`turnstile.people.quality`, beyond which a picture is weak. They are unmeasured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from turnstile.people.quality import BOUNDS
from turnstile.protocol.fields import Looks
from turnstile.requests.answers import PictureJudged

Pose = Literal["straight", "turned", "nodded"]
POSES: tuple[Pose, ...] = ("straight", "turned", "nodded")

MAX_STRAIGHT_TURN = 0.1
MAX_STRAIGHT_NOD = 0.06
"""How far from the straight pose's nod counts as straight."""

POSE_WORDS: Mapping[Pose, str] = {
    "straight": "Look straight at the camera.",
    "turned": "Turn your head a little to one side.",
    "nodded": "Lift or lower your chin a little.",
}
_USUAL_NOD = (BOUNDS.min_nod + BOUNDS.max_nod) / 2


class KeptFrame(NamedTuple):
    """A frame that may be enrolled."""

    jpeg: bytes
    looks: Looks
    judged: PictureJudged


@dataclass
class Poses:
    """The best frame of each pose so far."""

    best: dict[Pose, KeptFrame] = field(default_factory=dict)
    weak: KeptFrame | None = None
    """The sharpest that is weak, for want of better ones."""
    judged: int = 0
    last_problem: str = ""
    """Why the latest frame was not kept; empty when it was, or was no better."""

    def add(self, jpeg: bytes, judged: PictureJudged) -> None:
        """Take a frame as it was judged."""
        self.judged += 1
        self.last_problem = judged.problem or judged.weaknesses
        if judged.looks is None or judged.problem:
            self.last_problem = self.last_problem or "no face is found"
            return
        if judged.weaknesses:
            if self.weak is None or judged.looks.sharpness > self.weak.looks.sharpness:
                self.weak = KeptFrame(jpeg, judged.looks, judged)
            return
        pose = self._pose_of(judged.looks)
        before = self.best.get(pose)
        if before is None or judged.looks.sharpness > before.looks.sharpness:
            self.best[pose] = KeptFrame(jpeg, judged.looks, judged)

    @property
    def wanted(self) -> Pose | None:
        """Return the pose to ask for; `None` when all are there."""
        return next((pose for pose in POSES if pose not in self.best), None)

    @property
    def offered(self) -> tuple[KeptFrame, ...]:
        """Return the frames to enrol: one a pose, or a weak one where there is no better."""
        good = tuple(self.best[pose] for pose in POSES if pose in self.best)
        return good or (() if self.weak is None else (self.weak,))

    def guidance(self) -> str:
        """Return one sentence for the person at the door."""
        if self.last_problem:
            return f"Please stay in view: {self.last_problem}."
        return "Thank you, that is enough." if self.wanted is None else POSE_WORDS[self.wanted]

    def _pose_of(self, looks: Looks) -> Pose:
        """Return the pose of a face; what a straight nod is differs from person to person."""
        if looks.turn > MAX_STRAIGHT_TURN:
            return "turned"
        straight = self.best.get("straight")
        usual = _USUAL_NOD if straight is None else straight.looks.nod
        return "nodded" if straight is not None and abs(looks.nod - usual) > MAX_STRAIGHT_NOD else "straight"
