"""Pixels to faces: OpenCV, dlib and model runtimes, and nothing that knows of the bus."""
