"""The access log on disk: store, text, witness, retention and verification."""
