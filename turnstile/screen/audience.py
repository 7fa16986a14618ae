"""What the public at a door is shown of a view: no names but of people granted, and no technical words."""

from dataclasses import replace

from turnstile.protocol.reasons import WORDS, Reason
from turnstile.screen.scene import Mark, View

AT_DOOR: dict[Reason, str] = WORDS | {
    Reason.AMBIGUOUS: "not recognised",
    Reason.BLOCKED: "please ring",
    Reason.RESULT_TOO_OLD: "please try again, or ring",
    Reason.RULES_UNKNOWN: "out of order, please ring",
    Reason.NO_RECORD: "out of order, please ring",
}
"""Why somebody is denied, for everybody to read."""


def for_door(view: View) -> View:
    """Return a view without what is for operators only."""
    notice = view.notice and replace(view.notice, title=view.notice.at_door, detail="")
    banners = tuple(
        replace(one, who=one.who if one.verdict == "granted" else AT_DOOR[one.reason], detail="")
        for one in view.banners
    )
    return replace(
        view, status="", marks=tuple(_plain(mark) for mark in view.marks), banners=banners, notice=notice
    )


def _plain(mark: Mark) -> Mark:
    return replace(mark, label=mark.label if mark.kind == "granted" else "", detail="")
