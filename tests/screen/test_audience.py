"""What the public at a door reads, and what is kept from them."""

from dataclasses import replace

import pytest

from tests.support.builders import a_box
from turnstile.protocol.reasons import Reason
from turnstile.screen.audience import AT_DOOR, for_door
from turnstile.screen.scene import Banner, Mark, MarkKind, Notice, View

LIVE = View(camera="door", light="live", status="15 fps  ·  result 0.1 s", advice="come closer")


@pytest.mark.parametrize(
    ("kind", "label"), [("granted", "Ann Lee"), ("denied", ""), ("person", ""), ("unknown", "")]
)
def test_a_name_is_shown_at_the_door_only_once_it_was_granted(kind: MarkKind, label: str) -> None:
    """A stranger learns nobody's name; distances would help who tries to be somebody."""
    view = for_door(replace(LIVE, marks=(Mark(box_px=a_box(), kind=kind, label="Ann Lee", detail="0.31"),)))
    assert [(mark.label, mark.detail) for mark in view.marks] == [(label, "")]
    assert (view.status, view.advice) == ("", "come closer")


@pytest.mark.parametrize("reason", Reason)
def test_a_denial_at_the_door_names_nobody(reason: Reason) -> None:
    """It says what to do, or why, in words for the public."""
    banner = Banner(verdict="denied", reason=reason, title="ACCESS DENIED", who="Ann Lee: x", detail="0.31")
    (shown,) = for_door(replace(LIVE, banners=(banner,))).banners
    assert (shown.title, shown.who, shown.detail) == ("ACCESS DENIED", AT_DOOR[reason], "")


def test_what_fails_is_out_of_order_at_the_door() -> None:
    """The address of the broker is for operators."""
    view = for_door(
        replace(LIVE, light="lost", notice=Notice(title="broker lost", detail="tcp://10.0.0.1:1"))
    )
    assert view.notice is not None
    assert (view.notice.title, view.notice.detail) == ("Out of order, please ring", "")
