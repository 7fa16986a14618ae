"""What people who are signed in want of the broker: done at their request, and put on record."""
