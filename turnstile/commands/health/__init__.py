"""Commands that show how a running site is."""
