"""What people type: one file a command, each with `add(parser)` and `run(options)`."""
