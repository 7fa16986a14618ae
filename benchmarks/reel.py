"""A day at a door in small: empty scenes with noise and changing light, and people who come, stay and go.

People are cut from clips with known persons, or from the demo's stills, and stand before a made-up hall. What
changed in each frame is measured as a capture node does.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from turnstile.commands.demo import samples
from turnstile.commands.demo.clip import APPEARANCES
from turnstile.vision.change import Background, cells_of

FPS = 10
WIDTH_PX, HEIGHT_PX = 640, 480
STAY_S, WALK_S = 5.0, 0.5
"""How long somebody stands there, and walks in or out."""

LIGHT_EVERY_S, LIGHTS = 15.0, (1.0, 1.15, 0.85)
FLICKER, NOISE = 0.03, 4.0
CUT_PX = slice(120, 520)
FACE_PX = 90
CLIP_STEP = 3
ENROLLED_FRAMES = 3

Picture = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, blue first."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who comes to the door."""

    person: str | None
    """Whom the log should name; `None` if not enrolled."""
    cuttings: Sequence[Picture]
    """The person, frame by frame."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Who comes, and the pictures to enrol some of them by."""

    visitors: Sequence[Visitor]
    enrolled: dict[str, Picture]
    """File name → picture."""

    @property
    def names(self) -> set[str]:
        """Return who comes and is enrolled."""
        return {one.person for one in self.visitors if one.person is not None}


class Still(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a reel."""

    jpeg: bytes
    change: float | None


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """A visit in a reel, by numbers of frames."""

    person: str | None
    begin: int
    end: int


class Reel(msgspec.Struct, frozen=True, kw_only=True):
    """Frames to be shown again and again at `FPS`, and who is in them."""

    stills: tuple[Still, ...]
    visits: tuple[Appointment, ...]


def people_of(clips: Path | None) -> People:
    """Return the people of a folder of clips with its `labels.csv`, or those of the demo."""
    return _of_the_demo() if clips is None else _of_clips(clips)


def a_reel(people: People, *, in_view: float) -> Reel:
    """Return a reel in which each visitor comes once, and somebody is in view for a part of the time."""
    visit = round((STAY_S + 2 * WALK_S) * FPS)
    empty = round(visit * (1 - in_view) / in_view)
    chance, hall = np.random.default_rng(5), _hall()
    visits = [
        Appointment(person=one.person, begin=at * (visit + empty) + empty, end=(at + 1) * (visit + empty))
        for at, one in enumerate(people.visitors)
    ]
    grain = chance.normal(0, NOISE, (2 * HEIGHT_PX, WIDTH_PX)).astype(np.float32)

    def scene(at: int) -> Picture:
        which, within = divmod(at, visit + empty)
        shown = hall.copy()
        if within >= empty:
            _stand(shown, people.visitors[which].cuttings, within - empty, visit)
        light = LIGHTS[int(at / FPS / LIGHT_EVERY_S) % len(LIGHTS)] * (1 + FLICKER * np.sin(2.1 * at))
        begin = int(chance.integers(HEIGHT_PX))
        return _clipped(shown * light + grain[begin : begin + HEIGHT_PX, :, None])

    return Reel(stills=_filmed(scene, len(visits) * (visit + empty)), visits=tuple(visits))


def _filmed(scene: Callable[[int], Picture], frames: int) -> tuple[Still, ...]:
    """Return all scenes as a camera sends them that has seen them once before."""
    background = Background()
    stills: list[Still] = []
    for at in range(2 * frames):
        picture = scene(at % frames)
        change = background.change(cells_of(picture), at_s=at / FPS)
        if at >= frames:
            jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
            stills.append(Still(jpeg=jpeg, change=change))
    return tuple(stills)


def _stand(scene: npt.NDArray[np.float32], cuttings: Sequence[Picture], at: int, visit: int) -> None:
    """Put somebody into a scene: who walks in from the left, stands, and walks out again."""
    person = cuttings[min(at, 2 * len(cuttings) - 1 - at % (2 * len(cuttings))) % len(cuttings)]
    walk = round(WALK_S * FPS)
    outside = max(0.0, 1 - at / walk, 1 - (visit - 1 - at) / walk)
    left = round((WIDTH_PX - person.shape[1]) / 2 * (1 - outside) - person.shape[1] * outside)
    begin = max(0, left)
    seen = person[:, begin - left :]
    scene[HEIGHT_PX - person.shape[0] :, begin : begin + seen.shape[1]] = seen


def _hall() -> npt.NDArray[np.float32]:
    rough = np.random.default_rng(3).integers(0, 255, (HEIGHT_PX, WIDTH_PX)).astype(np.float32)
    soft = cv2.GaussianBlur(rough, (0, 0), 20)
    grey = 40 + 130 * (soft - soft.min()) / (soft.max() - soft.min())
    return np.repeat(np.asarray(grey, np.float32)[:, :, None], 3, axis=2)


def _clipped(values: npt.NDArray[np.float32]) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def _of_clips(folder: Path) -> People:
    """Return all people but the last as enrolled from their first clip, and a visitor for each other clip."""
    with (folder / "labels.csv").open(newline="") as file:
        labels = {row["clip"]: row["person"].lower() for row in csv.DictReader(file)}
    *known, _stranger = sorted(set(labels.values()))
    enrolled: dict[str, Picture] = {}
    visitors: list[Visitor] = []
    first: set[str] = set()
    for clip, person in sorted(labels.items()):
        frames = _frames(folder / clip)
        if person in known and person not in first:
            at = np.linspace(0, len(frames) - 1, ENROLLED_FRAMES + 2)[1:-1]
            enrolled |= {f"{person}_{number}.jpg": frames[int(one)] for number, one in enumerate(at, 1)}
            first.add(person)
            continue
        name = person.replace("_", " ").title() if person in known else None
        cuttings = [frame[:, CUT_PX] for frame in frames[::CLIP_STEP]]
        visitors.append(Visitor(person=name, cuttings=cuttings))
    return People(visitors=visitors, enrolled=enrolled)


def _of_the_demo() -> People:
    folder = samples.folder()
    enrolled = {"barack_obama.jpg": _picture(folder / "obama.jpg")}
    visitors = []
    for appearance in APPEARANCES:
        left, top, right, _ = appearance.face_px
        scale = FACE_PX / (right - left)
        whole = _picture(folder / appearance.still)
        person = np.asarray(cv2.resize(whole, None, fx=scale, fy=scale), np.uint8)
        middle, upper = round((left + right) / 2 * scale), max(0, round(top * scale) - FACE_PX // 2)
        cut = person[upper : upper + 3 * FACE_PX, max(0, middle - FACE_PX) : middle + FACE_PX]
        swaying = [np.roll(cut, shift, axis=1) for shift in (0, 1, 2, 1, 0, -1)]
        visitors.append(Visitor(person=appearance.person, cuttings=swaying))
    return People(visitors=visitors, enrolled=enrolled)


def _frames(path: Path) -> list[Picture]:
    clip = cv2.VideoCapture(str(path))
    frames: list[Picture] = []
    while (read := clip.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    clip.release()
    return frames


def _picture(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(path)
    return np.asarray(picture, np.uint8)
