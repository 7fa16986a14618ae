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

    def __init__(self, name: str) -> None:
        """Begin to wait."""
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
        with suppress(queue.Empty):
            while True:
                found.append(self._finished.get_nowait())
        return found

    def close(self) -> None:
        """Do no more; what is being done is not waited for long."""
        self._worker.close(within_s=0.5)

    def _work(self) -> None:
        while not self._worker.stopping.is_set():
            with suppress(queue.Empty):
                number, work = self._asked.get(timeout=LOOK_S)
                try:
                    self._finished.put(Finished(number, work()))
                except TurnstileError as error:
                    self._finished.put(Finished(number, error=error))
                except OSError as error:
                    words = f"{error.filename or 'a file'}: {error.strerror or error}"
                    self._finished.put(Finished(number, error=TurnstileError(words)))
