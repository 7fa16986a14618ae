"""What all tests share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from tests.support.screens import a_screen

hypothesis.settings.register_profile(
    "turnstile",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("turnstile")
"""Neither load nor chance fails a test: examples have no deadline, and are the same in each run."""


@contextmanager
def a_folder() -> Iterator[Path]:
    """Give an empty folder, in one of its own, short enough for ipc addresses, which hold 107 characters."""
    with tempfile.TemporaryDirectory(prefix="turnstile-") as path:
        site = Path(path) / "site"
        site.mkdir()
        yield site


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder for a test."""
    with a_folder() as path:
        yield path


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    """Give a folder for what the tests of a module share."""
    with a_folder() as path:
        yield path


@pytest.fixture(scope="session")
def virtual_screen() -> Iterator[str]:
    """Give the DISPLAY of a screen of 1280x800 that exists only in memory."""
    with a_screen() as display:
        if not display:
            pytest.skip("Xvfb is not installed")
        yield display
