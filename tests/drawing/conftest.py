"""Faces that drawing tests draw on."""

from tests.vision.conftest import faces, obama

__all__ = ["faces", "obama"]
