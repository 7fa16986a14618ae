"""What the gallery admits, and who in it is alike, computed beside the broker's loop."""

import logging
import queue
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from turnstile.io.runner.worker import Worker
from turnstile.people.agreement import (
    Couple,
    EnrolledPicture,
    alike,
    bounds_of,
    encodings_of,
    groups_in_words,
)
from turnstile.people.building import MadeGallery
from turnstile.people.calibration import stranger_rate
from turnstile.people.outlook import in_words, outlook
from turnstile.site.settings import DecisionSettings

LOOK_S = 0.2
AT_ONCE = 200
"""Pictures compared with all others in one step: 64 MB of distances in the largest gallery."""

log = logging.getLogger("turnstile")


class StrangerRate:
    """How often somebody enrolled would be taken for somebody else.

    Attributes:
        value: of the newest gallery computed; `None` before the first.
    """

    def __init__(self, decision: DecisionSettings) -> None:
        """Begin to wait for galleries."""
        self.value: float | None = None
        self._decision = decision
        self._galleries: queue.SimpleQueue[MadeGallery] = queue.SimpleQueue()
        self._compared: set[EnrolledPicture] = set()
        self._said: set[str] = set()
        self._worker = Worker("stranger rate", self._work)
        self._worker.start()

    def ask(self, made: MadeGallery) -> None:
        """Compute it for a gallery; one that waits already is left out."""
        self._galleries.put(made)

    def check(self) -> None:
        """Raise what ended the computing, if anything did."""
        self._worker.check()

    def close(self) -> None:
        """Stop; what is computed just now is not waited for long."""
        self._worker.close(within_s=0.5)

    def _work(self) -> None:
        while not self._worker.stopping.is_set():
            with suppress(queue.Empty):
                made = self._galleries.get(timeout=LOOK_S)
                while not self._galleries.empty():
                    made = self._galleries.get()
                log_outlook(made, self._decision)
                if len(made.gallery.persons) > 1:
                    self.value = log_stranger_rate(made, self._decision)
                self._name_who_is_alike(made.gallery.engine, made.pictures)

    def _name_who_is_alike(self, engine: str, pictures: Sequence[EnrolledPicture]) -> None:
        """Log, once, which new pictures show nearly the face of another person's."""
        new = [picture for picture in pictures if picture not in self._compared]
        columns, couples = encodings_of(pictures), set[Couple]()
        for at in range(0, len(new), AT_ONCE):
            if self._worker.stopping.is_set():
                return
            couples |= alike(new[at : at + AT_ONCE], pictures, bounds_of(engine), columns=columns)
        for sentence in groups_in_words(couples):
            if sentence not in self._said:
                log.warning("%s", sentence)
            self._said.add(sentence)
        self._compared = set(pictures)


def log_outlook(made: MadeGallery, decision: DecisionSettings) -> None:
    """Log the limits of a gallery, what they are expected to do, and who looks like whom."""
    for sentence in in_words(outlook(made.templates, np.bincount(made.gallery.owners), decision)):
        log.info("%s", sentence)


def log_stranger_rate(made: MadeGallery, decision: DecisionSettings) -> float:
    """Log how often enrolled people would be taken for somebody else, and return that rate."""
    rate = stranger_rate(made.gallery, made.templates.limits, decision)
    sentence = "of %d enrolled pictures %d would be taken for somebody else: %.2f %%, at most %.2f %%"
    log.info(sentence, rate.trials, rate.hits, 100 * rate.value, 100 * rate.at_most)
    if rate.value > decision.max_stranger_rate:
        log.warning(
            "that is more than decision.max_stranger_rate, %.2f %%: lower decision.%s, raise "
            "decision.min_margin, or see `turnstile calibrate` for the pictures that are too alike",
            100 * decision.max_stranger_rate,
            "max_distance" if decision.stranger_rate is None else "stranger_rate",
        )
    return rate.value
