"""Builds dlib's networks as OpenVINO models.

Both take raw pixel values, red first. Subtracting the mean and dividing by 256 is folded into the first
convolution. That is exact, as this convolution adds no zeros around its input.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import openvino
from openvino import opset13 as op

from turnstile.errors import ModelError
from turnstile.people.encodings import ENCODING_SIZE
from turnstile.vision.models.dlib_file import (
    AddPrevious,
    Convolution,
    DlibNetwork,
    Layer,
    Matrix,
    Pool,
    Relu,
)

CHIP_PX = 150
"""The encoder's input: a face chip of 150x150 pixels."""

ANY_SIZE = -1

Sizes = npt.NDArray[np.int64]
"""int64 `(3,)`: channels, height, width."""


def encoder(network: DlibNetwork, *, batch: int | None = None) -> openvino.Model:
    """Return a model of ``chips`` uint8 `(n, 150, 150, 3)` to ``encodings`` float32 `(n, 128)`.

    Args:
        network: dlib's face-recognition ResNet.
        batch: the only n it takes, which makes it faster; `None` for any.

    Raises:
        ModelError: the network is another one.
    """
    layers = _start_with_raw_pixels(network)
    if not isinstance(layers[-1], Matrix) or layers[-1].weights.shape[1] != ENCODING_SIZE:
        raise ModelError("the face-recognition network is cut off: it does not end in 128 outputs")
    chips = op.parameter([batch or ANY_SIZE, CHIP_PX, CHIP_PX, 3], np.uint8, name="chips")
    planes = op.transpose(op.convert(chips, np.float32), op.constant(np.array([0, 3, 1, 2])))
    return _model(chips, layers, planes, name="encodings")


def detector(network: DlibNetwork) -> openvino.Model:
    """Return a model of ``planes`` float32 `(1, 3, height, width)` to ``scores`` `(1, 1, rows, columns)`.

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    layers = _start_with_raw_pixels(network)
    last = layers[-1]
    if network.windows is None or not isinstance(last, Convolution) or len(last.bias) != 1:
        raise ModelError("the face-detection network is cut off or no detector: it does not end in one score")
    planes = op.parameter([1, 3, ANY_SIZE, ANY_SIZE], np.float32, name="planes")
    return _model(planes, layers, planes, name="scores")


def _start_with_raw_pixels(network: DlibNetwork) -> list[Layer]:
    """Return the layers with the input's normalization folded into the first."""
    first = network.layers[0]
    if not isinstance(first, Convolution) or first.pad or first.weights.shape[1] != 3:
        raise ModelError("the network does not start with a convolution of 3 colours without padding")
    weights = first.weights.astype(np.float64) / 256
    offset = np.einsum("fcyx,c->f", weights, np.asarray(network.input_mean, np.float64))
    folded = Convolution(
        weights=weights.astype(np.float32),
        bias=(first.bias - offset).astype(np.float32),
        stride=first.stride,
        pad=0,
    )
    return [folded, *network.layers[1:]]


def _model(
    source: openvino.Node, layers: Sequence[Layer], planes: openvino.Node, *, name: str
) -> openvino.Model:
    """Return the model of a chain of layers; OpenVINO checks that their sizes fit."""
    try:
        result = _chain(layers, planes.output(0))
    except RuntimeError as error:
        raise ModelError(f"the layers of the network do not fit together: {error}") from error
    result.set_names({name})
    return openvino.Model([op.result(result)], [source], "turnstile")


def _chain(layers: Sequence[Layer], at: openvino.Output) -> openvino.Output:
    """Append layers in order, residual blocks with their skip, and return the output."""
    for block in _blocks(layers):
        if len(block) == 1:
            at = _append(block[0], at).output(0)
            continue
        skip = at
        for layer in block[:-1]:
            if isinstance(layer, Pool):
                skip = _append(layer, skip).output(0)
            else:
                at = _append(layer, at).output(0)
        at = _sum(at, skip).output(0)
    return at


def _blocks(layers: Sequence[Layer]) -> Iterator[Sequence[Layer]]:
    """Split layers into single ones and residual blocks.

    A block reads convolution, relu, convolution, then a pool if the skip is pooled, then the sum.
    """
    plain = [Convolution, Relu, Convolution, AddPrevious]
    pooled = [Convolution, Relu, Convolution, Pool, AddPrevious]
    at = 0
    while at < len(layers):
        size = 1
        for pattern in (plain, pooled):
            if [type(layer) for layer in layers[at : at + len(pattern)]] == pattern:
                size = len(pattern)
        if size == 1 and isinstance(layers[at], AddPrevious):
            raise ModelError("the network holds a sum that closes no residual block of two convolutions")
        yield layers[at : at + size]
        at += size


def _append(layer: Layer, at: openvino.Output) -> openvino.Node:
    """Append one layer; its first output is the one to go on from."""
    match layer:
        case Convolution():
            strides, pads = [layer.stride] * 2, [layer.pad] * 2
            filtered = op.convolution(at, op.constant(layer.weights), strides, pads, pads, [1, 1])
            return op.add(filtered, op.constant(layer.bias.reshape(1, -1, 1, 1)))
        case Relu():
            return op.relu(at)
        case Pool(side=0):
            return op.reduce_mean(at, op.constant(np.array([2, 3])), keep_dims=True)
        case Pool():
            sides, strides, pads = [layer.side] * 2, [layer.stride] * 2, [0, 0]
            if layer.kind == "max":
                return op.max_pool(at, strides, [1, 1], pads, pads, sides)
            return op.avg_pool(at, strides, pads, pads, sides, exclude_pad=True)
        case Matrix():
            flat = op.reshape(at, op.constant(np.array([0, -1])), special_zero=True)
            return op.matmul(flat, op.constant(layer.weights), transpose_a=False, transpose_b=False)
        case _:
            raise ModelError(f"a {type(layer).__name__} stands where none is expected")


def _sum(one: openvino.Output, other: openvino.Output) -> openvino.Node:
    """Add two maps as dlib does: the smaller is padded with zeros at its far ends."""
    sizes = np.maximum(_map_sizes(one), _map_sizes(other))
    return op.add(_padded(one, sizes), _padded(other, sizes))


def _padded(part: openvino.Output, sizes: Sizes) -> openvino.Output:
    missing = sizes - _map_sizes(part)
    if not missing.any():
        return part
    before, after = op.constant(np.zeros(4, np.int64)), op.constant(np.array([0, *missing]))
    return op.pad(part, before, after, "constant", op.constant(np.float32(0))).output(0)


def _map_sizes(part: openvino.Output) -> Sizes:
    """Return channels, height and width."""
    return np.array([size.get_length() for size in list(part.partial_shape)[1:]], np.int64)
