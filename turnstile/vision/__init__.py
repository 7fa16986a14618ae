"""Pixels to faces: decoding, the engines, and the pictures that enrolment accepts."""
