"""Doors as they are now, shown to whoever has a page open."""
