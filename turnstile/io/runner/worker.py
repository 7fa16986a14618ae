"""A thread of a node, whose death the node's loop notices.

The contract of every worker: what its function raises is raised again by `check`, which its owner calls at
each step of the loop, that is, within a tenth of a second. So an unexpected error in a thread ends the node
as one in the loop does: with a traceback and exit code 1. Whoever supervises the node starts it again. An
error that a worker can live with it catches itself, and its owner shows it as a state.

Library not taken: concurrent.futures waits for its threads at exit, so a disk that hangs would hold that up.
"""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("turnstile")


class Worker:
    """Runs one function in a daemon thread.

    Attributes:
        stopping: set when the function is to return.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """Prepare; `start` begins."""
        self.stopping = threading.Event()
        self._work = work
        self._error: Exception | None = None
        self._is_reported = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def check(self) -> None:
        """Raise what the function raised, if it did."""
        if self._error is not None:
            self._is_reported = True
            raise self._error

    def close(self, *, within_s: float | None = None) -> bool:
        """Ask the function to return, wait for it, and tell whether it did.

        An error that no `check` has raised is logged: the loop that would have raised it is over.
        """
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        if self._error is not None and not self._is_reported:
            self._is_reported = True
            log.error("%s failed at the end", self._thread.name, exc_info=self._error)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again by `check`, or logged by `close`
            self._error = error
