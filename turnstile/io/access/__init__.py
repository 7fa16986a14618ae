"""Decisions as they leave the process: results recorded for replay."""
