"""Turnstile: face-recognition access control over a ZeroMQ bus."""

__version__ = "0.1.0"
