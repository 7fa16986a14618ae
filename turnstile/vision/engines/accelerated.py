"""The accelerated engine: dlib's own networks on a model runtime, and a search near hinted faces."""

import functools
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from turnstile.people.encodings import ENCODING_SIZE
from turnstile.protocol.fields import MAX_FACES, Box, Hint
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.blazeface import BlazeFaceDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import (
    Detection,
    Detector,
    Sighting,
    find,
    in_full,
    missed_faces,
    the_one_face,
)
from turnstile.vision.encode.crowd import FaceReader
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.encode.looks import looks_of
from turnstile.vision.engines.detectors import Detectors
from turnstile.vision.engines.engine import Analysis, EncodedFace, EngineDescription
from turnstile.vision.models import cache, precision
from turnstile.vision.pictures import CheckedJpeg, checked, decode_frame, decode_frame_grey, sharpness

TwoStage = HogDetector | BlazeFaceDetector
"""What first scans a frame that may be decoded smaller, and then looks again at what it found."""


class _Glance(NamedTuple):
    """Where a coarse scan saw possible faces, and its times; `None` without a scan."""

    places: list[Detection] | None = None
    decode_ms: float = 0.0
    detect_ms: float = 0.0


class AcceleratedEngine:
    """Finds faces near hinted boxes first, and encodes as many faces of a frame as there is time for."""

    def __init__(self, recognition: RecognitionSettings) -> None:
        self._recognition = recognition
        policy = POLICIES[recognition.frame_policy]
        choice = precision.choose(recognition.precision, batch=policy.chips)
        encoder = cache.encoder(precision=choice.precision, batch=policy.chips)
        self._detectors = Detectors(recognition, choice)
        self._runtime = f"{encoder.description}, {choice.reason}"
        self._reader = FaceReader(
            encode=Encoder(encoder, policy).encode_with_turns, budget_s=recognition.encode_budget_ms / 1e3
        )
        self.detector = self._detectors.for_frames()
        self._warm_up()

    def _warm_up(self) -> None:
        blank = np.zeros((480, 640, 3), np.uint8)
        self.detector.scan(blank)
        self._reader.read(blank, [Box(left=20, top=20, right=140, bottom=140)], None)

    @property
    def description(self) -> EngineDescription:
        """Return what this engine runs on."""
        return EngineDescription(
            encoding=self._recognition.encoding,
            detector=self.detector.description,
            runtime=self._runtime,
        )

    def analyse(self, jpeg: bytes, *, hint: Hint | None = None) -> Analysis:
        """Return the faces of a frame.

        Raises:
            PictureError: the JPEG cannot be decoded.
        """
        checked_jpeg = checked(jpeg)
        glance = self._glance(checked_jpeg) if hint is None else _Glance()
        if glance.places == []:
            none = np.empty((0, ENCODING_SIZE), np.float32)
            return Analysis(
                boxes_px=(),
                encodings=none,
                turns=(),
                sharpness=(),
                decode_ms=glance.decode_ms,
                detect_ms=glance.detect_ms,
            )
        started = time.perf_counter()
        frame = decode_frame(checked_jpeg)
        decoded = time.perf_counter()
        sighting = self._find(frame, hint, glance)
        boxes = sighting.boxes_px[:MAX_FACES]
        detected = time.perf_counter()
        read = self._reader.read(frame, boxes, hint)
        encoded = time.perf_counter()
        return Analysis(
            boxes_px=boxes,
            encodings=read.encodings,
            turns=read.turns,
            encoded=read.encoded,
            left_out=len(read.wanted) - len(read.encoded),
            sharpness=tuple(
                sharpness(frame, box) if at in read.wanted else 0.0 for at, box in enumerate(boxes)
            ),
            decode_ms=glance.decode_ms + (decoded - started) * 1e3,
            detect_ms=glance.detect_ms + (detected - decoded) * 1e3,
            encode_ms=(encoded - detected) * 1e3,
            full_scan=sighting.full_scan,
            picture_rgb=frame,
        )

    def _glance(self, jpeg: CheckedJpeg) -> _Glance:
        """Search a frame decoded no larger than that needs, as probably nobody is in it."""
        detector = self.detector
        if not isinstance(detector, TwoStage) or detector.reduction == 1:
            return _Glance()
        started = time.perf_counter()
        decode = decode_frame_grey if isinstance(detector, HogDetector) else decode_frame
        small = decode(jpeg, reduced=detector.reduction)
        decoded = time.perf_counter()
        places = detector.coarse(small, reduced=detector.reduction)
        detected = time.perf_counter()
        return _Glance(places, (decoded - started) * 1e3, (detected - decoded) * 1e3)

    def _find(self, frame: PictureRgb, hint: Hint | None, glance: _Glance) -> Sighting:
        if glance.places is not None and isinstance(self.detector, TwoStage):
            return in_full(self.detector.settle(frame, glance.places))
        return find(self.detector, frame, hint, full_scan_every=self._recognition.full_scan_every)

    def enrol(self, picture_rgb: PictureRgb) -> EncodedFace:
        """Return the encoding of the one face in an enrolment picture, and what it looks like.

        Raises:
            PictureError: there is no face, more than one, or it is too small; the text says which.
        """
        boxes = self._faces_to_enrol(picture_rgb) or missed_faces(
            picture_rgb, find=self._faces_to_enrol, find_small=self._small_faces
        )
        face = the_one_face(boxes, picture_rgb, min_face_px=self._recognition.min_enrol_face_px)
        encoding, chips = self._pictures.encode_with_chips(picture_rgb, face)
        return EncodedFace(encoding, looks_of(picture_rgb, face, self._pictures.landmarks, chips))

    @functools.cached_property
    def _pictures(self) -> Encoder:
        """Return the encoder in float32, which a recognizer that never gets a picture does without."""
        return Encoder(cache.encoder(), POLICIES[self._recognition.picture_policy])

    @functools.cached_property
    def _enrol_detector(self) -> Detector:
        return self._detectors.for_pictures()

    def _faces_to_enrol(self, picture_rgb: PictureRgb) -> Sequence[Box]:
        return find(self._enrol_detector, picture_rgb, None, full_scan_every=1).boxes_px

    def _small_faces(self, picture_rgb: PictureRgb) -> Sequence[Box]:
        return find(self._detectors.for_small_faces(), picture_rgb, None, full_scan_every=1).boxes_px
