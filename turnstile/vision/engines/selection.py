"""Which engine a site file asks for."""

from turnstile.site.recognition import RecognitionSettings
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
