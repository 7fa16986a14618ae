"""Writes dlib's networks as ONNX graphs, which any runtime can run.

Both graphs take raw pixel values, red first. Subtracting the mean and dividing by 256 is folded into the
first convolution. That is exact, as this convolution adds no zeros around its input.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from turnstile.errors import ModelError
from turnstile.people.encodings import ENCODING_SIZE
from turnstile.vision.models.dlib_file import (
    AddPrevious,
    Convolution,
    DlibNetwork,
    Floats,
    Layer,
    Matrix,
    Pool,
    Relu,
)

CHIP_PX = 150
"""The encoder's input: a face chip of 150x150 pixels."""

OPSET = 17


def encoder(network: DlibNetwork) -> bytes:
    """Return an ONNX file: ``chips`` uint8 `(n, 150, 150, 3)` to ``encodings`` float32 `(n, 128)`.

    Raises:
        ModelError: the network is not dlib's face-recognition ResNet.
    """
    layers = _start_with_raw_pixels(network)
    if not isinstance(layers[-1], Matrix) or layers[-1].weights.shape[1] != ENCODING_SIZE:
        raise ModelError("the face-recognition network is cut off: it does not end in 128 outputs")
    graph = _Graph()
    pixels = graph.add("Cast", ["chips"], to=TensorProto.FLOAT)
    planes = graph.add("Transpose", [pixels], perm=[0, 3, 1, 2])
    encodings = _chain(graph, layers, _Map(planes, 3, CHIP_PX, CHIP_PX))
    return graph.file(
        inputs=[helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", CHIP_PX, CHIP_PX, 3])],
        output=encodings.name,
        outputs=[helper.make_tensor_value_info("encodings", TensorProto.FLOAT, ["n", ENCODING_SIZE])],
    )


def detector(network: DlibNetwork) -> bytes:
    """Return an ONNX file: ``planes`` float32 `(1, 3, height, width)` to ``scores`` `(1, 1, rows, columns)`.

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    layers = _start_with_raw_pixels(network)
    last = layers[-1]
    if network.windows is None or not isinstance(last, Convolution) or len(last.bias) != 1:
        raise ModelError("the face-detection network is cut off or no detector: it does not end in one score")
    graph = _Graph()
    at = "planes"
    for layer in layers:
        if isinstance(layer, Convolution):
            at = graph.convolution(layer, at)
        elif isinstance(layer, Relu):
            at = graph.add("Relu", [at])
        else:
            raise ModelError(
                f"the face-detection network holds a {type(layer).__name__}, which is unexpected"
            )
    return graph.file(
        inputs=[helper.make_tensor_value_info("planes", TensorProto.FLOAT, [1, 3, "height", "width"])],
        output=at,
        outputs=[helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1, "rows", "columns"])],
    )


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


class _Map(NamedTuple):
    """A tensor of the graph with its channels and size."""

    name: str
    channels: int
    height: int
    width: int


class _Graph:
    """The nodes and constants of a graph being written."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operation: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Floats | np.ndarray[Any, Any]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, layer: Convolution, source: str) -> str:
        inputs = [source, self.constant(layer.weights), self.constant(layer.bias)]
        return self.add("Conv", inputs, strides=[layer.stride] * 2, pads=[layer.pad] * 4)

    def file(self, *, inputs: Sequence[Any], output: str, outputs: Sequence[Any]) -> bytes:
        """Return the checked graph as the bytes of an ONNX file."""
        self._nodes.append(helper.make_node("Identity", [output], [outputs[0].name]))
        graph = helper.make_graph(self._nodes, "turnstile", inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _chain(graph: _Graph, layers: Sequence[Layer], at: _Map) -> _Map:
    """Append layers in order, residual blocks with their skip, and return the output."""
    waiting = _blocks(layers)
    for block in waiting:
        if len(block) == 1:
            at = _append(graph, block[0], at)
            continue
        skip = at
        for layer in block[:-1]:
            if isinstance(layer, Pool):
                skip = _append(graph, layer, skip)
            else:
                at = _append(graph, layer, at)
        at = _sum(graph, at, skip)
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


def _append(graph: _Graph, layer: Layer, at: _Map) -> _Map:
    """Append one layer and return its output."""
    match layer:
        case Convolution():
            if layer.weights.shape[1] != at.channels:
                raise ModelError(f"a convolution of {layer.weights.shape[1]} channels follows {at.channels}")
            height, width = (
                (side + 2 * layer.pad - kernel) // layer.stride + 1
                for side, kernel in zip((at.height, at.width), layer.weights.shape[2:], strict=True)
            )
            return _Map(graph.convolution(layer, at.name), len(layer.bias), height, width)
        case Relu():
            return at._replace(name=graph.add("Relu", [at.name]))
        case Pool(side=0):
            return _Map(graph.add("GlobalAveragePool", [at.name]), at.channels, 1, 1)
        case Pool():
            operation = "MaxPool" if layer.kind == "max" else "AveragePool"
            name = graph.add(operation, [at.name], kernel_shape=[layer.side] * 2, strides=[layer.stride] * 2)
            height, width = ((side - layer.side) // layer.stride + 1 for side in (at.height, at.width))
            return _Map(name, at.channels, height, width)
        case Matrix():
            if layer.weights.shape[0] != at.channels * at.height * at.width:
                raise ModelError(f"a matrix of {layer.weights.shape[0]} inputs follows {at.channels}")
            flat = graph.add("Flatten", [at.name])
            return _Map(
                graph.add("MatMul", [flat, graph.constant(layer.weights)]), layer.weights.shape[1], 1, 1
            )
        case _:
            raise ModelError(f"a {type(layer).__name__} stands where none is expected")


def _sum(graph: _Graph, one: _Map, other: _Map) -> _Map:
    """Add two maps as dlib does: the smaller is padded with zeros at its far ends."""
    sizes = (
        max(one.channels, other.channels),
        max(one.height, other.height),
        max(one.width, other.width),
    )
    names = [_padded(graph, part, sizes) for part in (one, other)]
    return _Map(graph.add("Add", names), *sizes)


def _padded(graph: _Graph, part: _Map, sizes: tuple[int, int, int]) -> str:
    missing = [size - have for size, have in zip(sizes, part[1:], strict=True)]
    if not any(missing):
        return part.name
    return graph.add("Pad", [part.name, graph.constant(np.asarray([0, 0, 0, 0, 0, *missing], np.int64))])
