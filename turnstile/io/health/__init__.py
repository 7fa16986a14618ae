"""What the broker knows of every node's health, and its own beat."""
