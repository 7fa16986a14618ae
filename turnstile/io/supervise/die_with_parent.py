"""Start a program that ends when the process that started it does, even if that was killed.

    python die_with_parent.py PARENT_PID COMMAND...

Without it, a killed `turnstile up` would leave its nodes to hold ports and cameras. Linux only; elsewhere the
command is started all the same. It is run by itself and becomes the command, so it imports next to nothing.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit(128 + signal.SIGTERM)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
