"""Where the canvas goes, and local detection while results are stale."""
