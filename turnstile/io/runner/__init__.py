"""What every loop runs through: command line, signals, heart, watchdog, worker, exit code."""
