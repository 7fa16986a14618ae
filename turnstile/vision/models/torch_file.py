"""Reading the tensors out of a ``.pth`` file as PyTorch wrote it before 1.6, without PyTorch.

Such a file holds five pickles: a number that names the format, its version, the writer's integer sizes, the
named tensors, and the keys of the storages. The storages follow, each as an int64 length and raw
little-endian values. Source: PyTorch 1.0, `torch/serialization.py`.

A pickle is a program. So opcodes are compared with those that PyTorch writes before anything runs, and only
four names can be called. safetensors was rejected, as it does not read these files, and PyTorch for its size.
"""

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.errors import ModelError

FORMAT = 0x1950A86A20F9469CFC6C
VERSION = 1001
MAX_BYTES = 64 * 2**20
MAX_OPCODES = 20_000
"""Of one pickle. MiniFASNetV2's has 12,366; many more could nest values deeper than Python may follow."""
MAX_MEMO = 50_000
MAX_DIMENSIONS = 4

_OPCODES = frozenset(
    (
        *("PROTO", "STOP", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "MARK", "BINUNICODE", "NONE"),
        *("LONG1", "BININT", "BININT1", "BININT2", "NEWTRUE", "NEWFALSE"),
        *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "SETITEM", "SETITEMS", "APPEND", "APPENDS"),
        *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    )
)
_PICKLES = 5
_DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError)

Tensor = npt.NDArray[Any]


class _Kind(NamedTuple):
    """What a storage's values are."""

    dtype: str


class _Storage(NamedTuple):
    """Raw values that come later in the file."""

    word: str
    kind: _Kind
    key: str
    place: str
    length: int
    view: None


class _Part(NamedTuple):
    """A tensor, as the arguments of PyTorch's `_rebuild_tensor_v2`."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: object


_NAMES: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Part,
    ("torch", "FloatStorage"): _Kind("<f4"),
    ("torch", "LongStorage"): _Kind("<i8"),
}


def read(contents: bytes, *, name: str) -> Mapping[str, Tensor]:
    """Return the named tensors of a file, float32 or int64.

    Args:
        contents: the whole file.
        name: the file's, for messages.

    Raises:
        ModelError: it is another format, cut off, too large, or holds more than tensors.
    """
    if len(contents) > MAX_BYTES:
        raise ModelError(f"{name} has {len(contents)} bytes; a network's file has at most {MAX_BYTES}")
    try:
        return _tensors(io.BytesIO(contents))
    except ModelError as error:
        raise ModelError(f"{name} cannot be read: {error}") from error
    except _DAMAGE as error:
        raise ModelError(f"{name} is no file of PyTorch's format before 1.6, or damaged: {error}") from error
    except pickle.UnpicklingError as error:
        raise ModelError(f"{name} holds what no network's file holds: {error}") from error


def _tensors(file: io.BytesIO) -> Mapping[str, Tensor]:
    magic, version, system, parts, keys = (_value(file) for _ in range(_PICKLES))
    if magic != FORMAT or version != VERSION or not system["little_endian"]:
        raise ModelError(
            f"the format is {magic!r}, version {version!r}; this reads {FORMAT}, version {VERSION}"
        )
    if not isinstance(parts, OrderedDict) or not all(isinstance(part, _Part) for part in parts.values()):
        raise ModelError("it holds something else than named tensors")
    kinds = {part.storage.key: part.storage.kind for part in parts.values()}
    if {*keys} != kinds.keys():
        raise ModelError(f"its {len(keys)} storages are not those of its tensors")
    storages = {key: _storage(file, kinds[key]) for key in keys}
    if file.read(1):
        raise ModelError("something follows the last storage")
    return {str(name): _tensor(part, storages[part.storage.key]) for name, part in parts.items()}


def _value(file: io.BytesIO) -> Any:
    """Return what the next pickle holds, once its opcodes are known to be harmless."""
    began = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name not in _OPCODES or count > MAX_OPCODES:
            raise ModelError(f"the opcode {opcode.name} is none of a network's file, or too many are there")
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > MAX_MEMO:
            raise ModelError(f"memo {argument} is beyond {MAX_MEMO}")
    ended = file.tell()
    file.seek(began)
    return _Unpickler(io.BytesIO(file.read(ended - began))).load()


class _Unpickler(pickle.Unpickler):
    """Knows four names, and storages."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise ModelError(f"it asks for {module}.{name}, which no network needs") from None

    def persistent_load(self, pid: Any) -> _Storage:
        return _Storage(*pid)


def _storage(file: io.BytesIO, kind: _Kind) -> Tensor:
    length = int.from_bytes(file.read(8), "little", signed=True)
    size = length * np.dtype(kind.dtype).itemsize
    if not 0 <= size <= MAX_BYTES or len(values := file.read(size)) != size:
        raise ModelError(f"it is cut off in a storage of {length} values")
    return np.frombuffer(values, kind.dtype)


def _tensor(part: _Part, values: Tensor) -> Tensor:
    if len(part.size) > MAX_DIMENSIONS:  # before anything is computed: products of thousands take minutes
        raise ModelError(f"a tensor of {len(part.size)} dimensions; at most {MAX_DIMENSIONS} are read")
    length, strides = math.prod(part.size), [math.prod(part.size[at + 1 :]) for at in range(len(part.size))]
    if any(side < 1 for side in part.size) or [*part.stride] != strides:
        raise ModelError(f"a tensor of sizes {part.size} and strides {part.stride}: values must lie in order")
    if part.offset < 0 or part.offset + length > len(values):
        raise ModelError(f"a tensor of sizes {part.size} lies outside its storage of {len(values)} values")
    found = values[part.offset : part.offset + length].reshape(part.size)
    if not np.isfinite(found).all():
        raise ModelError(f"a tensor of sizes {part.size} holds values that are no numbers")
    return found
