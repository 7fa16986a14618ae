"""What a recognizer asks: the desk that answers work, and the engines behind it."""
