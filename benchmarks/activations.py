"""Measures how high the values between the layers of networks go: the tables that int8 is made with.

The faces are those of one picture of each eleventh person in an LFW folder: for the encoder the chip and its
mirror image, for dlib's detector the picture's six largest copies. The result is pasted into
`turnstile/vision/models/activations.py`, with source and date.

    python -m benchmarks.activations --lfw FOLDER [--quick] [--json FILE]
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino

from benchmarks.face_folders import calibration_people, chips_of, picture_of
from benchmarks.report import Report, parser
from turnstile.vision.detect import pyramid
from turnstile.vision.detect.cnn import BACKGROUND
from turnstile.vision.models import cache, dlib_file, graph
from turnstile.vision.models.quantization import relus
from turnstile.vision.models.runtime import Array, load

DETECTOR_LEVELS = 6


def highest_values(model: openvino.Model, inputs: Iterable[Array]) -> npt.NDArray[np.float32]:
    """Return float32 `(inputs, ReLUs)`: the highest output of each ReLU for each input."""
    outputs = [layer.output(0) for layer in relus(model)]
    network = load(openvino.Model(outputs, model.get_parameters(), "activations"))
    return np.array([[values.max() for values in network.run(each)] for each in inputs], np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("--lfw", type=Path, required=True)
    options = arguments.parse_args(argv)
    report = Report("activations", options)
    people = calibration_people(options.lfw)[: 5 if options.quick else None]
    files = [min(folder.iterdir()) for folder in people]
    networks: list[tuple[str, openvino.Model, Iterable[Array]]] = [
        ("encoder", graph.encoder(_network(cache.ENCODER_FILE)), (chips_of(file) for file in files)),
        ("detector", graph.detector(_network(cache.DETECTOR_FILE)), (_canvas(file) for file in files)),
    ]
    for name, model, inputs in networks:
        highest = highest_values(model, inputs)
        report.table(
            f"Highest value behind each ReLU of the {name}, {len(files)} people",
            ["ReLU", "highest", "median of the pictures' highest"],
            [[at, float(top), float(middle)] for at, (top, middle) in enumerate(_columns(highest))],
        )
        print(", ".join(f"{top:.2f}" for top in highest.max(axis=0)))
    return report.finish()


def _network(file_name: str) -> dlib_file.DlibNetwork:
    return dlib_file.read(cache.model_file(file_name).read_bytes(), name=file_name)


def _canvas(file: Path) -> pyramid.Planes:
    picture = picture_of(file)
    layout = pyramid.lay_out(picture.shape[1], picture.shape[0], levels=DETECTOR_LEVELS)
    return pyramid.draw(picture, layout, background=BACKGROUND)


def _columns(highest: npt.NDArray[np.float32]) -> list[tuple[np.float32, np.float32]]:
    return list(zip(highest.max(axis=0), np.median(highest, axis=0), strict=True))


if __name__ == "__main__":
    sys.exit(main())
