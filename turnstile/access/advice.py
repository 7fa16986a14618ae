"""Advice: what the people at a door could do to be recognised, from why they are not."""

from turnstile.access.door import Door, Visit
from turnstile.protocol.fields import Advised
from turnstile.protocol.messages import Guide, Result
from turnstile.protocol.reasons import ADVICE_FOR, Advice
from turnstile.site.settings import DecisionSettings

PATIENCE_NS = 400_000_000
"""Time in view before advice is given. Most people are recognised earlier. Unmeasured."""


def guide(door: Door, result: Result, settings: DecisionSettings, *, locked: bool = False) -> Guide:
    """Return the advice for the people in a result; empty when there is none to give.

    Args:
        door: after the result.
        result: the camera's newest.
        settings: the site's, with the rules of this door.
        locked: whether decisions at this door are denied now.
    """
    open_now = {visit.trail.box_px: visit for visit in door.visits if visit.trail.in_view}
    undecided = any(visit.verdict is None for visit in open_now.values())
    advised: list[Advised] = []
    if undecided and locked:
        advised.append(Advised(advice=Advice.WAIT))
    elif undecided and settings.nearest_only and len(result.faces) > 1:
        advised.append(Advised(advice=Advice.ONE_AT_A_TIME))
    else:
        for box_px, visit in open_now.items():
            advice = _advice(visit)
            if advice is not None:
                advised.append(Advised(advice=advice, box_px=box_px))
    return Guide(
        camera=result.camera, captured_ns=result.captured_ns, frame_seq=result.seq, advice=tuple(advised)
    )


class Guides:
    """Which guides to publish: a change at once, and unchanged advice again after a while."""

    REPEAT_NS = 500_000_000

    def __init__(self) -> None:
        self._said: dict[str, tuple[Guide, int]] = {}

    def to_say(self, guide: Guide, now_ns: int) -> Guide | None:
        """Return the guide if it is to be published now, else `None`."""
        said, said_ns = self._said.get(guide.camera, (None, 0))
        old = () if said is None else tuple(one.advice for one in said.advice)
        changed = old != tuple(one.advice for one in guide.advice)
        due = said is None or now_ns - said_ns >= self.REPEAT_NS
        if not changed and not (due and guide.advice):
            return None
        self._said[guide.camera] = (guide, now_ns)
        return guide

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._said.pop(camera, None)


def _advice(visit: Visit) -> Advice | None:
    if visit.verdict is not None or visit.reason is None or visit.in_view_ns < PATIENCE_NS:
        return None
    return ADVICE_FOR.get(visit.reason)
