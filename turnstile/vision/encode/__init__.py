"""Boxes to encodings: landmarks, face chips, the encoder, and thumbnails."""
