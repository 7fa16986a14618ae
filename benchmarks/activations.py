"""Measures how high the values between the encoder's layers go: the table that int8 is made with.

Chips are those of one picture of each eleventh person in an LFW folder, and their mirror images. The result
is pasted into `turnstile/vision/models/activations.py`, with source and date.

    python -m benchmarks.activations --lfw FOLDER [--quick] [--json FILE]
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino

from benchmarks.face_folders import calibration_people, chips_of
from benchmarks.report import Report, parser
from turnstile.vision.models import cache, dlib_file, graph
from turnstile.vision.models.quantization import relus
from turnstile.vision.models.runtime import Array, load


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
    file = cache.model_file(cache.ENCODER_FILE)
    model = graph.encoder(dlib_file.read(file.read_bytes(), name=file.name))
    highest = highest_values(model, (chips_of(min(folder.iterdir())) for folder in people))
    report.table(
        f"Highest value behind each ReLU of the encoder, {len(people)} people",
        ["ReLU", "highest", "median of the pictures' highest"],
        [[at, float(top), float(middle)] for at, (top, middle) in enumerate(_columns(highest))],
    )
    print(", ".join(f"{top:.2f}" for top in highest.max(axis=0)))
    return report.finish()


def _columns(highest: npt.NDArray[np.float32]) -> list[tuple[np.float32, np.float32]]:
    return list(zip(highest.max(axis=0), np.median(highest, axis=0), strict=True))


if __name__ == "__main__":
    sys.exit(main())
