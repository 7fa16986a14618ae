"""Whether OpenCV can be loaded, and what to install when it cannot.

The wheel brings its own Qt and FFmpeg but takes libGL, GLib and X11 from the system, and a bare server has
none of them. `python -m turnstile.vision.opencv` says so at set-up, before a node ends in a traceback.
"""

import os
import sys

from turnstile.errors import SetupError

MAX_PICTURE_PX = 100_000_000
"""Largest picture that OpenCV decodes; its own limit of 2**30 pixels would take 3 GiB."""

SYSTEM_PACKAGES = "libgl1 libglib2.0-0 libsm6 libxext6"
"""Debian's and Ubuntu's names for what the wheel needs of the system, windows included."""

MAJOR = 4
"""OpenCV 5 keeps the Haar cascades in another package."""


def require_opencv() -> None:
    """Load OpenCV with its limit on picture sizes, which it reads only when it is loaded.

    Raises:
        SetupError: it cannot be loaded or is another major version; the text says what to install.
    """
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PICTURE_PX))
    try:
        import cv2  # noqa: PLC0415 - the question is whether this works
    except ImportError as error:
        raise SetupError(explain(str(error))) from error
    if not cv2.__version__.startswith(f"{MAJOR}."):
        raise SetupError(
            f"OpenCV {cv2.__version__} is installed, and version {MAJOR} is needed: make distclean setup"
        )


def explain(reason: str) -> str:
    """Return what to do about an error of `import cv2`."""
    if ".so" in reason:
        return (
            f"OpenCV lacks a system library ({reason}). On Debian or Ubuntu: "
            f"sudo apt-get install {SYSTEM_PACKAGES}"
        )
    return f"OpenCV cannot be loaded ({reason}); install anew: make distclean setup"


def main() -> int:
    """Check that OpenCV can be loaded. Return 0, or 1 with the reason printed."""
    try:
        require_opencv()
    except SetupError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
