"""Commands that start and stop the processes of this machine."""
