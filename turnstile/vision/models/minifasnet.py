"""MiniFASNetV2 of Silent-Face (Apache-2.0): how likely a face itself is before the camera.

Its file is the owner's to supply: `2.7_80x80_MiniFASNetV2.pth`. A file of other weights needs its own hash
in the site file. Widths are taken from the file; what follows what is fixed. Normalizations are folded into
the convolutions before them. Source: minivision-ai/Silent-Face-Anti-Spoofing, `src/model_lib/MiniFASNet.py`.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as op

from turnstile.errors import ModelError
from turnstile.files.reading import read_file, why
from turnstile.vision.models import cache, torch_file
from turnstile.vision.models.runtime import Network
from turnstile.vision.models.torch_file import MAX_BYTES, Tensor

SIDE_PX = 80
ALIVE = 1
"""Which of its three outputs says that the face is before the camera; the others are kinds of attack."""

GRAPH_VERSION = 1

_PREFIX = "module."
_BLOCKS = (("conv_23", 0), ("conv_3", 4), ("conv_34", 0), ("conv_4", 6), ("conv_45", 0), ("conv_5", 2))
"""Name, and how many blocks with a skip it has; 0 is one block that halves the map and has none."""
_EPSILON = 1e-5


def network(file: Path, *, sha256: str, folder: Path | None = None) -> Network:
    """Return the network, ready to run.

    It turns ``crops`` uint8 `(1, 80, 80, 3)`, blue first, into ``alive`` float32 `(1,)`, 0 to 1.

    Args:
        file: PyTorch's file.
        sha256: the hash that it must have.
        folder: where to keep it compiled; `None` for the user's cache folder.

    Raises:
        ModelError: the file is missing, another one, or holds another network.
    """
    contents = _read(file)
    if (digest := hashlib.sha256(contents).hexdigest()) != sha256:
        raise ModelError(f"{file} is another file: its SHA-256 is {digest}, not {sha256}")
    name = f"minifasnet-{digest[:32]}-{GRAPH_VERSION}"
    return cache.network(name, lambda: model(torch_file.read(contents, name=str(file))), cache=folder)


def _read(file: Path) -> bytes:
    try:
        return read_file(file, at_most=MAX_BYTES + 1)
    except OSError as error:
        reason = why(error, about=file)
        raise ModelError(f"{file}, the network for liveness, cannot be read: {reason}") from error


def model(tensors: Mapping[str, Tensor]) -> openvino.Model:
    """Return the network as a model, not compiled yet.

    Raises:
        ModelError: the tensors are those of another network.
    """
    crops = op.parameter([1, SIDE_PX, SIDE_PX, 3], np.uint8, name="crops")
    planes = op.transpose(op.convert(crops, np.float32), op.constant(np.array([0, 3, 1, 2])))
    try:
        alive = _Layers(tensors).alive(planes.output(0))
        alive.set_names({"alive"})
        return openvino.Model([op.result(alive)], [crops], "minifasnet")
    except KeyError as error:
        raise ModelError(f"the network is not MiniFASNetV2: it has no tensor {error}") from error
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"the network is not MiniFASNetV2: {error}") from error


class _Layers:
    """Appends the layers that tensors of a file describe."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def alive(self, at: openvino.Output) -> openvino.Output:
        at = self._filter(at, "conv1", stride=2, pad=1)
        at = self._filter(at, "conv2_dw", pad=1)
        for name, blocks in _BLOCKS:
            if not blocks:
                at = self._block(at, name, stride=2)
            for number in range(blocks):
                at = op.add(at, self._block(at, f"{name}.model.{number}", stride=1)).output(0)
        at = self._filter(at, "conv_6_sep")
        at = self._filter(at, "conv_6_dw")
        flat = op.reshape(at, op.constant(np.array([1, -1])), special_zero=False)
        scale, offset = self._normalization("bn")
        # Rows of `linear` are scaled as the normalization behind it says; the dropout does nothing here.
        weights = self._tensor("linear.weight") * scale[:, None]
        features = op.add(_product(flat, weights), op.constant(offset[None]))
        shares = op.softmax(_product(features, self._tensor("prob.weight")), 1)
        return op.gather(shares, op.constant(np.array(ALIVE)), op.constant(np.array(1))).output(0)

    def _block(self, at: openvino.Output, name: str, *, stride: int) -> openvino.Output:
        at = self._filter(at, f"{name}.conv")
        at = self._filter(at, f"{name}.conv_dw", stride=stride, pad=1)
        return self._filter(at, f"{name}.project")

    def _filter(self, at: openvino.Output, name: str, *, stride: int = 1, pad: int = 0) -> openvino.Output:
        """Append a convolution with its normalization, and its PReLU if it has one."""
        scale, offset = self._normalization(f"{name}.bn")
        weights = self._tensor(f"{name}.conv.weight") * scale[:, None, None, None]
        strides, pads = [stride] * 2, [pad] * 2
        if weights.shape[1] == 1:
            weights = weights[:, None]
            made = op.group_convolution(at, op.constant(weights), strides, pads, pads, [1, 1])
        else:
            made = op.convolution(at, op.constant(weights), strides, pads, pads, [1, 1])
        made = op.add(made, op.constant(offset.reshape(1, -1, 1, 1)))
        slopes = self._tensors.get(f"{_PREFIX}{name}.prelu.weight")
        return (made if slopes is None else op.prelu(made, op.constant(slopes))).output(0)

    def _normalization(self, name: str) -> tuple[Tensor, Tensor]:
        """Return what a normalization multiplies with, and what it adds then."""
        weight, bias, mean, variance = (
            self._tensor(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + np.float32(_EPSILON))
        return scale, bias - mean * scale

    def _tensor(self, name: str) -> Tensor:
        return self._tensors[f"{_PREFIX}{name}"]


def _product(at: openvino.Output | openvino.Node, weights: Tensor) -> openvino.Node:
    return op.matmul(at, op.constant(weights), transpose_a=False, transpose_b=True)
