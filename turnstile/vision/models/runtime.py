"""Runs networks with OpenVINO: the only place that knows how.

One runtime suffices (docs/decisions/0015-one-model-runtime.md). Each network computes on one thread, because
recognizers scale by processes, one a core.
"""

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import openvino

from turnstile.errors import ModelError

Array = npt.NDArray[Any]
PrecisionName = Literal["float32", "bfloat16", "int8"]

VERSION = openvino.get_version().partition("-")[0]
CPUINFO = Path("/proc/cpuinfo")

_HINTS: Mapping[PrecisionName, str] = MappingProxyType({"float32": "f32", "bfloat16": "bf16", "int8": "f32"})
"""What is computed in: a quantized model computes in int8 where it was quantized, elsewhere in float32."""


class Network:
    """A network of one input, ready to run. It serves one thread."""

    def __init__(self, compiled: openvino.CompiledModel, *, precision: PrecisionName) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self.precision = precision

    @property
    def description(self) -> str:
        """Return what runs it, for people: ``openvino 2026.4.1 (int8)``."""
        return f"openvino {VERSION} ({self.precision})"

    @property
    def batch(self) -> int | None:
        """Return the only length of an input that it takes; `None` for any."""
        size = self._compiled.input(0).partial_shape[0]
        return None if size.is_dynamic else size.get_length()

    def run(self, values: Array) -> list[Array]:
        """Return the outputs for an input."""
        # The next run overwrites the outputs, so copies go out. Without names it takes 0.05 ms less.
        self._request.infer(openvino.Tensor(values, shared_memory=True), share_outputs=True)
        return [np.array(output.data) for output in self._request.output_tensors]

    def contents(self) -> bytes:
        """Return it as bytes that `restore` makes it from, on the same kind of processor."""
        return bytes(self._compiled.export_model().getbuffer())


def load(model: openvino.Model | Path, *, precision: PrecisionName = "float32") -> Network:
    """Return a model, or the one in a file (ONNX, TensorFlow Lite), ready to run.

    Args:
        model: the model; one for ``int8`` is quantized already.
        precision: what to compute in.

    Raises:
        ModelError: there is no such file, it holds no model, or the processor lacks the precision.
    """
    if precision == "bfloat16" and "BF16" not in abilities():
        raise ModelError(f"this processor does not compute in bfloat16; it has {', '.join(abilities())}")
    try:
        compiled = _core().compile_model(model, "CPU", _settings(precision))
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot load the network: {error}") from error
    return Network(compiled, precision=precision)


def read(file: Path) -> openvino.Model:
    """Return the model in a file (ONNX, TensorFlow Lite), to be changed before it is loaded.

    Raises:
        ModelError: it holds no model.
    """
    try:
        return _core().read_model(file)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot read {file}: {error}") from error


def restore(contents: bytes, *, precision: PrecisionName) -> Network:
    """Return the network that `Network.contents` gave.

    Raises:
        ModelError: it is none, or another version's.
    """
    try:
        compiled = _core().import_model(contents, "CPU", _settings(precision))
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot restore the network: {error}") from error
    return Network(compiled, precision=precision)


def abilities() -> tuple[str, ...]:
    """Return what OpenVINO says the processor computes in, such as ``BF16``."""
    return tuple(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def processor() -> str:
    """Return the processor's name, for people."""
    return str(_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()


def machine_key() -> str:
    """Return what a compiled network depends on: processor, instruction sets in use and OpenVINO, as a hash.

    A container that moves to another machine gets another key.
    """
    told = CPUINFO.read_text("utf-8", "replace").splitlines() if CPUINFO.is_file() else []
    flags = next((line for line in told if line.startswith(("flags", "Features"))), "")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    parts = (openvino.get_version(), processor(), *abilities(), flags, limit)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _settings(precision: PrecisionName) -> dict[str, object]:
    # Without streams a network computes in the thread that calls it, and starts none of its own.
    return {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 0, "INFERENCE_PRECISION_HINT": _HINTS[precision]}


@functools.cache
def _core() -> openvino.Core:
    """Return the runtime, which finds its plug-ins only once."""
    return openvino.Core()
