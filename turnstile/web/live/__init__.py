"""What pages say of doors and nodes as they are now, and which page is sent what next."""
