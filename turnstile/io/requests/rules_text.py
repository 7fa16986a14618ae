"""The rules file as somebody who is signed in edits it: checked first, written whole, taken back.

Comments stay, as `ruamel.yaml` reads and writes them. The text before the last change lies beside the file.
"""

import hashlib
import io
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from turnstile.access.rules import Rules
from turnstile.errors import ConfigError, TurnstileError
from turnstile.files.reading import is_absent, read_file, why
from turnstile.files.whole import owner_of, write_whole
from turnstile.io.access.rules_file import Places, earlier_of, is_missing, parse
from turnstile.requests.rules_edits import Document
from turnstile.requests.wishes import MAX_RULES_CHARS

NO_FILE = "absent"
EMPTY = "{}\n"
WIDTH_CHARS = 100


_UNFIT_FOR_EDITS = (
    *(YAMLError, ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError),
)
"""What `ruamel.yaml` and edits raise for a file that does not hold rules."""


class EarlierRules(msgspec.Struct, frozen=True, kw_only=True):
    """What stood in the file before its last change from here."""

    text: str
    followed_by: str
    """The version that took its place."""


class Written(NamedTuple):
    """What a change came to."""

    rules: Rules
    version: str


class Changed(NamedTuple):
    """A text with a change, not written."""

    text: str
    was: str
    """Version of the text that was changed."""
    places: int
    """What the change returned: in how many places it changed something."""


class RulesText:
    """One rules file. Call from one thread."""

    def __init__(self, places: Places, *, doors: Iterable[str]) -> None:
        """Name the file, which need not be there."""
        self.path = places.path
        self._places, self._doors = places, tuple(doors)
        self._before = earlier_of(places.path)

    def read(self) -> tuple[str, str]:
        """Return the text and its version; an empty text where there is no file.

        Raises:
            TurnstileError: it cannot be read.
        """
        try:
            if is_absent(self.path):
                return "", NO_FILE
            text = read_file(self.path, at_most=4 * MAX_RULES_CHARS).decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = why(error, about=self.path) if isinstance(error, OSError) else "it is no text"
            raise TurnstileError(f"{self.path} cannot be read: {reason}") from error
        return text, _version(text)

    @property
    def may_undo(self) -> bool:
        """Tell whether the last change came from here, so that it can be taken back."""
        earlier = self._earlier()
        return earlier is not None and earlier.followed_by == self.read()[1]

    def replace(self, text: str, *, was: str, may_undo: bool = True) -> Written:
        """Check a text and put it in place.

        Args:
            text: of the whole file.
            was: version of the file that it is made from.
            may_undo: whether the text before it is kept. It is not where it has a name that is gone.

        Raises:
            TurnstileError: it is not right, the file is not what it `was`, or it cannot be written.
        """
        try:
            rules = parse(text.encode(), self.path, doors=self._doors)
        except ConfigError as error:
            raise TurnstileError(f"nothing is changed: {error}") from error
        before, version = self.read()
        if was != version:
            raise TurnstileError("somebody else changed the rules meanwhile; look at them again")
        self._write(self.path, text.encode())
        earlier = EarlierRules(text=before or EMPTY, followed_by=_version(text))
        if may_undo:
            self._write(self._before, msgspec.json.encode(earlier), mode=0o600)
        else:
            self._forget_earlier()
        return Written(rules, earlier.followed_by)

    def change(self, edit: Callable[[Document], int]) -> Written:
        """Change the rules' document, with its comments kept.

        Raises:
            TurnstileError: as `replace`, or the file as it is cannot be read.
        """
        changed = self.changed(edit)
        return self.replace(changed.text, was=changed.was)

    def changed(self, edit: Callable[[Document], int]) -> Changed:
        """Return the text with a change, not written.

        Raises:
            TurnstileError: the file as it is cannot be read, or there were rules and they are gone.
        """
        text, version = self.read()
        if version == NO_FILE:
            is_missing(self._places)  # or a file with one line would take the place of all the rules
        yaml = YAML(typ="rt")
        yaml.preserve_quotes = True
        yaml.width = WIDTH_CHARS
        try:
            document = yaml.load(text or EMPTY)
            document = yaml.load(EMPTY) if document is None else document
            if not isinstance(document, dict):
                raise TurnstileError(f"{self.path} does not hold rules; put it right first")
            if not document and hasattr(document, "fa"):
                document.fa.set_block_style()
            places = edit(document)
            made = io.StringIO()
            yaml.dump(document, made)
        except _UNFIT_FOR_EDITS as error:
            words = " ".join(f"{error}".split())[:300]
            raise TurnstileError(f"{self.path} cannot be changed, put it right first: {words}") from error
        return Changed(made.getvalue(), version, places)

    def undo(self, *, was: str) -> Written:
        """Put back what stood there before the last change; once more takes that back.

        Raises:
            TurnstileError: the last change came from elsewhere, or as `replace`.
        """
        earlier = self._earlier()
        if earlier is None or earlier.followed_by != was:
            raise TurnstileError("there is no change from here to take back")
        return self.replace(earlier.text, was=was)

    def _forget_earlier(self) -> None:
        try:
            self._before.unlink(missing_ok=True)
        except OSError as error:
            raise TurnstileError(f"{self._before} cannot be removed: {error.strerror}") from error

    def _earlier(self) -> EarlierRules | None:
        try:
            return msgspec.json.decode(self._before.read_bytes(), type=EarlierRules)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        try:
            there = self.path if self.path.exists() else self.path.parent
            if path.exists():
                mode = stat.S_IMODE(path.stat().st_mode)
            write_whole(path.resolve(), data, mode=mode, owner=owner_of(there), durable=True)
        except OSError as error:
            raise TurnstileError(f"{path} cannot be written: {why(error, about=path)}") from error


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
