"""A decision as the event that doors, displays and the log receive."""

import hashlib
from typing import NamedTuple

import msgspec

from turnstile.access.verdicts import Decision
from turnstile.protocol.messages import Access, Result
from turnstile.site.settings import DecisionSettings


class Circumstances(NamedTuple):
    """What held when a decision was made."""

    decided_ns: int
    """Broker's clock."""
    valid_s: float
    """How long a grant lasts."""
    encoding: str
    """Weights and policy behind the distances."""
    config_hash: str


def to_access(decision: Decision, result: Result, circumstances: Circumstances) -> Access:
    """Return a decision as an event; the journal adds source and number."""
    conclusion, granted = decision.conclusion, decision.conclusion.verdict == "granted"
    measure = conclusion.measure
    return Access(
        source="",
        seq=0,
        camera=result.camera,
        verdict=conclusion.verdict,
        reason=conclusion.reason,
        person=conclusion.person,
        distance=measure.distance,
        margin=measure.margin,
        max_distance=measure.limit,
        nearest=measure.nearest if conclusion.person is None else None,
        votes=conclusion.votes,
        of=conclusion.of,
        visit=decision.visit,
        decided_ns=circumstances.decided_ns,
        captured_ns=result.captured_ns,
        frame_seq=result.seq,
        recognizer=result.name,
        box_px=decision.face.box_px,
        expires_ns=circumstances.decided_ns + round(circumstances.valid_s * 1e9) if granted else 0,
        valid_s=circumstances.valid_s if granted else 0.0,
        encoding=circumstances.encoding,
        gallery_version=result.gallery_version,
        config_hash=circumstances.config_hash,
        thumbnail=decision.face.thumbnail,
    )


def config_hash(settings: DecisionSettings, *others: msgspec.Struct) -> str:
    """Return a hash of the settings, rules and whatever else decides."""
    contents = msgspec.json.encode((settings, *others), order="deterministic")
    return hashlib.sha256(contents).hexdigest()[:16]
