"""Which engine and which network for liveness a site file asks for."""

from pathlib import Path

from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import DecisionSettings
from turnstile.vision.encode.liveness import AliveNetwork
from turnstile.vision.engines.engine import Engine


def make_engine(recognition: RecognitionSettings) -> Engine:
    """Return the engine that the site file asks for, its models loaded and warmed up.

    Raises:
        ModelError: a model file is missing or broken; the text says which and what to do.
    """
    if recognition.engine == "accelerated":
        from turnstile.vision.engines.accelerated import AcceleratedEngine  # noqa: PLC0415 - loads models

        return AcceleratedEngine(recognition)
    from turnstile.vision.engines.reference import ReferenceEngine  # noqa: PLC0415 - loads 100 MB of models

    return ReferenceEngine(recognition)


def network_of(decision: DecisionSettings) -> AliveNetwork | None:
    """Return the owner's network for liveness, loaded; `None` if the site file names none.

    Raises:
        ModelError: its file is missing, another one, or no such network.
    """
    file = decision.liveness_network
    return AliveNetwork(Path(file), sha256=decision.liveness_sha256) if file else None
