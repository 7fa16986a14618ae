"""A machine on which OpenCV cannot be loaded is told what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnstile.vision.opencv import MAX_PICTURE_PX, explain, require_opencv


def check_with(fake_cv2: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the check of set-up where `import cv2` finds a module of this text."""
    (folder / "cv2.py").write_text(fake_cv2)
    return subprocess.run(
        [sys.executable, "-m", "turnstile.vision.opencv"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_opencv_loads_with_its_limit_on_pictures() -> None:
    """The limit is in place by the time pictures are decoded."""
    require_opencv()
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MAX_PICTURE_PX)


def test_a_bare_server_is_told_which_packages_to_install(tmp_path: Path) -> None:
    """A missing libGL ends in one line that names the command, not in a traceback."""
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    finished = check_with(f"raise ImportError({reason!r})\n", tmp_path)
    assert finished.returncode == 1
    assert "sudo apt-get install libgl1" in finished.stderr
    assert reason in finished.stderr
    assert "Traceback" not in finished.stderr


def test_another_major_version_is_refused(tmp_path: Path) -> None:
    """OpenCV 5 lacks the Haar cascades."""
    finished = check_with("__version__ = '5.0.0'\n", tmp_path)
    assert finished.returncode == 1
    assert "OpenCV 5.0.0 is installed" in finished.stderr


@pytest.mark.parametrize("reason", ["No module named 'cv2'", "numpy.core.multiarray failed to import"])
def test_a_broken_installation_is_told_to_set_up_again(reason: str) -> None:
    """What no system package mends, a new environment does."""
    assert reason in explain(reason)
    assert "apt-get" not in explain(reason)
    assert "make distclean setup" in explain(reason)
