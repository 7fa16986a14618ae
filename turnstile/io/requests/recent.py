"""Enrolments that can be taken back: what each added, in memory, for an hour. Belongs to the broker's loop.

After a start of the broker none can be; a picture is then removed by an admin.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from turnstile.errors import TurnstileError
from turnstile.files.reading import read_file
from turnstile.io.people.keeping import remove_picture
from turnstile.protocol.names import same_name
from turnstile.requests.wishes import MAX_PICTURE_BYTES

KEEP_S = 3600.0
MAX_KEPT = 100


class AddedPicture(NamedTuple):
    """A file, and what was written into it."""

    path: Path
    digest: str

    @property
    def is_there(self) -> bool:
        """Tell whether the file holds what was written, and no other picture."""
        try:
            data = read_file(self.path, at_most=MAX_PICTURE_BYTES + 1)
        except OSError:
            return False
        return hashlib.sha256(data).hexdigest() == self.digest


class RecentEnrolment(NamedTuple):
    """What one wish added."""

    by: str
    """The account."""
    person: str
    pictures: Sequence[AddedPicture]
    put_back: Callable[[], object] | None = None
    """Brings back what was deleted for it."""

    def remove(self) -> int:
        """Remove the pictures that are still there; return how many. Call from a thread.

        Raises:
            TurnstileError: none is, or one cannot be removed.
        """
        there = [one for one in self.pictures if one.is_there]
        if not there:
            raise TurnstileError(f"what was added of {self.person} is not there any more")
        for one in there:
            remove_picture(one.path)
        return len(there)


class RecentEnrolments:
    """The enrolments by token."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: OrderedDict[str, tuple[float, RecentEnrolment]] = OrderedDict()

    def add(self, enrolment: RecentEnrolment) -> str:
        """Remember an enrolment, and return its token."""
        token, now_s = secrets.token_hex(16), time.monotonic()
        self._kept[token] = (now_s, enrolment)
        while len(self._kept) > MAX_KEPT or now_s - next(iter(self._kept.values()))[0] > KEEP_S:
            self._kept.popitem(last=False)
        return token

    def of(self, token: str, by: str) -> RecentEnrolment:
        """Return an enrolment of an account.

        Raises:
            TurnstileError: it is not known any more, or another account's.
        """
        at_s, found = self._kept.get(token, (0.0, None))
        if found is None or found.by != by or time.monotonic() - at_s > KEEP_S:
            raise TurnstileError(
                "this cannot be taken back any more: only within an hour, by the account that did it, while "
                "the broker runs; an admin can remove pictures"
            )
        return found

    def forget(self, token: str) -> None:
        """Remember an enrolment no longer."""
        self._kept.pop(token, None)

    def forget_person(self, person: str) -> None:
        """Remember nothing of a person."""
        for token in [token for token, (_, one) in self._kept.items() if same_name(one.person, person)]:
            del self._kept[token]
