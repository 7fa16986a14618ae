"""Files of PyTorch: what is read, and what is refused before anything runs."""

import struct

import numpy as np
import pytest

from tests.support.pth import ORDERED_DICT, a_network, framed, pth, tensor, text
from turnstile.errors import ModelError
from turnstile.vision.models import torch_file

ROW = {"row": np.arange(6, dtype=np.float32)}


def test_named_tensors_are_read() -> None:
    """Values, shapes and names."""
    written = a_network()
    found = torch_file.read(pth(written), name="some.pth")
    assert found.keys() == written.keys()
    assert all((found[name] == array).all() for name, array in written.items())


def test_a_part_of_a_storage_is_a_tensor() -> None:
    """Two tensors may share one."""
    opcodes = ORDERED_DICT + b"(" + text("part") + tensor("row", (2, 2), offset=1) + b"u"
    found = torch_file.read(framed(opcodes, ROW), name="some.pth")
    assert found["part"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (tensor("row", (7,)), "outside its storage"),
        (tensor("row", (1,), offset=-1), "outside its storage"),
        (tensor("row", (10**6, 10**6), strides=(0, 0)), "must lie in order"),
        (tensor("row", (0,)), "must lie in order"),
        (tensor("row", (2,) * 3000, strides=()), "3000 dimensions"),
        (tensor("other", (1,)), "storages are not those"),
        (text("words"), "something else than named tensors"),
        (b"cbuiltins\neval\n(" + text("1") + b"tR", "asks for builtins.eval"),
        (b"cos\nsystem\n(" + text("true") + b"tR", "asks for os.system"),
        (b"(" + text("true") + b"iposix\nsystem\n", "the opcode INST"),
        (text("x") + text("y") + b"\x93", "the opcode STACK_GLOBAL"),
        (b"Nr\xff\xff\xff\x7f", "memo 2147483647"),
        (b"}(" + text("a") + b"tQ", "damaged"),
        (b"\x8b\xff\xff\xff\x7f", "damaged"),
        (b"N" + b"\x85" * 20_000, "too many"),
        (b"}N" + b"\x85" * 19_000 + b"Ns", "something else than named tensors"),
    ],
)
def test_a_hostile_value_is_refused_with_a_reason(value: bytes, why: str) -> None:
    """It names what is wrong; nothing large is made, and nothing runs."""
    contents = framed(ORDERED_DICT + b"(" + text("name") + value + b"u", ROW)
    with pytest.raises(ModelError, match=r"some\.pth.*") as caught:
        torch_file.read(contents, name="some.pth")
    assert why in str(caught.value)


def test_a_tensor_of_no_numbers_is_refused() -> None:
    """NaN would be the network's answer to everything."""
    with pytest.raises(ModelError, match="no numbers"):
        torch_file.read(pth({"row": np.array([1, np.nan], np.float32)}), name="some.pth")


def test_every_file_that_is_cut_off_is_refused() -> None:
    """Wherever it ends, and where something follows."""
    whole = pth(ROW)
    for end in range(len(whole)):
        with pytest.raises(ModelError):
            torch_file.read(whole[:end], name="some.pth")
    with pytest.raises(ModelError, match="something follows"):
        torch_file.read(whole + b"\0", name="some.pth")


def test_a_storage_of_boundless_length_is_refused() -> None:
    """The length is compared with what is there."""
    whole = pth(ROW)
    for length in (2**62, -1):
        contents = whole[:-32] + struct.pack("<q", length) + whole[-24:]
        with pytest.raises(ModelError, match="cut off in a storage"):
            torch_file.read(contents, name="some.pth")


def test_other_files_are_refused() -> None:
    """A zip file as PyTorch writes it now, a text, and more bytes than any network has."""
    nested = b"\x80\x02N" + b"\x85" * 19_000 + b"."
    for contents in (b"", b"PK\x03\x04", b"hello", b"\x80\x02K\x01.", nested + pth(ROW)[15:]):
        with pytest.raises(ModelError):
            torch_file.read(contents, name="some.pth")
    with pytest.raises(ModelError, match="at most"):
        torch_file.read(bytes(torch_file.MAX_BYTES + 1), name="some.pth")
