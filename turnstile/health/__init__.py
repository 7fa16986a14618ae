"""Who is alive and how well: beats, the roster made of them, and the time each hop takes."""
