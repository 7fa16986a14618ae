"""Visits of unknown people on the broker's disk."""
