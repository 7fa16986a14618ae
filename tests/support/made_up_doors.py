"""What the bus says of the made-up site's doors: drawn people come, and are decided about."""

import io
import time
from collections.abc import Iterator
from functools import cache

import msgspec
from PIL import Image, ImageDraw

from tests.support.answers import AT_NS
from tests.support.builders import a_beat, a_face, a_frame, a_result, an_access
from tests.support.drawn_faces import a_drawn_face
from turnstile.io.web.link import BrokerContact, BusLink
from turnstile.protocol.messages import AnyMessage, Verdict

SIZE_PX = (640, 480)
FACE_PX = 170
LEFT_PX, TOP_PX = 235, 145
DECIDED_AT, DECIDED_NS = 3, AT_NS + 7 * 60 * 10**9
STAND: dict[str, tuple[int, str | None, float]] = {
    "front_door": (0, "Ann Lee", 0.24),
    "yard": (3, None, 0.58),
}
"""Door → who stands there: seed of the drawn face, name, distance to the nearest."""


@cache
def a_drawn_view(seed: int) -> bytes:
    """Return a JPEG of somebody drawn, before a door."""
    face = Image.open(io.BytesIO(a_drawn_face(seed, size_px=2 * FACE_PX)))
    picture = Image.new("RGB", SIZE_PX, face.getpixel((2, 2)))
    ImageDraw.Draw(picture).rectangle((30, 90, 130, 400), fill="#4a5563", outline="#3c4652", width=5)
    picture.paste(face, (LEFT_PX - FACE_PX // 2, TOP_PX - FACE_PX // 2))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def stand_there(link: BusLink, seq: int) -> None:
    """Let the bus say of every door what it does while somebody stands there, and decide once."""
    link.broker = BrokerContact(lost=False)
    link.take([("", one) for one in _said(seq, time.time_ns())])


def _said(seq: int, now_ns: int) -> Iterator[AnyMessage]:
    for role, node in (("broker", "broker"), ("recognizer", "recognizer-1"), ("logger", "log1")):
        yield msgspec.structs.replace(a_beat(node=node, instance=f"{node}-1"), role=role)
    for number, (door, (seed, person, distance)) in enumerate(STAND.items(), start=1):
        jpeg, (width_px, height_px) = a_drawn_view(seed), SIZE_PX
        face = a_face(person, distance=distance, left=LEFT_PX, top=TOP_PX, size=FACE_PX)
        yield a_beat(node=door, instance=f"{door}-a1b2c3d4")
        yield a_frame(
            camera=door, seq=seq, captured_ns=now_ns, jpeg=jpeg, width_px=width_px, height_px=height_px
        )
        yield a_result(face, camera=door, seq=seq, captured_ns=now_ns)
        if seq == DECIDED_AT:
            verdict: Verdict = "granted" if person else "denied"
            access = an_access(number, camera=door, verdict=verdict, person=person, decided_ns=DECIDED_NS)
            yield msgspec.structs.replace(access, captured_ns=now_ns, frame_seq=seq, distance=distance)
