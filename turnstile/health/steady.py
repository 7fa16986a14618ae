"""Trouble that is said once, and its end only when that has held: a full disk takes a little now and then.

Pure: times are arguments, monotonic seconds.
"""

HOLDS_S = 5.0
"""How long nothing must fail before that counts as well again, unless something proves it."""

MAX_SAID = 16


class Steady:
    """One thing that works or does not.

    Attributes:
        trouble: why it does not work, in words; empty when it does.
    """

    def __init__(self) -> None:
        """Begin with a thing that works."""
        self.trouble = ""
        self._said: set[str] = set()
        self._well_since_s: float | None = None

    def fail(self, words: str) -> bool:
        """Note that it does not work; tell whether to say so: words are said once until it works again."""
        self.trouble, self._well_since_s = words, None
        is_new = words not in self._said
        if len(self._said) < MAX_SAID:
            self._said.add(words)
        return is_new

    def work(self, now_s: float, *, proven: bool = False) -> bool:
        """Note that nothing fails; tell whether to say that it works again.

        Args:
            now_s: the time.
            proven: whether it did its work just now, so that nothing need be waited for.
        """
        if not self.trouble:
            return False
        if self._well_since_s is None:
            self._well_since_s = now_s
        if not proven and now_s - self._well_since_s < HOLDS_S:
            return False
        self.trouble = ""
        self._said.clear()
        return True
