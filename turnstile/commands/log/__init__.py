"""Commands that read the access log, or erase from it."""
