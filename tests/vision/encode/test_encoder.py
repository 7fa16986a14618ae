"""The encoder, against dlib itself."""

from pathlib import Path

import dlib
import face_recognition
import numpy as np
import pytest

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.models import cache
from turnstile.vision.models.runtime import Network
from turnstile.vision.pictures import decode_enrolment


@pytest.fixture(scope="module")
def network() -> Network:
    """Return the encoder's network in float32."""
    return cache.encoder()


def face_boxes(picture: PictureRgb) -> list[Box]:
    """Return the faces that face_recognition finds."""
    found = face_recognition.face_locations(picture)
    return [Box(left=left, top=top, right=right, bottom=bottom) for top, right, bottom, left in found]


def test_encodings_of_all_sample_faces_equal_dlibs(network: Network, faces: Path) -> None:
    """The largest difference of any component is at most 1e-5."""
    encoder = Encoder(network, POLICIES["raw"])
    compared = 0
    for file in sorted(faces.glob("*.jpg")):
        picture = decode_enrolment(file.read_bytes())
        boxes = face_boxes(picture)
        ours = encoder.encode(picture, boxes)
        places = [(box.top, box.right, box.bottom, box.left) for box in boxes]
        theirs = face_recognition.face_encodings(picture, places, model="small")
        assert ours.dtype == np.float32
        assert np.abs(ours - np.asarray(theirs).reshape(-1, 128)).max(initial=0) <= 1e-5
        compared += len(boxes)
    assert compared >= 4


def test_a_batch_gives_what_single_chips_give(network: Network) -> None:
    """Faces of one frame do not touch each other, in batches of every size."""
    random = np.random.default_rng(1)
    chips = random.integers(0, 256, (35, 150, 150, 3)).astype(np.uint8)
    encoder = Encoder(network, POLICIES["raw"])
    together = encoder.encode_chips(chips)
    alone = np.concatenate([encoder.encode_chips(chips[index : index + 1]) for index in range(35)])
    assert together.shape == (35, 128)
    assert np.abs(together - alone).max() <= 1e-5


def test_no_faces_give_no_rows(network: Network, obama: PictureRgb) -> None:
    """A frame without faces costs nothing and has an empty matrix."""
    for policy in POLICIES.values():
        encoder = Encoder(network, policy)
        assert encoder.encode(obama, []).shape == (0, 128)
        assert encoder.encode_chips(np.empty((0, 150, 150, 3), np.uint8)).shape == (0, 128)


def test_the_mirror_policy_is_the_mean_of_a_chip_and_its_mirror_image(
    network: Network, obama: PictureRgb
) -> None:
    """Scaled to unit length; so a mirrored picture of a face has nearly the same encoding."""
    (box,) = face_boxes(obama)
    mirror = Encoder(network, POLICIES["mirror"]).encode(obama, [box])
    points = dlib.shape_predictor(str(cache.model_file(cache.LANDMARKS_5_FILE)))(
        obama, dlib.rectangle(box.left, box.top, box.right, box.bottom)
    )
    chip = dlib.get_face_chip(obama, points, size=150, padding=0.25)
    raw = Encoder(network, POLICIES["raw"])
    mean = raw.encode_chips(np.stack([chip, chip[:, ::-1]])).mean(axis=0)
    assert np.abs(mirror[0] - mean / np.linalg.norm(mean)).max() <= 1e-5


@pytest.mark.parametrize("name", [name for name, policy in POLICIES.items() if policy.unit_length])
def test_encodings_have_unit_length(network: Network, obama: PictureRgb, name: str) -> None:
    """Distances of such policies are between 0 and 2."""
    encodings = Encoder(network, POLICIES[name]).encode(obama, face_boxes(obama))
    assert np.linalg.norm(encodings, axis=1) == pytest.approx(1, abs=1e-5)
