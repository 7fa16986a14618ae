"""Reading the weights out of dlib's network files, without dlib.

A ``.dat`` file is what dlib's ``serialize()`` writes: the loss, then the layers from input to output, each
opened by a tag such as ``con_4`` that is preceded by its length. An integer is one control byte (low four
bits: number of bytes that follow, high bit: sign) and its bytes, lowest first; a floating-point number is
two integers, mantissa and exponent of two; a tensor is the integer 2, four sizes and little-endian float32.
Source: dlib 20.0, `serialize.h`, `float_details.h`, `dnn/layers.h`, `dnn/loss.h`, `cuda/gpu_data.cpp`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from turnstile.counts import counted
from turnstile.errors import ModelError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MAX_TENSOR_VALUES = 2**26
MAX_WEIGHT = 1e6
"""Larger values and NaN come from damage; those of dlib's networks stay below 1e3."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """A convolution, with the affine layer that followed it in the file folded in."""

    weights: Floats
    """float32 `(filters, channels, rows, columns)`; correlated, not flipped."""
    bias: Floats
    """float32 `(filters,)`."""
    stride: int
    pad: int
    """Zeros added on each side."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pooling layer; `side` 0 takes in the whole map."""

    kind: str
    """``max`` or ``avg``."""
    side: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class Relu:
    """Negative values become 0."""


@dataclass(frozen=True, kw_only=True)
class AddPrevious:
    """The output of an earlier layer is added; the smaller of the two is padded with zeros."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """A fully connected layer without bias."""

    weights: Floats
    """float32 `(inputs, outputs)`."""


Layer = Convolution | Pool | Relu | AddPrevious | Matrix


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How the loss layer of a detector turns scores into boxes."""

    width_px: int
    height_px: int
    max_overlap: float
    """Boxes that share more than this part of the rectangle around both are one face."""
    max_covered: float
    """So are boxes of which more than this part is covered by the other."""


@dataclass(frozen=True, kw_only=True)
class DlibNetwork:
    """A whole network file."""

    input_mean: tuple[float, float, float]
    """Subtracted from red, green and blue before the division by 256."""
    layers: tuple[Layer, ...]
    windows: Windows | None
    """`None` if the network is not a detector."""


def read(contents: bytes, *, name: str) -> DlibNetwork:
    """Return the network in a dlib file, its affine and batch-normalization layers folded into convolutions.

    Args:
        contents: the whole file.
        name: what to call the file in errors.

    Raises:
        ModelError: the file is cut off, is not a dlib network, or has a layer unknown to this reader.
    """
    try:
        return _read(_Cursor(contents))
    except _NotThisFormatError as error:
        raise ModelError(
            f"{name} is not a network file of dlib that can be read: {error} "
            f"(file of {counted(len(contents), 'byte')})"
        ) from None


class _NotThisFormatError(Exception):
    """The bytes do not fit the format."""


class _Cursor:
    """A place in the file."""

    def __init__(self, contents: bytes) -> None:
        self.contents = contents
        self.at = 0

    def integer(self) -> int:
        head = self._read(1)[0]
        size = head & 0x0F
        if not 1 <= size <= 8 or head & 0x70:
            raise _NotThisFormatError(f"no integer at byte {self.at - 1}")
        value = int.from_bytes(self._read(size), "little")
        return -value if head & 0x80 else value

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if not -1100 < exponent < 1100:
            raise _NotThisFormatError(f"no finite number at byte {self.at}")
        return math.ldexp(mantissa, exponent)

    def tensor(self) -> Floats:
        """Return the values as `(samples, channels, rows, columns)`."""
        if self.integer() != 2:
            raise _NotThisFormatError(f"no tensor of version 2 at byte {self.at}")
        shape = tuple(self.integer() for _ in range(4))
        if min(shape) < 0 or math.prod(shape) > MAX_TENSOR_VALUES:
            raise _NotThisFormatError(f"a tensor of shape {shape} at byte {self.at}")
        values = np.frombuffer(self._read(4 * math.prod(shape)), "<f4").reshape(shape)
        if not (np.abs(values) <= MAX_WEIGHT).all():
            raise _NotThisFormatError(f"the tensor before byte {self.at} holds values that are no weights")
        return values.astype(np.float32)

    def alias(self) -> tuple[int, ...]:
        """Return the shape of a part of a tensor."""
        if self.integer() != 1:
            raise _NotThisFormatError(f"no shape of version 1 at byte {self.at}")
        return tuple(self.integer() for _ in range(4))

    def tags(self) -> Iterator[str]:
        """Yield each known tag in turn; reading starts behind it."""
        while found := _TAG.search(self.contents, self.at):
            self.at = found.end()
            yield found[0][2:].decode("ascii")

    def _read(self, size: int) -> bytes:
        taken = self.contents[self.at : self.at + size]
        if len(taken) != size:
            raise _NotThisFormatError(f"it ends at byte {len(self.contents)}, in the middle of a value")
        self.at += size
        return taken


_LOSSES = ("loss_metric_2", "loss_mmod_")
_INPUTS = ("input_rgb_image_sized", "input_rgb_image_pyramid")
_LAYERS = ("con_4", "affine_", "bn_con2", "relu_", "max_pool_2", "avg_pool_2", "add_prev_", "fc_2")
_TAG = re.compile(b"|".join(b"\x01%c%s" % (len(tag), tag.encode()) for tag in (*_LOSSES, *_INPUTS, *_LAYERS)))


