"""Which detector searches a recognizer's frames, and which its enrolment pictures."""

import functools
import json
import time

import numpy as np

from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.detect.blazeface import BlazeFaceDetector
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import SMALLEST_FACE_PX, Detector
from turnstile.vision.models import blazeface_file, cache, runtime
from turnstile.vision.models.precision import Choice
from turnstile.vision.models.runtime import PrecisionName

TRIALS = 5
TRIAL_PX = (480, 640)
"""Height and width of the picture that detectors are timed on."""


class Detectors:
    """What a site file asks for. All of them show the convolutional detector what they doubt."""

    def __init__(self, recognition: RecognitionSettings, choice: Choice) -> None:
        self._recognition = recognition
        self._choice = choice
        self._network = functools.cache(lambda precision: cache.detector(precision=precision))

    def for_frames(self) -> Detector:
        """Return the detector for frames; ``auto`` is the faster one of those that find no fewer faces.

        Raises:
            ModelError: the site file names BlazeFace and its network is not installed.
        """
        face_px = self._recognition.min_face_px
        match self._recognition.detector:
            case "cnn":
                return self._by_network(face_px)
            case "blazeface":
                return self._blazeface(face_px)
            case "auto" if blazeface_file.is_installed():
                return self._faster(self._blazeface(face_px), self._hog(face_px))
            case _:
                return self._hog(face_px)

    def for_pictures(self) -> Detector:
        """Return the detector for enrolment pictures: HOG, unless the site file asks for the network."""
        face_px = self._recognition.min_enrol_face_px
        exact = self._cnn(face_px, precision="float32")
        if self._recognition.detector == "cnn":
            return exact
        return HogDetector(min_face_px=face_px, second_look=exact)

    def for_small_faces(self) -> Detector:
        """Return what finds faces that are too small to enrol.

        It is HOG, as the network takes many seconds for a large picture.
        """
        exact = self._cnn(SMALLEST_FACE_PX, precision="float32")
        return HogDetector(min_face_px=SMALLEST_FACE_PX, second_look=exact)

    def _cnn(self, min_face_px: int, *, precision: PrecisionName) -> CnnDetector:
        return CnnDetector(
            self._network(precision),
            cache.detector_windows(),
            min_face_px=min_face_px,
            min_score=self._recognition.min_detection_score,
        )

    def _by_network(self, min_face_px: int) -> CnnDetector:
        return self._cnn(min_face_px, precision=self._choice.precision)

    def _hog(self, min_face_px: int) -> HogDetector:
        return HogDetector(min_face_px=min_face_px, second_look=self._by_network(min_face_px))

    def _blazeface(self, min_face_px: int) -> BlazeFaceDetector:
        second_look, precision = self._by_network(min_face_px), self._choice.not_quantized
        return BlazeFaceDetector(min_face_px=min_face_px, second_look=second_look, precision=precision)

    def _faster(self, one: Detector, other: Detector) -> Detector:
        """Return the detector that takes less time on this machine, timed once and kept in the cache."""
        name = f"fastest-detector-{self._recognition.min_face_px}-{runtime.machine_key()}.json"
        times = json.loads(
            cache.kept_or_made(name, lambda: json.dumps([_time_s(one), _time_s(other)]).encode())
        )
        return one if times[0] <= times[1] else other


def _time_s(detector: Detector) -> float:
    """Return the processor time of a scan, of the fastest trial: other processes only make it longer."""
    picture = np.full((*TRIAL_PX, 3), 90, np.uint8)
    took_s = []
    for _ in range(TRIALS):
        started_s = time.process_time()
        detector.scan(picture)
        took_s.append(time.process_time() - started_s)
    return min(took_s)
