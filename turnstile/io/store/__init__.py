"""The database that an access log stands in: tables, chain, notes, and one log in it."""
