"""Who may be invited, and how long whoever guesses has to wait."""
