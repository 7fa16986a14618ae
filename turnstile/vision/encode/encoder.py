"""From faces to encodings, by one of several named policies.

The network was trained on one chip a face. The mean over the face's mirror image and several cut-outs costs
time and separates people better. Scaling to unit length costs nothing. `python -m benchmarks.accuracy`
measures each policy; docs/decisions/0008-encoding-policies.md has the figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from turnstile.people.encodings import ENCODING_SIZE, Encodings
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.landmarks import Chips, Landmarks, Points, pose_of
from turnstile.vision.models import cache
from turnstile.vision.models.runtime import Network

BATCH = 16
"""Chips in one run of a network that takes any number. It bounds memory; larger ones gain nothing."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Which chips of a face are encoded, and whether their mean is scaled."""

    paddings: tuple[float, ...] = (0.25,)
    paddings_68: tuple[float, ...] = ()
    """Chips aligned by the 68-point model, whose training data exclude commercial use (dlib-models
    README)."""
    mirrored: bool = True
    unit_length: bool = True

    @property
    def chips(self) -> int:
        """Return how many chips a face becomes."""
        return (len(self.paddings) + len(self.paddings_68)) * (2 if self.mirrored else 1)


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "raw": Policy(mirrored=False, unit_length=False),
        "unit": Policy(mirrored=False),
        "mirror": Policy(),
        "paddings": Policy(paddings=(0.20, 0.25, 0.30)),
        "points68": Policy(paddings_68=(0.25,)),
        "everything68": Policy(paddings=(0.20, 0.25, 0.30), paddings_68=(0.25,)),
    }
)


class Encoder:
    """Encodes the faces of a picture by one policy, all in one batch."""

    def __init__(self, network: Network, policy: Policy) -> None:
        self._network = network
        self._policy = policy
        self.landmarks = Landmarks()
        self._landmarks_68 = Landmarks(cache.LANDMARKS_68_FILE) if policy.paddings_68 else None

    def encode(self, picture_rgb: PictureRgb, boxes_px: Sequence[Box]) -> Encodings:
        """Return one row a box: float32 `(n, 128)`."""
        return self.encode_with_turns(picture_rgb, boxes_px)[0]

    def encode_with_turns(
        self, picture_rgb: PictureRgb, boxes_px: Sequence[Box]
    ) -> tuple[Encodings, tuple[float, ...]]:
        """Return one row a box, float32 `(n, 128)`, and how far each head is turned (`Looks.turn`)."""
        if not boxes_px:
            return np.empty((0, ENCODING_SIZE), np.float32), ()
        chips, points = self._chips(picture_rgb, boxes_px)
        return self.encode_chips(chips), tuple(pose_of(one).turn for one in points)

    def encode_with_chips(self, picture_rgb: PictureRgb, box_px: Box) -> tuple[Encodings, Encodings]:
        """Return the row of one face, and the network's own output for each of its chips."""
        each = self.encode_each_chip(picture_rgb, box_px)
        return self._mean(each), each

    def encode_chips(self, chips: Chips) -> Encodings:
        """Return one row for each face; the chips of a face follow one another."""
        return self._mean(self._run(chips))

    def _mean(self, each: Encodings) -> Encodings:
        means = each.reshape(-1, self._policy.chips, ENCODING_SIZE).mean(axis=1)
        if self._policy.unit_length:
            means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.ascontiguousarray(means, np.float32)

    def encode_each_chip(self, picture_rgb: PictureRgb, box_px: Box) -> Encodings:
        """Return the network's own output for each chip of a face, to compare policies."""
        return self._run(self._chips(picture_rgb, [box_px])[0])

    def _run(self, chips: Chips) -> Encodings:
        size = self._network.batch or BATCH
        batches = [self._network.run(chips[at : at + size])[0] for at in range(0, len(chips), size)]
        return np.concatenate([np.empty((0, ENCODING_SIZE), np.float32), *batches])

    def _chips(self, picture_rgb: PictureRgb, boxes_px: Sequence[Box]) -> tuple[Chips, tuple[Points, ...]]:
        """Return the chips of all faces, a face after the other, and the five points of each."""
        chips, points = self.landmarks.chips(picture_rgb, boxes_px, paddings=self._policy.paddings)
        if self._landmarks_68 is not None:
            more, _ = self._landmarks_68.chips(picture_rgb, boxes_px, paddings=self._policy.paddings_68)
            chips = np.concatenate([chips, more], axis=1)
        if self._policy.mirrored:
            chips = np.concatenate([chips, chips[:, :, :, ::-1]], axis=1)
        return chips.reshape(-1, *chips.shape[2:]), points
