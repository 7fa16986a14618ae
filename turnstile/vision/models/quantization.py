"""Makes a network compute in int8: 256 levels for each map between layers, 255 for each filter's weights.

OpenVINO turns the layers that stand between such levels into int8. Maps are quantized behind each ReLU, so
their lowest value is 0; the highest is measured once (`python -m benchmarks.activations`) and kept in
`turnstile.vision.models.activations`. Weights are scaled for each filter and need no data.

NNCF, OpenVINO's own tool, was rejected: it wants the data at hand for each conversion, and brings pandas and
scikit-learn with it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import openvino
from openvino import opset13 as op

from turnstile.errors import ModelError

LEVELS = 256
MAX_WEIGHT_LEVEL = 127
HIGHEST_PIXEL = 255.0


def relus(model: openvino.Model) -> list[openvino.Node]:
    """Return the ReLU layers of a model in order."""
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Relu"]


def quantize(model: openvino.Model, highest: Sequence[float]) -> openvino.Model:
    """Return the model, changed to compute in int8.

    Args:
        model: a network whose input is pixel values, 0 to 255.
        highest: for each ReLU in order, the value from which on its output is cut.

    Raises:
        ModelError: the model has another number of ReLUs.
    """
    layers = relus(model)
    if len(layers) != len(highest):
        raise ModelError(f"{len(highest)} activation ranges for a network of {len(layers)} ReLUs")
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    for layer, high in zip(layers, highest, strict=True):
        consumers = layer.output(0).get_target_inputs()
        levels = _levels(layer.output(0), high)
        for consumer in consumers:
            consumer.replace_source_output(levels)
    for convolution in convolutions:
        convolution.input(1).replace_source_output(_weights(convolution.input_value(1).get_node()))
    first = convolutions[0].input(0)
    first.replace_source_output(_levels(first.get_source_output(), HIGHEST_PIXEL))
    return model


def _levels(values: openvino.Output, high: float) -> openvino.Output:
    low, top = np.float32(0), np.float32(high)
    return op.fake_quantize(values, low, top, low, top, LEVELS).output(0)


def _weights(constant: openvino.Node) -> openvino.Output:
    """Return filters as int8 and a scale for each."""
    weights: npt.NDArray[np.float32] = constant.data
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    scales = np.maximum(largest, np.finfo(np.float32).tiny) / MAX_WEIGHT_LEVEL
    whole = np.round(weights / scales).astype(np.int8)
    return op.multiply(op.convert(op.constant(whole), np.float32), op.constant(scales)).output(0)
