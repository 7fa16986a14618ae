"""How a door and its site are, in words for the wall: ``no recognizer for 12 s``."""

from turnstile.dispatch.gate import CHANGED_SHARE_OF_FACE
from turnstile.health.overview import Overview
from turnstile.health.roster import NodeStatus, Roster
from turnstile.protocol.messages import Frame
from turnstile.protocol.state import State
from turnstile.screen.scene import BrokerState, View
from turnstile.site.recognition import RecognitionSettings


def state_of(view: View, roster: Roster) -> str:
    """Return how a door is; ``live`` when all is well."""
    notice = view.notice
    if notice is None:
        return "live" if view.light == "live" else "no result yet"
    if view.light == "stale":
        return _without(roster) or notice.title
    return f"{notice.title}: {notice.detail}" if notice.detail else notice.title


def broker_troubles(broker: BrokerState, trouble: str = "") -> tuple[str, ...]:
    """Return what keeps everybody out, in words for every account."""
    if broker == "lost":
        return ("the broker is not heard: nobody can enter",)
    if broker == "awaited":
        return ("the broker is awaited",)
    return (f"nobody can enter: {trouble}",) if trouble else ()


def site_troubles(overview: Overview) -> tuple[str, ...]:
    """Return what is wrong with a site's nodes, one sentence each; empty when all is well."""
    roster = overview.roster
    unwell = [f"{node.node}: {_short(node)}" for node in roster.nodes if not node.is_well]
    missing = [f"not heard: {path}, which the site file names" for path in roster.missing]
    return (*unwell, *missing, *roster.doubles)


def is_calm(view: View, frame: Frame | None, recognition: RecognitionSettings) -> bool:
    """Tell whether nobody is at a door and nothing moves there, as its newest frame and result show."""
    if view.light != "live" or view.marks or view.banners or view.advice:
        return False
    if frame is None or frame.change is None:
        return False
    changed_px = frame.change * frame.width_px * frame.height_px
    return changed_px < CHANGED_SHARE_OF_FACE * recognition.min_face_px**2


def _short(node: NodeStatus) -> str:
    return f"silent for {node.age_s:.0f} s" if node.silent else node.words


def _without(roster: Roster) -> str:
    """Say that no recognizer works, and for how long; empty if one does."""
    recognizers = [node for node in roster.nodes if node.role == "recognizer"]
    if any(not node.silent and node.state is not State.ENDED for node in recognizers):
        return ""
    if not recognizers:
        return "no recognizer"
    return f"no recognizer for {min(node.age_s for node in recognizers):.0f} s"