def _read(cursor: _Cursor) -> DlibNetwork:
    input_mean: tuple[float, float, float] | None = None
    windows: Windows | None = None
    layers: list[Layer] = []
    for tag in cursor.tags():
        if tag == "loss_mmod_":
            windows = _read_windows(cursor)
        elif tag in _INPUTS:
            input_mean = (cursor.real(), cursor.real(), cursor.real())
        elif tag in ("affine_", "bn_con2"):
            scale, shift = _read_affine(cursor, normalizes=tag == "bn_con2")
            layers.append(_fold(layers.pop() if layers else None, scale, shift))
        elif tag in _LAYERS:
            layers.append(_read_layer(tag, cursor))
    if input_mean is None or not layers:
        raise _NotThisFormatError("no network layers are found in it")
    return DlibNetwork(input_mean=input_mean, layers=tuple(layers), windows=windows)


def _read_layer(tag: str, cursor: _Cursor) -> Layer:
    match tag:
        case "con_4":
            return _read_convolution(cursor)
        case "max_pool_2" | "avg_pool_2":
            return _read_pool(cursor, kind=tag[:3])
        case "fc_2":
            return _read_matrix(cursor)
        case "add_prev_":
            return AddPrevious()
        case _:
            return Relu()


def _read_windows(cursor: _Cursor) -> Windows:
    """Read dlib's `mmod_options` of version 1: one window size, two losses, three overlap rules."""
    if (version := cursor.integer()) != 1:
        raise _NotThisFormatError(f"detector options of version {version}; 1 can be read")
    width_px, height_px = cursor.integer(), cursor.integer()
    for _ in ("false alarm", "missed target", "truth match"):
        cursor.real()
    return Windows(
        width_px=width_px, height_px=height_px, max_overlap=cursor.real(), max_covered=cursor.real()
    )


def _read_convolution(cursor: _Cursor) -> Convolution:
    values = cursor.tensor().ravel()
    _filters, _rows, _columns, stride, stride_x, pad, pad_x = (cursor.integer() for _ in range(7))
    weights_shape, bias_shape = cursor.alias(), cursor.alias()
    weights_size, bias_size = math.prod(weights_shape), math.prod(bias_shape)
    if weights_size + bias_size != values.size or bias_size != weights_shape[0] or min(weights_shape) < 1:
        raise _NotThisFormatError(f"filters of shape {weights_shape} in {values.size} values")
    if stride != stride_x or pad != pad_x or stride < 1 or pad < 0:
        raise _NotThisFormatError(f"strides {stride}, {stride_x} and pads {pad}, {pad_x}; they must be equal")
    return Convolution(
        weights=values[:weights_size].reshape(weights_shape),
        bias=values[weights_size:],
        stride=stride,
        pad=pad,
    )


def _read_affine(cursor: _Cursor, *, normalizes: bool) -> tuple[Doubles, Doubles]:
    """Return what the layer multiplies each channel by and adds to it, in float64 for the folding."""
    values = cursor.tensor().ravel().astype(np.float64)
    if values.size % 2:
        raise _NotThisFormatError(f"an affine layer of {values.size} values; they come in pairs")
    scale, shift = np.split(values, 2)
    if not normalizes:
        return scale, shift
    cursor.alias(), cursor.alias()
    cursor.tensor(), cursor.tensor()
    mean, variance = cursor.tensor().ravel(), cursor.tensor().ravel()
    _updates, _window = cursor.integer(), cursor.integer()
    for _ in ("rate", "decay", "bias rate", "bias decay"):
        cursor.real()
    epsilon = cursor.real()
    if mean.size != scale.size or variance.size != scale.size or (variance < 0).any() or epsilon <= 0:
        raise _NotThisFormatError(f"statistics of {mean.size} channels for {scale.size}")
    scale = scale / np.sqrt(variance + epsilon)
    return scale, shift - scale * mean


def _fold(layer: Layer | None, scale: Doubles, shift: Doubles) -> Convolution:
    """Return a convolution that does what `layer` and the affine layer after it did."""
    if not isinstance(layer, Convolution) or len(layer.bias) != len(scale):
        raise _NotThisFormatError(f"an affine layer of {len(scale)} channels after no such convolution")
    return Convolution(
        weights=(layer.weights * scale[:, None, None, None]).astype(np.float32),
        bias=(layer.bias * scale + shift).astype(np.float32),
        stride=layer.stride,
        pad=layer.pad,
    )


def _read_pool(cursor: _Cursor, *, kind: str) -> Pool:
    rows, columns, stride, stride_x, pad, pad_x = (cursor.integer() for _ in range(6))
    if rows != columns or stride != stride_x or pad or pad_x or rows < 0 or stride < 1:
        raise _NotThisFormatError(f"a pool {rows}x{columns}, stride {stride}, {stride_x}, pad {pad}, {pad_x}")
    return Pool(kind=kind, side=rows, stride=stride)


def _read_matrix(cursor: _Cursor) -> Matrix:
    outputs, inputs = cursor.integer(), cursor.integer()
    values = cursor.tensor()
    if values.shape[:2] != (inputs, outputs) or values.size != inputs * outputs:
        raise _NotThisFormatError(f"a matrix {values.shape} for {inputs} inputs and {outputs} outputs")
    return Matrix(weights=values.reshape(inputs, outputs))
