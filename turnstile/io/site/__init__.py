"""Files that people edit, and the machine they are read on."""
