"""What all tests share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.screens import a_screen

hypothesis.settings.register_profile(
    "turnstile",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("turnstile")
"""A busy machine fails no test: examples have no deadline."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder, in one of its own, short enough for ipc addresses, which hold 107 characters."""
    with tempfile.TemporaryDirectory(prefix="turnstile-") as path:
        site = Path(path) / "site"
        site.mkdir()
        yield site


@pytest.fixture(scope="session")
def virtual_screen() -> Iterator[str]:
    """Give the DISPLAY of a screen of 1280x800 that exists only in memory."""
    with a_screen() as display:
        if not display:
            pytest.skip("Xvfb is not installed")
        yield display
