"""The faces folder, the cache of encodings, and the enrolment made of both."""
