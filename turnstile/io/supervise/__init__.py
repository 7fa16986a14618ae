"""The processes of one machine, kept running."""
