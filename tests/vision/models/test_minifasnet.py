"""The network for liveness: the graph that is built, and the files that are refused."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.pth import BLOCKS, Floats, a_network, pth, write_network
from turnstile.errors import ModelError
from turnstile.vision.models import minifasnet, runtime

Maps = npt.NDArray[np.float64]


def a_crop(seed: int = 1) -> npt.NDArray[np.uint8]:
    """Return some pixels."""
    return np.random.default_rng(seed).integers(0, 256, (1, 80, 80, 3)).astype(np.uint8)


class Plain:
    """The network as its source says it, layer by layer, with nothing folded."""

    def __init__(self, tensors: dict[str, Floats]) -> None:
        self.tensors = tensors

    def alive(self, crop: npt.NDArray[np.uint8]) -> float:
        """Return what it says of a crop `(1, 80, 80, 3)`."""
        maps = self.filtered(crop[0].transpose(2, 0, 1).astype(np.float64), "conv1", stride=2, pad=1)
        maps = self.filtered(maps, "conv2_dw", pad=1)
        for name, count in BLOCKS.items():
            maps = maps if count else self.block(maps, name, stride=2)
            for number in range(count):
                maps = maps + self.block(maps, f"{name}.model.{number}", stride=1)
        maps = self.filtered(self.filtered(maps, "conv_6_sep"), "conv_6_dw")
        features = self.normalized(self.at("linear.weight") @ maps.ravel(), "bn")
        shares = np.exp(self.at("prob.weight") @ features)
        return float(shares[1] / shares.sum())

    def block(self, maps: Maps, name: str, *, stride: int) -> Maps:
        """Widen, filter each map, and narrow."""
        maps = self.filtered(self.filtered(maps, f"{name}.conv"), f"{name}.conv_dw", stride=stride, pad=1)
        return self.filtered(maps, f"{name}.project")

    def filtered(self, maps: Maps, name: str, *, stride: int = 1, pad: int = 0) -> Maps:
        """Filter, normalize, and bend what is negative."""
        weights = self.at(f"{name}.conv.weight")
        maps = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
        seen = np.lib.stride_tricks.sliding_window_view(maps, weights.shape[2:], (1, 2))[
            :, ::stride, ::stride
        ]
        each = weights.shape[1] == 1
        made = np.einsum(
            "cyxij,cij->cyx" if each else "cyxij,fcij->fyx", seen, weights[:, 0] if each else weights
        )
        made = self.normalized(made, f"{name}.bn")
        slopes = self.tensors.get(f"module.{name}.prelu.weight")
        return made if slopes is None else np.where(made < 0, made * slopes[:, None, None], made)

    def normalized(self, maps: Maps, name: str) -> Maps:
        """Move to mean 0 and spread 1, then as trained."""
        weight, bias, mean, variance = (
            self.at(f"{name}.{part}").reshape(-1, *[1] * (maps.ndim - 1))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.asarray((maps - mean) / np.sqrt(variance + 1e-5) * weight + bias)

    def at(self, name: str) -> Maps:
        """Return a tensor."""
        return self.tensors[f"module.{name}"].astype(np.float64)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_network_computes_what_its_source_says(seed: int) -> None:
    """Every layer, on random weights."""
    tensors = a_network(seed=seed)
    made = runtime.load(minifasnet.model(tensors))
    right = Plain(tensors).alive(a_crop(seed))
    assert 0.001 < right < 0.999
    assert made.run(a_crop(seed))[0] == pytest.approx([right], abs=1e-4)


def test_a_file_becomes_a_network_that_is_kept(tmp_path: Path) -> None:
    """Once compiled it is restored from the cache folder."""
    file = tmp_path / "some.pth"
    sha256 = write_network(file, alive=0.75)
    said = [
        minifasnet.network(file, sha256=sha256, folder=tmp_path / "cache").run(a_crop())[0] for _ in range(2)
    ]
    assert np.ravel(said) == pytest.approx([0.75, 0.75], abs=1e-5)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_file_of_another_hash_is_refused(tmp_path: Path) -> None:
    """Nothing of it is read but its bytes."""
    file = tmp_path / "some.pth"
    file.write_bytes(b"anything")
    with pytest.raises(ModelError, match=r"some\.pth is another file: its SHA-256 is [0-9a-f]{64}, not 00"):
        minifasnet.network(file, sha256="0" * 64)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(ModelError, match=r"gone\.pth, the network for liveness, cannot be read: No such"):
        minifasnet.network(tmp_path / "gone.pth", sha256="0" * 64)


def test_another_network_is_refused() -> None:
    """One that lacks a layer, and one whose layers do not fit."""
    tensors = a_network()
    del tensors["module.prob.weight"]
    with pytest.raises(ModelError, match=r"no tensor 'module\.prob\.weight'"):
        minifasnet.model(tensors)
    for name in ("conv1.conv.weight", "bn.bias", "linear.weight", "conv_3.model.0.conv.bn.weight"):
        tensors = a_network()
        tensors[f"module.{name}"] = np.zeros((2, 2), np.float32)
        with pytest.raises(ModelError, match="not MiniFASNetV2"):
            minifasnet.model(tensors)


def test_the_file_written_here_is_of_the_format() -> None:
    """Each of its pickles is one that any reader of pickles reads to its end."""
    assert pth(a_network()).startswith(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
