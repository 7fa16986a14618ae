"""Removing a person from every file of a machine, and naming what may still have the name."""
