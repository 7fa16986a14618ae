"""Faces to pixels: boxes, letters, and the panes of a canvas."""
