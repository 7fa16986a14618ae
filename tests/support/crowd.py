"""People before a made-up camera: faces with encodings, and a door that folds their results."""

import msgspec
import numpy as np

from tests.support.builders import START_NS, a_face, a_result, some_encodings
from turnstile.access.door import Door
from turnstile.access.verdicts import Decision, Objection, nobody_objects
from turnstile.access.visits import fold
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

STEP_NS = 100_000_000
"""Time between two results at 10 a second."""

ANN, BOB, EVE = "Ann Lee", "Bob Ray", None
"""Two who are enrolled, and a stranger."""

_BODIES: dict[str | None, int] = {ANN: 1, BOB: 2, EVE: 3}

SETTINGS = DecisionSettings(min_face_px=40, min_sharpness=20)


def seen(
    person: str | None,
    *,
    as_person: str | None = "",
    distance: float = 0.2,
    margin: float = 0.3,
    left: int = 100,
    size: int = 60,
    sharpness: float = 100.0,
    blur: float = 0.05,
    take: int = 0,
    turn: float | None = None,
) -> Face:
    """Return a face of somebody.

    Args:
        person: whose encoding it has.
        as_person: whom the recognizer takes it for; the person's own name unless given.
        distance: to that one, or to the nearest enrolled person for a stranger.
        margin: to the second.
        left: where it is.
        size: of its box.
        sharpness: of its pixels.
        blur: how far its encoding is from the person's own.
        take: another frame has another encoding.
        turn: of the head, if the recognizer measures it.
    """
    named = person if as_person == "" else as_person
    face = a_face(named or ANN, distance=distance if named else distance + 0.5, left=left, size=size)
    assert face.distance is not None
    return msgspec.structs.replace(
        face,
        second_distance=face.distance + margin,
        sharpness=sharpness,
        encoding=encoding_of(person, blur=blur, take=take),
        turn=turn,
    )


def encoding_of(person: str | None, *, blur: float = 0.05, take: int = 0) -> bytes:
    """Return an encoding `blur` away from the person's own, in a direction that depends on `take`."""
    own = some_encodings(1, seed=_BODIES[person])[0]
    away = some_encodings(1, seed=1000 + take)[0]
    return np.asarray(own + blur * away, np.float32).tobytes()


class Doorway:
    """A camera whose results come ten times a second unless a test says otherwise."""

    def __init__(
        self,
        settings: DecisionSettings = SETTINGS,
        *,
        objection: Objection = nobody_objects,
    ) -> None:
        self.settings, self.objection = settings, objection
        self.door = Door()
        self.decisions: list[Decision] = []
        self.too_short = self.joined = 0
        """Visits that were considered and not decided."""
        self.seq = 0
        self.now_ns = START_NS
        self.set_by_s = 0.0
        """How far the camera's clock is from the one that runs."""

    def see(self, *faces: Face, times: int = 1, after_s: float = 0.1, age_s: float = 0.1) -> list[Decision]:
        """Fold `times` results that show these faces; return the decisions."""
        decided: list[Decision] = []
        for _ in range(times):
            self.seq += 1
            self.now_ns += round(after_s * 1e9)
            decided += self.take(*faces, seq=self.seq, came_ns=self.now_ns, age_s=age_s)
        return decided

    def take(self, *faces: Face, seq: int, came_ns: int, age_s: float = 0.1) -> list[Decision]:
        """Fold one result of a frame of any time."""
        result = a_result(*faces, seq=seq, captured_ns=max(0, came_ns + round(self.set_by_s * 1e9)))
        self.door, decided, too_short, joined = fold(
            self.door, result, self.settings, came_ns=came_ns, age_s=age_s, objection=self.objection
        )
        self.too_short += too_short
        self.joined += joined
        self.decisions += decided
        return decided

    @property
    def verdicts(self) -> list[tuple[str, str | None]]:
        """Return all verdicts so far, with the person."""
        return [(one.conclusion.verdict, one.conclusion.person) for one in self.decisions]

    @property
    def reasons(self) -> list[Reason]:
        """Return all reasons so far."""
        return [one.conclusion.reason for one in self.decisions]
