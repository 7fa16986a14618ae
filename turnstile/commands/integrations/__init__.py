"""Commands that hand access events to other programs."""
