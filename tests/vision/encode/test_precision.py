"""The encoder in lower precisions: close to float32, chosen by measurement, measured again elsewhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from turnstile.errors import ModelError
from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.models import activations, cache, precision, runtime
from turnstile.vision.models.quantization import quantize, relus
from turnstile.vision.models.runtime import PrecisionName

MEASURED: dict[PrecisionName, float] = {"float32": 5.2, "bfloat16": 2.9, "int8": 1.7}

OBAMA = Box(left=200, top=120, right=420, bottom=340)
"""Where the portrait's face is, near enough for the landmarks."""


@pytest.fixture(scope="module")
def encode(obama: PictureRgb, biden: PictureRgb) -> Callable[[PrecisionName], Encodings]:
    """Return what encodes both portraits, as it is done in frames, in a precision."""

    def both(name: PrecisionName) -> Encodings:
        network = runtime.load(cache.encoder_model(precision=name, batch=2), precision=name)
        encoder = Encoder(network, POLICIES["mirror"])
        return np.concatenate([encoder.encode(picture, [OBAMA]) for picture in (obama, biden)])

    return both


@pytest.mark.parametrize(("name", "at_most"), [("bfloat16", 0.03), ("int8", 0.09)])
def test_a_lower_precision_moves_an_encoding_by_little(
    encode: Callable[[PrecisionName], Encodings], name: PrecisionName, at_most: float
) -> None:
    """Two pictures of one person are 0.2 and more apart."""
    if name == "bfloat16" and "BF16" not in runtime.abilities():
        pytest.skip("this processor does not compute in bfloat16")
    moved = np.linalg.norm(encode(name) - encode("float32"), axis=1)
    assert 0 < moved.max() <= at_most


def test_a_network_with_other_layers_is_not_quantized() -> None:
    """The ranges belong to one network."""
    model = cache.encoder_model(precision="float32")
    assert len(relus(model)) == len(activations.ENCODER)
    with pytest.raises(ModelError, match="28 activation ranges for a network of 29 ReLUs"):
        quantize(model, activations.ENCODER[1:])


def test_every_layer_of_the_encoder_is_quantized() -> None:
    """Each convolution reads levels and whole weights; otherwise it would stay in float32."""
    model = cache.encoder_model(precision="int8")
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    assert len(convolutions) == 29
    for convolution in convolutions:
        assert convolution.input_value(1).get_node().get_type_name() == "Multiply"
    levels = [node for node in model.get_ordered_ops() if node.get_type_name() == "FakeQuantize"]
    assert len(levels) == 30


@pytest.mark.parametrize(
    ("chip_ms", "taken"),
    [
        (MEASURED, "int8"),
        ({"float32": 5.0, "int8": 4.4}, "int8"),
        ({"float32": 5.0, "int8": 4.6}, "float32"),
        ({"float32": 5.0, "bfloat16": 9.0, "int8": 5.1}, "float32"),
    ],
)
def test_a_lower_precision_is_taken_where_it_saves_a_tenth(
    chip_ms: dict[PrecisionName, float], taken: PrecisionName
) -> None:
    """Where it saves less, float32 is as good and exact."""
    assert precision.fastest(chip_ms) == taken


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (precision.Choice(precision="int8", processor="", chip_ms=MEASURED), "bfloat16"),
        (precision.Choice(precision="int8", processor="", chip_ms={"float32": 5, "int8": 3}), "float32"),
        (precision.Choice(precision="int8", processor="", chip_ms={}), "float32"),
        (precision.Choice(precision="bfloat16", processor="", chip_ms={}), "bfloat16"),
    ],
)
def test_a_network_without_ranges_takes_the_best_of_the_others(
    choice: precision.Choice, taken: PrecisionName
) -> None:
    """BlazeFace is not quantized: it gains by bfloat16 where the encoder does."""
    assert choice.not_quantized == taken


def test_the_choice_is_measured_once_and_says_why(tmp_path: Path) -> None:
    """A second start reads it."""
    first = precision.choose("auto", batch=1, folder=tmp_path)
    assert first.precision == precision.fastest(first.chip_ms)
    assert first.reason.startswith("the fastest here, in ms a chip: ")
    assert set(first.chip_ms) >= {"float32", "int8"}
    assert precision.choose("auto", batch=1, folder=tmp_path) == first


def test_another_machine_measures_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container keeps its cache when it moves."""
    precision.choose("auto", batch=1, folder=tmp_path)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    precision.choose("auto", batch=1, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_precision_that_is_asked_for_is_not_measured(tmp_path: Path) -> None:
    """The site file's word is enough."""
    choice = precision.choose("int8", batch=2, folder=tmp_path)
    assert (choice.precision, choice.reason) == ("int8", "as recognition.precision says")
    assert not list(tmp_path.iterdir())
