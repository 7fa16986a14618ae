"""Pixels to boxes: detectors, their pyramid, and the search near known faces."""
