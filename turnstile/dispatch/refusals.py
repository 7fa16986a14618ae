"""Refusals, counted by name and logged once a minute for each name instead of at each message."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SAY_EVERY_S = 60.0
MAX_NAMES = 1024
"""Most names counted apart; further ones are counted together, as strangers may invent names."""

OTHERS = "others"
MAX_LABEL_CHARS = 64


@dataclass(kw_only=True)
class _RefusalCount:
    total: int = 0
    unsaid: int = 0
    said_at_s: float | None = None


@dataclass(kw_only=True)
class Refusals:
    """Totals by name, and what has not been logged yet."""

    by_name: dict[str, _RefusalCount] = field(default_factory=dict)

    def note(self, name: str, why: str, now_s: float) -> str | None:
        """Count a refusal; return a line for the log when the last line about this name is a minute old."""
        if name not in self.by_name and len(self.by_name) >= MAX_NAMES:
            name = OTHERS
        refused = self.by_name.setdefault(name, _RefusalCount())
        refused.total += 1
        refused.unsaid += 1
        if refused.said_at_s is not None and now_s - refused.said_at_s < SAY_EVERY_S:
            return None
        unsaid, refused.unsaid, refused.said_at_s = refused.unsaid, 0, now_s
        more = f" (and {unsaid - 1} more since the last such line)" if unsaid > 1 else ""
        return f"refused from {name}: {why}{more}"

    @property
    def total(self) -> int:
        """Return how much was refused in all."""
        return sum(one.total for one in self.by_name.values())

    def worst(self, count: int) -> dict[str, int]:
        """Return the totals of the names most often refused."""
        ranked = sorted(self.by_name.items(), key=lambda item: -item[1].total)
        return {name: one.total for name, one in ranked[:count]}


def keep_counting(counts: dict[str, int], worst: Mapping[str, int], *, start: str, at_most: int) -> None:
    """Take the totals of the names most often refused into a beat's counts.

    A name that was told of once stays, so that its count never goes back; but a beat has room for 128 counts,
    so there are `at_most` such names.

    Args:
        counts: of the beat; names of keys stand behind `start` in it.
        worst: totals by name.
        start: what the labels start with.
        at_most: how many names.
    """
    told = sum(label.startswith(start) for label in counts)
    for name, refused in worst.items():
        label = f"{start}{name}"[:MAX_LABEL_CHARS]
        if label in counts or told < at_most:
            told += label not in counts
            counts[label] = refused
