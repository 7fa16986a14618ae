"""A thread in which what people ask for is done, one thing after the other."""

import queue
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from turnstile.errors import TurnstileError
from turnstile.io.runner.worker import Worker

LOOK_S = 0.2


class Finished(NamedTuple):
    """What came of something that was done."""

    number: int
    value: object = None
    error: TurnstileError | None = None


class RequestThread:
    """Does what it is given. All methods are called from the broker's loop."""

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        """Begin to wait; `wake` is called from the thread when something is done."""
        self._wake = wake
        self._asked: queue.SimpleQueue[tuple[int, Callable[[], object]]] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._worker = Worker(name, self._work)
        self._worker.start()

    def do(self, number: int, work: Callable[[], object]) -> None:
        """Do something; `finished` says what came of it, by this number."""
        self._asked.put((number, work))

    def finished(self) -> list[Finished]:
        """Return what was done since the last call.

        Raises:
            Exception: what ended the thread.
        """
        self._worker.check()
        found: list[Finished] = []
        if self._finished.empty():  # asked at each turn of the loop
            return found
        with suppress(queue.Empty):
            while True:
                found.append(self._finished.get_nowait())
        return found

    def close(self) -> bool:
        """Do no more, and tell whether the thread has ended; what is being done is not waited for long."""
        return self._worker.close(within_s=0.5)

    def _work(self) -> None:
        while not self._worker.stopping.is_set():
            with suppress(queue.Empty):
                number, work = self._asked.get(timeout=LOOK_S)
                self._finished.put(_done(number, work))
                self._wake()


def _done(number: int, work: Callable[[], object]) -> Finished:
    try:
        return Finished(number, work())
    except TurnstileError as error:
        return Finished(number, error=error)
    except OSError as error:
        words = f"{error.filename or 'a file'}: {error.strerror or error}"
        return Finished(number, error=TurnstileError(words))
