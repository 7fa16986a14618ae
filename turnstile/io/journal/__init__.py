"""Decisions on the broker's disk, until every logger has them."""
