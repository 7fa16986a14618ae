"""People whom nobody knows: which visits show one face."""
