"""What a site file means: its settings, its addresses, which process runs where, and when it runs again."""
