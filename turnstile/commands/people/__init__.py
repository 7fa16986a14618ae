"""Commands about who is enrolled."""
