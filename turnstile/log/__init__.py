"""What the record says: entries, their chain, their lines, and questions about them."""
