"""Sockets of nodes and broker, the keys that open them, and the bundles that carry keys."""
