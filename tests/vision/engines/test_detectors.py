"""The detector that a site file asks for, and the one that `auto` chooses on this machine."""

import json
from pathlib import Path
from typing import Literal

import pytest

from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.engines.detectors import Detectors
from turnstile.vision.models.precision import Choice

EXACT = Choice(precision="float32", processor="any", chip_ms={})


@pytest.mark.parametrize("named", ["blazeface", "hog", "cnn"])
def test_a_detector_that_is_named_is_taken(named: Literal["blazeface", "hog", "cnn"]) -> None:
    """Enrolment pictures are searched by the network only where it is named, else by HOG."""
    detectors = Detectors(RecognitionSettings(detector=named), EXACT)
    assert detectors.for_frames().description.startswith(named)
    assert detectors.for_pictures().description.startswith("cnn" if named == "cnn" else "hog")


def test_auto_is_the_faster_one_and_is_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache keeps both times; another start does not measure again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    chosen = Detectors(RecognitionSettings(), EXACT).for_frames().description
    (kept,) = (tmp_path / "turnstile").glob("fastest-detector-*")
    contents = kept.read_bytes()
    blazeface_s, hog_s = json.loads(contents[32:])
    assert chosen.startswith("blazeface" if blazeface_s <= hog_s else "hog")
    assert Detectors(RecognitionSettings(), EXACT).for_frames().description == chosen
    assert kept.read_bytes() == contents
