"""Reading dlib's network files: the real ones whole, and everything else refused."""

import numpy as np
import pytest

from turnstile.errors import ModelError
from turnstile.vision.models import cache, dlib_file
from turnstile.vision.models.dlib_file import AddPrevious, Convolution, Matrix, Pool


@pytest.fixture(scope="module")
def resnet_file() -> bytes:
    """Return dlib's face-recognition network."""
    return cache.model_file(cache.ENCODER_FILE).read_bytes()


@pytest.fixture(scope="module")
def mmod_file() -> bytes:
    """Return dlib's face detector."""
    return cache.model_file(cache.DETECTOR_FILE).read_bytes()


def test_the_recognition_network_has_its_29_convolutions(resnet_file: bytes) -> None:
    """Fourteen residual blocks of two, one before them, and a matrix of 256 to 128 at the end."""
    network = dlib_file.read(resnet_file, name="resnet")
    convolutions = [layer for layer in network.layers if isinstance(layer, Convolution)]
    assert len(convolutions) == 29
    assert convolutions[0].weights.shape == (32, 3, 7, 7)
    assert (convolutions[0].stride, convolutions[0].pad) == (2, 0)
    assert sum(isinstance(layer, AddPrevious) for layer in network.layers) == 14
    assert sum(isinstance(layer, Pool) and layer.side == 2 for layer in network.layers) == 4
    assert isinstance(network.layers[-1], Matrix)
    assert network.layers[-1].weights.shape == (256, 128)
    assert network.windows is None
    assert network.input_mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-4)


def test_the_detector_says_how_its_scores_become_boxes(mmod_file: bytes) -> None:
    """Windows of 80 pixels, and the overlap that dlib found when it was trained."""
    network = dlib_file.read(mmod_file, name="mmod")
    assert network.windows is not None
    assert (network.windows.width_px, network.windows.height_px) == (80, 80)
    assert network.windows.max_overlap == pytest.approx(0.338276135)
    assert network.windows.max_covered == 1.0
    last = network.layers[-1]
    assert isinstance(last, Convolution)
    assert last.weights.shape == (1, 45, 9, 9)


@pytest.mark.parametrize(
    "contents", [b"", b"\x01", b"this is a text file, not a network\n" * 100, bytes(4096)]
)
def test_what_is_no_network_is_refused_by_name(contents: bytes) -> None:
    """The error names the file that the person has to replace."""
    with pytest.raises(ModelError, match=r"broken\.dat is not a network file of dlib"):
        dlib_file.read(contents, name="broken.dat")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.97])
def test_a_file_cut_off_in_the_middle_of_a_tensor_is_refused(resnet_file: bytes, part: float) -> None:
    """An interrupted download leaves such a file."""
    with pytest.raises(ModelError, match=r"in the middle of a value|cut off"):
        dlib_file.read(resnet_file[: int(len(resnet_file) * part)], name="half.dat")


def test_damage_gives_weights_or_an_error_and_nothing_else(mmod_file: bytes) -> None:
    """Bytes changed in the headers of layers never crash the reader or make it allocate without bound."""
    random = np.random.default_rng(3)
    for _ in range(60):
        damaged = np.frombuffer(mmod_file, np.uint8).copy()
        damaged[random.integers(0, 400, 6)] = random.integers(0, 256, 6)
        try:
            network = dlib_file.read(damaged.tobytes(), name="damaged.dat")
        except ModelError:
            continue
        assert network.layers
