"""Files written so that a reader, and a machine that loses power, finds each whole or not at all."""
