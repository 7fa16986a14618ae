"""The model cache: dlib's files become ONNX graphs once, kept in the user's cache folder.

A cached graph is named by the hash of its model file and starts with the hash of its own content. A new
model file or a damaged cache is therefore noticed. A graph appears whole or not at all. At worst, ten
recognizers that start together build the same graph ten times.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

import platformdirs

from turnstile.errors import ModelError
from turnstile.files.whole import write_whole
from turnstile.vision.models import dlib_file

log = logging.getLogger(__name__)

ENCODER_FILE = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR_FILE = "mmod_human_face_detector.dat"
LANDMARKS_5_FILE = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_68_FILE = "shape_predictor_68_face_landmarks.dat"

GRAPH_VERSION = 1
"""Version of the conversion; it changes when the same model file gives another graph."""

_DIGEST_BYTES = 32


def model_file(name: str) -> Path:
    """Return the path of a file of the installed `face_recognition_models` package.

    Raises:
        ModelError: the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(place) / "models" / name
        if found.is_file():
            return found
    raise ModelError(
        f"the package face_recognition_models is not installed or lacks {name}; run `make setup`"
    )


def encoder_graph(model: Path | None = None, *, cache: Path | None = None) -> bytes:
    """Return the ONNX graph of the face encoder.

    Args:
        model: dlib's file; `None` for the installed one.
        cache: folder to keep the graph in; `None` for the user's cache folder.

    Raises:
        ModelError: the model file is missing, cut off or another network.
    """
    return _graph(model or model_file(ENCODER_FILE), cache, kind="encoder")


def detector_graph(model: Path | None = None, *, cache: Path | None = None) -> bytes:
    """Return the ONNX graph of the face detector; arguments and errors as for `encoder_graph`."""
    return _graph(model or model_file(DETECTOR_FILE), cache, kind="detector")


def detector_windows(model: Path | None = None) -> dlib_file.Windows:
    """Return how the detector's scores become boxes.

    Raises:
        ModelError: the model file is missing, cut off or another network.
    """
    path = model or model_file(DETECTOR_FILE)
    windows = dlib_file.read(_read(path), name=path.name).windows
    if windows is None:
        raise ModelError(f"{path} is no detector")
    return windows


def kept_or_made(name: str, make: Callable[[], bytes], *, cache: Path | None = None) -> bytes:
    """Return the contents cached under a name; missing or damaged ones are made and kept.

    Args:
        name: names everything the contents depend on.
        make: returns the contents.
        cache: folder to keep it in; `None` for the user's cache folder.
    """
    kept = (cache or platformdirs.user_cache_path("turnstile", appauthor=False)) / name
    found = _from_cache(kept)
    if found is not None:
        return found
    contents = make()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, hashlib.sha256(contents).digest() + contents, durable=True)
    except OSError as error:
        log.warning("what was made of a model cannot be kept in %s: %s", kept, error)
    return contents


def _graph(model: Path, cache: Path | None, *, kind: str) -> bytes:
    contents = _read(model)
    name = f"{kind}-{hashlib.sha256(contents).hexdigest()[:32]}-{GRAPH_VERSION}.graph"
    return kept_or_made(name, lambda: _build(contents, model.name, kind), cache=cache)


def _read(model: Path) -> bytes:
    try:
        return model.read_bytes()
    except OSError as error:
        raise ModelError(f"the model file cannot be read: {error}") from error


def _from_cache(kept: Path) -> bytes | None:
    """Return the cached contents, or `None` if they are missing or damaged."""
    try:
        contents = kept.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("cached model %s cannot be read: %s; it is made again", kept, error.strerror)
        return None
    digest, made = contents[:_DIGEST_BYTES], contents[_DIGEST_BYTES:]
    if hashlib.sha256(made).digest() == digest:
        return made
    log.warning("%s is damaged and is made again from the model", kept)
    return None


def _build(contents: bytes, name: str, kind: str) -> bytes:
    from turnstile.vision.models import onnx_graph  # noqa: PLC0415 - onnx takes 0.3 s to import and is needed only here

    build: Callable[[dlib_file.DlibNetwork], bytes] = getattr(onnx_graph, kind)
    return build(dlib_file.read(contents, name=name))
