"""A valid message of every type: seeds for damage, and what a key of the wrong role may try to say."""

from tests.support.builders import a_log
from tests.support.pictures import a_jpeg
from turnstile.protocol.fields import Box, Timings
from turnstile.protocol.messages import (
    Access,
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Face,
    Fetch,
    Frame,
    Guide,
    People,
    Picture,
    Query,
    Ready,
    Result,
    Rivals,
    Taken,
    Template,
    Unlock,
    Work,
)
from turnstile.protocol.reasons import Reason
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.roles import NodeRole

SIZE_PX = (64, 48)
_WORK_ID = "aa"


def one_of_each(name: str = "front_door", *, role: NodeRole = "capture") -> list[AnyMessage]:
    """Return a valid message of every type, in a node's name wherever it has one."""
    jpeg, (width, height) = _JPEG, SIZE_PX
    box = Box(left=1, top=2, right=3, bottom=4)
    face = Face(box_px=box, person="Barack Obama", distance=0.3, second_distance=0.8, encoding=bytes(512))
    instance = f"{name}-a1b2c3d4"
    access = Access(
        source="aa",
        seq=1,
        camera=name,
        verdict="granted",
        reason=Reason.RECOGNISED,
        person="Barack Obama",
        distance=0.3,
        votes=3,
        of=5,
        visit="1",
        decided_ns=1,
        captured_ns=1,
        frame_seq=1,
        recognizer="pool",
        box_px=box,
    )
    return [
        Frame(
            camera=name, instance=instance, seq=1, captured_ns=1, width_px=width, height_px=height, jpeg=jpeg
        ),
        Ready(name=name, instance=instance),
        Bye(name=name, instance=instance),
        Work(token=_WORK_ID, lease_s=3.0, camera=name, seq=1, captured_ns=1, waited_ms=0.0, jpeg=jpeg),
        Picture(token=_WORK_ID, lease_s=3.0, file="a.jpg", data=jpeg),
        Result(
            name=name,
            instance=instance,
            token=_WORK_ID,
            camera=name,
            seq=1,
            captured_ns=1,
            gallery_version="1",
            faces=(face, face),
            timings=Timings(),
        ),
        Template(name=name, instance=instance, token=_WORK_ID, engine="e", encoding=bytes(512)),
        Taken(token=_WORK_ID),
        People(version="1", engine="e", persons=("A", "B"), owners=(0, 1), encodings=bytes(1024)),
        access,
        Guide(camera=name, captured_ns=1, frame_seq=1, advice=()),
        Fetch(name=name, instance=instance, source="", after_seq=0),
        a_log(access, access, source="aa"),
        Query(asker=f"{name}-1"),
        Entries(asker=f"{name}-1", logger=name, log="", cursor=0, lines=("a", "b")),
        Beat(
            node=name,
            instance=f"{name}-1",
            role=role,
            host="h",
            pid=1,
            version="1",
            uptime_s=1.0,
            counts={"a": 1},
            gauges={"b": 1.0},
        ),
        Unlock(asker=f"{name}-1", camera=name),
        Request(asker=f"{name}-1", token=_WORK_ID, to="broker", by="A", role="admin", wish=b"w"),
        Reply(asker=f"{name}-1", token=_WORK_ID, sender=name, answer=b"a"),
        Rivals(node=name, served=instance, refused=f"{name}-1"),
    ]


_JPEG = a_jpeg(4_000, size_px=SIZE_PX)
