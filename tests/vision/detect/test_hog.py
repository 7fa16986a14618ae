"""The HOG detector in the cache: dlib's own, to the last digit."""

import cv2
import dlib
import numpy as np

from turnstile.commands.demo import samples
from turnstile.vision.detect import hog


def test_the_detector_from_the_cache_finds_what_dlibs_own_does() -> None:
    """The same boxes with the same scores, those far below the threshold too."""
    picture = cv2.imread(str(samples.folder() / "obama2.jpg"), cv2.IMREAD_GRAYSCALE)
    grey = np.asarray(picture, np.uint8)
    own = dlib.get_frontal_face_detector().run(grey, 0, -1.0)
    kept = hog.frontal_face_detector().run(grey, 0, -1.0)
    assert [str(box) for box in kept[0]] == [str(box) for box in own[0]]
    assert list(kept[1]) == list(own[1])
    assert len(own[0]) >= 1
