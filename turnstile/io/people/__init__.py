"""The faces folder, the cache of encodings, the enrolment made of both, and the desk that spreads it."""
