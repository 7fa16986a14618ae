"""What all tests share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "turnstile",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("turnstile")
"""A busy machine fails no test: examples have no deadline."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder whose path is short enough for ipc addresses, which hold 107 characters."""
    with tempfile.TemporaryDirectory(prefix="turnstile-") as path:
        yield Path(path)
