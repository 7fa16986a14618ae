"""What is shown of a door, and whether it is fresh."""
