"""Which detector searches a recognizer's frames, and which its enrolment pictures."""

import json
import time

import numpy as np

from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.detect.blazeface import BlazeFaceDetector
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import Detector
from turnstile.vision.models import blazeface_file, cache, runtime
from turnstile.vision.models.runtime import PrecisionName

TRIALS = 5
TRIAL_PX = (480, 640)
"""Height and width of the picture that detectors are timed on."""


class Detectors:
    """What a site file asks for. All of them show the convolutional detector what they doubt."""

    def __init__(self, recognition: RecognitionSettings) -> None:
        self._recognition = recognition
        self._network = cache.detector()

    def for_frames(self) -> Detector:
        """Return the detector for frames; ``auto`` is the faster one of those that find no fewer faces.

        Raises:
            ModelError: the site file names BlazeFace and its network is not installed.
        """
        face_px = self._recognition.min_face_px
        match self._recognition.detector:
            case "cnn":
                return self.cnn(face_px)
            case "blazeface":
                return self._blazeface(face_px)
            case "auto" if blazeface_file.is_installed():
                return self._faster(self._blazeface(face_px), self._hog(face_px))
            case _:
                return self._hog(face_px)

    def for_pictures(self) -> Detector:
        """Return the detector for enrolment pictures: HOG, unless the site file asks for the network."""
        face_px = self._recognition.min_enrol_face_px
        return self.cnn(face_px) if self._recognition.detector == "cnn" else self._hog(face_px)

    def cnn(self, min_face_px: int) -> CnnDetector:
        """Return the convolutional detector."""
        return CnnDetector(
            self._network,
            cache.detector_windows(),
            min_face_px=min_face_px,
            min_score=self._recognition.min_detection_score,
        )

    def _hog(self, min_face_px: int) -> HogDetector:
        return HogDetector(min_face_px=min_face_px, second_look=self.cnn(min_face_px))

    def _blazeface(self, min_face_px: int) -> BlazeFaceDetector:
        precision: PrecisionName = "bfloat16" if self._recognition.precision == "bfloat16" else "float32"
        return BlazeFaceDetector(
            min_face_px=min_face_px, second_look=self.cnn(min_face_px), precision=precision
        )

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
