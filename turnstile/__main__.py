"""`turnstile` and `python -m turnstile`."""

import sys

from turnstile.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
