"""Runs an ONNX graph: the only place that knows the model runtimes.

ONNX Runtime is the default. OpenVINO is optional (`pip install openvino`) and pays where the processor has
bfloat16 matrix instructions (AMX). With AVX2 only, both take the same time: 7.9 and 8.4 ms a face on an AMD
EPYC 7003. Each network computes on one thread, because recognizers scale by processes, one a core.
"""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from turnstile.errors import ModelError

Array = npt.NDArray[Any]
RuntimeName = Literal["auto", "onnxruntime", "openvino"]
ProviderName = Literal["cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16"]

_PROVIDERS: Mapping[ProviderName, str] = MappingProxyType(
    {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
)


class Network(Protocol):
    """A graph of one input and one output, loaded."""

    @property
    def description(self) -> str:
        """Return what runs it, for people: ``onnxruntime 1.31.1 (cpu, float32)``."""
        ...

    def run(self, values: Array) -> Array:
        """Return the output for an input."""
        ...


def load(
    graph: bytes,
    *,
    runtime: RuntimeName = "auto",
    providers: Sequence[ProviderName] = ("cpu",),
    precision: PrecisionName = "auto",
) -> Network:
    """Return a graph loaded into a runtime.

    Args:
        graph: an ONNX file.
        runtime: ``auto`` is OpenVINO where it is installed, the processor computes in bfloat16 and
            `precision` allows that; ONNX Runtime everywhere else.
        providers: what ONNX Runtime may run on, in order of preference.
        precision: ``auto`` is float32, because the loss in bfloat16 has not been measured on a processor
            that has it.

    Raises:
        ModelError: the runtime or a provider is not installed, or the graph cannot be loaded.
    """
    wants_bfloat16 = precision == "bfloat16"
    if runtime == "openvino" or (runtime == "auto" and wants_bfloat16 and tuple(providers) == ("cpu",)):
        return _OpenVino(graph, bfloat16=wants_bfloat16)
    if wants_bfloat16:
        raise ModelError("precision: bfloat16 needs runtime: openvino and providers: [cpu]")
    return _OnnxRuntime(graph, providers=providers)


class _OnnxRuntime:
    """ONNX Runtime, one thread that does not spin while it waits."""

    def __init__(self, graph: bytes, *, providers: Sequence[ProviderName]) -> None:
        # Its wheels since 1.29 report sessions to Microsoft unless told not to (onnxruntime #27379).
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime  # noqa: PLC0415 - only where it runs

        available = onnxruntime.get_available_providers()
        for provider in providers:
            if _PROVIDERS[provider] not in available:
                raise ModelError(
                    f"recognition.providers: {provider} is not available in this onnxruntime"
                    f" (it has {', '.join(available)}); cuda needs the package onnxruntime-gpu"
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=[_PROVIDERS[provider] for provider in providers]
            )
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "onnxruntime":
                raise
            raise ModelError(f"onnxruntime cannot load the network: {error}") from error
        self._input = self._session.get_inputs()[0].name
        used = {name: short for short, name in _PROVIDERS.items()}[self._session.get_providers()[0]]
        self._description = f"onnxruntime {onnxruntime.__version__} ({used}, float32)"

    @property
    def description(self) -> str:
        return self._description

    def run(self, values: Array) -> Array:
        return np.asarray(self._session.run(None, {self._input: values})[0])


class _OpenVino:
    """OpenVINO on the processor, one thread."""

    def __init__(self, graph: bytes, *, bfloat16: bool) -> None:
        try:
            import openvino  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
        except ImportError as error:
            raise ModelError(
                "recognition.runtime: openvino is not installed; pip install openvino"
            ) from error
        core = openvino.Core()
        abilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if bfloat16 and "BF16" not in abilities:
            raise ModelError(
                "recognition.precision: this processor does not compute in bfloat16;"
                f" OpenVINO lists {', '.join(abilities)}"
            )
        precision = "bf16" if bfloat16 else "f32"
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
        try:
            compiled = core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            raise ModelError(f"openvino cannot load the network: {error}") from error
        self._request = compiled.create_infer_request()
        self._output = compiled.output(0)
        words = "bfloat16" if bfloat16 else "float32"
        self._description = f"openvino {openvino.__version__.partition('-')[0]} (cpu, {words})"

    @property
    def description(self) -> str:
        return self._description

    def run(self, values: Array) -> Array:
        return np.array(self._request.infer({0: values})[self._output])
