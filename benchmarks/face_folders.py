"""Folders of pictures of people, and every chip of every face in them encoded once.

LFW is laid out as `NAME/NAME_0001.jpg` with a `pairs.csv` of image1, image2, same; any other folder holds one
picture a person.
"""

import csv
import functools
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.encode.encoder import POLICIES, Encoder, Policy
from turnstile.vision.encode.landmarks import Chips, Landmarks
from turnstile.vision.models import cache, precision
from turnstile.vision.models.runtime import PrecisionName

ALL_CHIPS = POLICIES["everything68"]
MIN_FACE_PX = 60
MIN_SCORE = 0.3
LONG_SIDE_PX = 1000

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Faces:
    """The faces of many pictures."""

    people: tuple[str, ...]
    """Who is in each picture."""
    chips: Mapping[PrecisionName, Floats]
    """float32 `(pictures, 8, 128)`: the network's output for each chip: paddings 0.20, 0.25, 0.30 and the
    68-point one, then their mirror images."""
    undetected: int
    """In so many pictures no face was found and the middle of the picture was taken for one."""

    def encode(self, policy: Policy, precision: PrecisionName = "float32") -> Floats:
        """Return float32 `(pictures, 128)`: what the policy makes of each face."""
        chips = self.chips[precision]
        at = [ALL_CHIPS.paddings.index(padding) for padding in policy.paddings]
        at += [len(ALL_CHIPS.paddings)] * len(policy.paddings_68)
        half = chips.shape[1] // 2
        chosen = [*at, *(half + index for index in at)] if policy.mirrored else at
        means = chips[:, chosen].mean(axis=1)
        if policy.unit_length:
            means /= np.linalg.norm(means, axis=1, keepdims=True)
        return np.asarray(means, np.float32)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Rows of `Faces` to compare."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    same: npt.NDArray[np.bool_]


def load_pairs(folder: Path, *, limit: int | None) -> tuple[list[Path], Pairs]:
    """Return the pictures of a folder's `pairs.csv` and their pairs, every n-th one if there are too many."""
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // limit)] if limit else rows
    names = sorted({row[column] for row in rows for column in ("image1", "image2")})
    index = {name: at for at, name in enumerate(names)}
    pairs = Pairs(
        first=np.array([index[row["image1"]] for row in rows], np.intp),
        second=np.array([index[row["image2"]] for row in rows], np.intp),
        same=np.array([row["same"] == "1" for row in rows]),
    )
    return [folder / name for name in names], pairs


def calibration_people(folder: Path) -> list[Path]:
    """Return the folders of the people whose faces set the activation ranges: each eleventh."""
    return sorted(path for path in folder.iterdir() if path.is_dir())[::11]


def chips_of(file: Path) -> Chips:
    """Return the chip of a picture's face as the network was trained on them, and its mirror image."""
    detector, _ = _tools()
    picture = picture_of(file)
    box, _ = _face_in_the_middle(detector, picture)
    (chips,), _ = Landmarks().chips(picture, [box], paddings=(0.25,))
    return np.concatenate([chips, chips[:, :, ::-1]])


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures that lie in a folder."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})


def encode_all(files: Sequence[Path], people: Sequence[str]) -> Faces:
    """Return the faces of pictures, every chip encoded in each precision of this machine.

    It takes about 130 ms a picture and core.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count()) as pool:
        rows = pool.map(_encode_file, files, chunksize=16)
    return Faces(
        people=tuple(people),
        chips={name: np.stack([chips[name] for chips, _ in rows]) for name in rows[0][0]},
        undetected=sum(not found for _, found in rows),
    )


def face_in(file: Path) -> tuple[PictureRgb, Box]:
    """Return a picture, and the face nearest to its middle."""
    picture = picture_of(file)
    return picture, _face_in_the_middle(_tools()[0], picture)[0]


@functools.cache
def _tools() -> tuple[HogDetector, Mapping[PrecisionName, Encoder]]:
    """Return one process's detector, and encoders that leave each chip's output as it is."""
    cnn = CnnDetector(
        cache.detector(),
        cache.detector_windows(),
        min_face_px=MIN_FACE_PX,
        min_score=MIN_SCORE,
    )
    encoders = {name: Encoder(network, ALL_CHIPS) for name, network in precision.networks().items()}
    return HogDetector(min_face_px=MIN_FACE_PX, second_look=cnn), encoders


def _encode_file(file: Path) -> tuple[Mapping[PrecisionName, Floats], bool]:
    detector, encoders = _tools()
    picture = picture_of(file)
    box, found = _face_in_the_middle(detector, picture)
    return {name: encoder.encode_each_chip(picture, box) for name, encoder in encoders.items()}, found


def picture_of(file: Path) -> PictureRgb:
    """Return a picture at a sane size; some of LFW's lack their last bytes and are taken as they are."""
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise SystemExit(f"{file} is not a picture")
    scale = min(1.0, LONG_SIDE_PX / max(picture.shape[:2]))
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _face_in_the_middle(detector: HogDetector, picture: PictureRgb) -> tuple[Box, bool]:
    """Return the face nearest to the middle, or where LFW's alignment puts faces if none is found."""
    height, width = picture.shape[:2]
    found = [face.box_px for face in detector.scan(picture)]
    if not found:
        side = round(0.36 * width)
        left, top = (width - side) // 2, (height - side) // 2
        return Box(left=left, top=top, right=left + side, bottom=top + side), False
    return min(found, key=lambda box: _distance_from(width / 2, height / 2, box)), True


def _distance_from(x: float, y: float, box: Box) -> float:
    return abs(box.left + box.right - 2 * x) + abs(box.top + box.bottom - 2 * y)
