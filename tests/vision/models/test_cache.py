"""The cache of compiled networks: made once, never trusted blindly."""

import threading
from pathlib import Path

import numpy as np
import pytest

from turnstile.errors import ModelError
from turnstile.vision.models import cache, dlib_file, graph
from turnstile.vision.models.runtime import Network

PLANES = np.random.default_rng(1).uniform(0, 255, (1, 3, 90, 120)).astype(np.float32)


def cached_files(folder: Path) -> list[Path]:
    """Return what lies in a cache folder, temporary files included."""
    return sorted(folder.iterdir())


def scores(network: Network) -> list[float]:
    """Return what the detector makes of one noise picture."""
    return [float(score) for score in network.run(PLANES)[0].ravel()]


def test_a_network_is_made_once_and_then_read(tmp_path: Path) -> None:
    """The second call reads what the first one wrote."""
    first = cache.detector(cache=tmp_path)
    (file,) = cached_files(tmp_path)
    written = file.stat().st_mtime_ns
    assert scores(cache.detector(cache=tmp_path)) == scores(first)
    assert cached_files(tmp_path) == [file]
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 5000])
def test_a_damaged_cache_is_built_again_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """A disk that was full, or a machine that lost power, leaves such files."""
    good = scores(cache.detector(cache=tmp_path))
    (file,) = cached_files(tmp_path)
    file.write_bytes(damage)
    assert scores(cache.detector(cache=tmp_path)) == good
    assert file.read_bytes() != damage
    assert f"{file} is damaged and is made again from the model" in caplog.messages


def test_ten_that_start_together_all_get_the_network(tmp_path: Path) -> None:
    """Each may build it, none reads half of it, and no temporary file is left."""
    good = scores(cache.detector(cache=tmp_path / "reference"))
    answers: list[list[float]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(scores(cache.detector(cache=tmp_path / "shared"))))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [good] * 10
    assert len(cached_files(tmp_path / "shared")) == 1


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A recognizer on a read-only system still starts, and says why it starts slowly."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    assert scores(cache.detector(cache=in_the_way / "cache"))
    assert "cannot be kept in" in caplog.text
    assert "[Errno" not in caplog.text
    assert "Not a directory" in caplog.text


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    """The error says which file could not be read."""
    with pytest.raises(ModelError, match=r"nowhere\.dat"):
        cache.encoder(tmp_path / "nowhere.dat", cache=tmp_path)


def test_an_unknown_model_is_named() -> None:
    """So is a file that the installed package does not hold."""
    with pytest.raises(ModelError, match=r"lacks no_such_model\.dat"):
        cache.model_file("no_such_model.dat")


def test_a_detector_is_refused_as_an_encoder(tmp_path: Path) -> None:
    """A wrong file in the right place gives an error, not nonsense."""
    with pytest.raises(ModelError, match="does not end in 128 outputs"):
        cache.encoder(cache.model_file(cache.DETECTOR_FILE), cache=tmp_path)
    with pytest.raises(ModelError, match="no detector"):
        cache.detector(cache.model_file(cache.ENCODER_FILE), cache=tmp_path)
    assert cached_files(tmp_path) == []


def test_a_network_cut_off_between_two_layers_is_refused() -> None:
    """The reader cannot tell; the model's builder does."""
    contents = cache.model_file(cache.ENCODER_FILE).read_bytes()
    network = dlib_file.read(contents, name="resnet")
    for layers in (network.layers[:-1], network.layers[:20], network.layers[1:]):
        cut = dlib_file.DlibNetwork(input_mean=network.input_mean, layers=layers, windows=None)
        with pytest.raises(ModelError):
            graph.encoder(cut)
