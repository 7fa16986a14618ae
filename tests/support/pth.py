"""PyTorch's file format before 1.6, written without PyTorch, and small networks shaped as MiniFASNetV2."""

import hashlib
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from turnstile.vision.models.torch_file import FORMAT, VERSION

Floats = npt.NDArray[np.float32]

SYSTEM = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
"""Opcodes that leave an empty `OrderedDict`."""

WIDTH, INNER, EMBEDDING = 4, 3, 6
BLOCKS = {"conv_23": 0, "conv_3": 4, "conv_34": 0, "conv_4": 6, "conv_45": 0, "conv_5": 2}


def pth(tensors: Mapping[str, Floats]) -> bytes:
    """Return a file of named tensors; their names are their storages' keys."""
    return framed(ORDERED_DICT + b"(" + b"".join(map(_named, tensors, tensors.values())) + b"u}b", tensors)


def framed(opcodes: bytes, tensors: Mapping[str, Floats]) -> bytes:
    """Return a file whose fourth pickle is of these opcodes, with the storages of some tensors."""
    head = b"".join(pickle.dumps(value, protocol=2) for value in (FORMAT, VERSION, SYSTEM))
    storages = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in tensors.values())
    return head + b"\x80\x02" + opcodes + b"." + pickle.dumps(list(tensors), protocol=2) + storages


def tensor(
    key: str, size: tuple[int, ...], *, offset: int = 0, strides: tuple[int, ...] | None = None
) -> bytes:
    """Return the opcodes of a tensor in a storage of floats."""
    strides = tuple(int(np.prod(size[at + 1 :])) for at in range(len(size))) if strides is None else strides
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + _whole(1) + b"NtQ"
    )
    sizes = b"(" + b"".join(map(_whole, size)) + b"t(" + b"".join(map(_whole, strides)) + b"t"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + _whole(offset)
        + sizes
        + b"\x89"
        + ORDERED_DICT
        + b"tR"
    )


def text(value: str) -> bytes:
    """Return the opcode of a string."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def _named(name: str, array: Floats) -> bytes:
    return text(name) + tensor(name, array.shape)


def _whole(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def write_network(file: Path, *, alive: float | None = None, seed: int = 1) -> str:
    """Write the file of a small network and return its hash, see `a_network`."""
    contents = pth(a_network(alive=alive, seed=seed))
    file.write_bytes(contents)
    return hashlib.sha256(contents).hexdigest()


def a_network(*, alive: float | None = None, seed: int = 1) -> dict[str, Floats]:
    """Return the tensors of a network of MiniFASNetV2's shape and random weights.

    Args:
        alive: what it says of every face, between 0 and 1; `None` for what its weights come to.
        seed: of the weights.
    """
    random = np.random.default_rng(seed)
    made: dict[str, Floats] = {}

    def add(name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> None:
        made[f"module.{name}"] = random.uniform(low, high, shape).astype(np.float32)

    def add_filter(name: str, *shape: int, bends: bool = True) -> None:
        add(f"{name}.conv.weight", *shape)
        add_normalization(f"{name}.bn", shape[0])
        if bends:
            add(f"{name}.prelu.weight", shape[0])

    def add_normalization(name: str, width: int) -> None:
        add(f"{name}.weight", width, low=0.5, high=1.0)
        add(f"{name}.bias", width)
        add(f"{name}.running_mean", width)
        add(f"{name}.running_var", width, low=0.5, high=2.0)

    add_filter("conv1", WIDTH, 3, 3, 3)
    add_filter("conv2_dw", WIDTH, 1, 3, 3)
    for block, count in BLOCKS.items():
        for name in [f"{block}.model.{number}" for number in range(count)] or [block]:
            add_filter(f"{name}.conv", INNER, WIDTH, 1, 1)
            add_filter(f"{name}.conv_dw", INNER, 1, 3, 3)
            add_filter(f"{name}.project", WIDTH, INNER, 1, 1, bends=False)
    add_filter("conv_6_sep", WIDTH, WIDTH, 1, 1)
    add_filter("conv_6_dw", WIDTH, 1, 5, 5, bends=False)
    add("linear.weight", EMBEDDING, WIDTH)
    add_normalization("bn", EMBEDDING)
    add("prob.weight", 3, EMBEDDING)
    if alive is not None:
        made["module.bn.weight"][:], made["module.bn.bias"][:] = 0, 1
        shares = np.array([(1 - alive) / 2, alive, (1 - alive) / 2])
        made["module.prob.weight"][:] = np.log(shares)[:, None] / EMBEDDING
    return made
