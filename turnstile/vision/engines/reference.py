"""The reference engine: the `face_recognition` library as it comes, on dlib."""

import functools
import math
import time
import warnings
from collections.abc import Sequence

import numpy as np

from turnstile.counts import counted
from turnstile.errors import ModelError
from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import MAX_FACES, Box, Hint
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.search import missed_faces, the_one_face
from turnstile.vision.encode.crowd import FaceReader
from turnstile.vision.encode.landmarks import Landmarks, pose_of
from turnstile.vision.encode.looks import looks_of
from turnstile.vision.engines.engine import Analysis, EncodedFace, EngineDescription
from turnstile.vision.pictures import biggest_first, checked, decode_frame, sharpness

with warnings.catch_warnings():
    # face_recognition_models 0.3.0 finds its files with pkg_resources, which says it is deprecated
    warnings.simplefilter("ignore")
    try:
        import face_recognition
    except SystemExit as missing:  # face_recognition calls quit() when its models are not installed
        raise ModelError(
            "face_recognition_models is not installed, or setuptools is 81 or newer; run `make setup`"
        ) from missing

HOG_FACE_PX = 80
"""The smallest face dlib's HOG detector finds: it was trained on windows of 80 pixels."""

MAX_UPSAMPLED_PX = 1000
"""A longer side is not searched at four times its size: that takes many seconds, and 100 MB and more."""

LANDMARKS = "small"
"""dlib's 5-point model; the 68-point one excludes commercial use (dlib-models README)."""


class ReferenceEngine:
    """Finds faces by HOG and encodes them as `face_recognition` does: 5 points, 128 numbers, not scaled.

    It scans every frame in full: hints change only which faces are encoded.
    """

    def __init__(self, recognition: RecognitionSettings) -> None:
        self._upsamplings = max(0, math.ceil(math.log2(HOG_FACE_PX / recognition.min_face_px)))
        self._reader = FaceReader(encode=self._encode_with_turns, budget_s=recognition.encode_budget_ms / 1e3)
        self._min_enrol_face_px = recognition.min_enrol_face_px
        blank = np.zeros((160, 160, 3), np.uint8)
        face_recognition.face_locations(blank)
        face_recognition.face_encodings(blank, [(20, 140, 140, 20)], model=LANDMARKS)

    @property
    def description(self) -> EngineDescription:
        """Return what this engine runs on."""
        return EngineDescription(
            encoding="dlib-resnet-v1/raw",
            detector=f"dlib HOG, upsampled {counted(self._upsamplings, 'time')}",
            runtime=f"dlib {face_recognition.api.dlib.__version__}",
        )

    def analyse(self, jpeg: bytes, *, hint: Hint | None = None) -> Analysis:
        """Return the faces of a frame.

        Raises:
            PictureError: the JPEG cannot be decoded.
        """
        started = time.perf_counter()
        frame = decode_frame(checked(jpeg))
        decoded = time.perf_counter()
        boxes = self._find(frame, upsamplings=self._upsamplings)[:MAX_FACES]
        detected = time.perf_counter()
        read = self._reader.read(frame, boxes, hint)
        encoded = time.perf_counter()
        return Analysis(
            boxes_px=tuple(boxes),
            encodings=read.encodings,
            turns=read.turns,
            encoded=read.encoded,
            left_out=len(read.wanted) - len(read.encoded),
            sharpness=tuple(
                sharpness(frame, box) if at in read.wanted else 0.0 for at, box in enumerate(boxes)
            ),
            decode_ms=(decoded - started) * 1e3,
            detect_ms=(detected - decoded) * 1e3,
            encode_ms=(encoded - detected) * 1e3,
            picture_rgb=frame,
        )

    def enrol(self, picture_rgb: PictureRgb) -> EncodedFace:
        """Return the encoding of the one face in an enrolment picture, and what it looks like.

        Raises:
            PictureError: there is no face, more than one, or it is too small; the text says which.
        """
        boxes: Sequence[Box] = self._find(picture_rgb, upsamplings=0) or self._find(
            picture_rgb, upsamplings=1
        )
        boxes = boxes or missed_faces(
            picture_rgb,
            find=lambda turned: self._find(turned, upsamplings=0),
            find_small=self._small_faces,
        )
        face = the_one_face(boxes, picture_rgb, min_face_px=self._min_enrol_face_px)
        encoding = self._encode(picture_rgb, [face])
        return EncodedFace(encoding, looks_of(picture_rgb, face, self._landmarks, encoding))

    @functools.cached_property
    def _landmarks(self) -> Landmarks:
        """Return the model for poses: `face_recognition` keeps what it finds to itself."""
        return Landmarks()

    def _small_faces(self, picture_rgb: PictureRgb) -> Sequence[Box]:
        large = max(picture_rgb.shape[:2]) > MAX_UPSAMPLED_PX
        return () if large else self._find(picture_rgb, upsamplings=2)

    def _find(self, picture_rgb: PictureRgb, *, upsamplings: int) -> list[Box]:
        """Return the boxes of faces, clipped to the picture, biggest first."""
        found = face_recognition.face_locations(picture_rgb, number_of_times_to_upsample=upsamplings)
        boxes = [Box(left=left, top=top, right=right, bottom=bottom) for top, right, bottom, left in found]
        return [boxes[index] for index in biggest_first(boxes)]

    def _encode_with_turns(
        self, picture_rgb: PictureRgb, boxes: Sequence[Box]
    ) -> tuple[Encodings, tuple[float, ...]]:
        turns = tuple(pose_of(self._landmarks.points(picture_rgb, box)).turn for box in boxes)
        return self._encode(picture_rgb, boxes), turns

    def _encode(self, picture_rgb: PictureRgb, boxes: Sequence[Box]) -> Encodings:
        if not boxes:
            return np.empty((0, 128), np.float32)
        places = [(box.top, box.right, box.bottom, box.left) for box in boxes]
        encodings = face_recognition.face_encodings(picture_rgb, places, model=LANDMARKS)
        return np.asarray(encodings, np.float32).reshape(len(boxes), 128)
