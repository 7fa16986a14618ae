"""Other systems that hear of decisions."""
