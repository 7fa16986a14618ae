"""Galleries made beside the broker's loop, one at a time."""

import queue
from contextlib import suppress

from turnstile.io.runner.worker import Worker
from turnstile.people.building import GalleryBuilder, Ingredients, MadeGallery

LOOK_S = 0.2


class GalleryThread:
    """Makes galleries in a thread of its own. All methods are called from the broker's loop."""

    def __init__(self, builder: GalleryBuilder) -> None:
        """Begin to wait for ingredients."""
        self.is_free = True
        """Whether none is being made."""
        self._builder = builder
        self._asked: queue.SimpleQueue[Ingredients] = queue.SimpleQueue()
        self._made: queue.SimpleQueue[MadeGallery] = queue.SimpleQueue()
        self._worker = Worker("gallery", self._work)
        self._worker.start()

    def ask(self, ingredients: Ingredients) -> None:
        """Have a gallery made."""
        self.is_free = False
        self._asked.put(ingredients)

    def take(self) -> MadeGallery | None:
        """Return the gallery that was asked for, once it is made.

        Raises:
            Exception: what ended the thread.
        """
        self._worker.check()
        with suppress(queue.Empty):
            made = self._made.get_nowait()
            self.is_free = True
            return made
        return None

    def close(self) -> None:
        """Stop; what is made just now is not waited for long."""
        self._worker.close(within_s=0.5)

    def _work(self) -> None:
        while not self._worker.stopping.is_set():
            with suppress(queue.Empty):
                self._made.put(self._builder.make(self._asked.get(timeout=LOOK_S)))
