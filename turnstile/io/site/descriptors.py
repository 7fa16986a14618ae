"""How many files and connections a process may have open at once."""

import contextlib
import errno
import resource


def raise_limit() -> int:
    """Raise this process's limit as far as it may itself, and return it.

    A broker needs two descriptors for each node, and systems start programs with 256 or 1024. Who knocks in
    crowds is let go after the handshake's time-out; until then there should be room for the others.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS says that it has no limit, and then refuses to be taken at its word
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft


def are_used_up(error: OSError) -> bool:
    """Tell whether a file could not be opened only because too many are open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
