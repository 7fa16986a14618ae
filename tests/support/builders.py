"""Whole, valid things with defaults, so that a test names only what it is about."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from turnstile.io.site.file import load
from turnstile.log.chain import START, Head, Link, Salts, extend
from turnstile.people.gallery import Gallery, build_gallery
from turnstile.protocol.fields import Box, Hint, Looks, Timings
from turnstile.protocol.messages import (
    Access,
    Beat,
    Face,
    Frame,
    Log,
    People,
    Picture,
    Ready,
    Result,
    Template,
    Verdict,
    Work,
)
from turnstile.protocol.reasons import Reason
from turnstile.protocol.requests import Act
from turnstile.protocol.state import State
from turnstile.site.settings import Site

START_NS = 1_700_000_000_000_000_000
"""A time of a camera's clock: 2023-11-14."""

FRAME_NS = 66_666_667
"""Time between two frames at 15 a second."""

TOKEN = "0123456789abcdef"


@cache
def a_jpeg(
    width_px: int = 64, height_px: int = 48, *, grey: bool = False, progressive: bool = False
) -> bytes:
    """Return a picture of soft noise, baseline unless it is to be progressive."""
    size = (height_px, width_px) if grey else (height_px, width_px, 3)
    pixels = np.random.default_rng(7).integers(90, 160, size, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", progressive=progressive)
    return file.getvalue()


def a_box(*, left: int = 100, top: int = 80, size: int = 60) -> Box:
    """Return the square box of a face."""
    return Box(left=left, top=top, right=left + size, bottom=top + size)


def a_face(
    person: str | None = "Barack Obama",
    *,
    distance: float | None = 0.3,
    second_distance: float | None = 0.8,
    left: int = 100,
    top: int = 80,
    size: int = 60,
) -> Face:
    """Return a face; somebody known unless `person` is none."""
    nobody = person is None
    return Face(
        box_px=a_box(left=left, top=top, size=size),
        person=person,
        distance=None if nobody else distance,
        second_distance=None if nobody else second_distance,
        sharpness=200.0,
    )


def a_stranger(*, left: int = 100, top: int = 80, distance: float = 0.75) -> Face:
    """Return a face that is nearest to somebody but far from everybody."""
    return a_face("Joe Biden", distance=distance, second_distance=distance + 0.05, left=left, top=top)


def a_frame(
    *,
    camera: str = "front_door",
    instance: str | None = None,
    seq: int = 1,
    captured_ns: int | None = None,
    jpeg: bytes | None = None,
    width_px: int = 64,
    height_px: int = 48,
) -> Frame:
    """Return a frame; its time follows from its number unless given."""
    return Frame(
        camera=camera,
        instance=f"{camera}-a1b2c3d4" if instance is None else instance,
        seq=seq,
        captured_ns=START_NS + seq * FRAME_NS if captured_ns is None else captured_ns,
        width_px=width_px,
        height_px=height_px,
        jpeg=a_jpeg(width_px, height_px) if jpeg is None else jpeg,
    )


def a_ready(
    *,
    name: str = "recognizer-1",
    instance: str = "recognizer-1-a1b2c3d4",
    credits: int = 1,  # noqa: A002 - the term of the field
    gallery_version: str = "",
) -> Ready:
    """Return a recognizer's word that it can take work."""
    return Ready(name=name, instance=instance, credits=credits, gallery_version=gallery_version)


def a_work(frame: Frame | None = None, *, token: str = TOKEN, hint: Hint | None = None) -> Work:
    """Return a frame as it is handed to a recognizer."""
    frame = frame or a_frame()
    return Work(
        token=token,
        lease_s=3.0,
        camera=frame.camera,
        seq=frame.seq,
        captured_ns=frame.captured_ns,
        waited_ms=1.5,
        jpeg=frame.jpeg,
        hint=hint,
    )


def a_picture(*, token: str = TOKEN, file: str = "barack_obama.jpg", data: bytes = b"picture") -> Picture:
    """Return an enrolment picture as it is handed to a recognizer."""
    return Picture(token=token, lease_s=20.0, file=file, data=data)


def a_result(
    *faces: Face,
    work: Work | None = None,
    token: str = TOKEN,
    camera: str = "front_door",
    seq: int = 1,
    captured_ns: int | None = None,
    name: str = "recognizer-1",
    instance: str = "recognizer-1-a1b2c3d4",
    full_scan: bool = True,
    problem: str = "",
) -> Result:
    """Return what a recognizer saw; when `work` is given, as its answer."""
    if work is not None:
        token, camera, seq, captured_ns = work.token, work.camera, work.seq, work.captured_ns
    return Result(
        token=token,
        name=name,
        instance=instance,
        camera=camera,
        seq=seq,
        captured_ns=START_NS + seq * FRAME_NS if captured_ns is None else captured_ns,
        gallery_version="v1",
        faces=faces,
        timings=Timings(decode_ms=1.0, detect_ms=20.0, encode_ms=5.0, match_ms=0.1, total_ms=26.1),
        full_scan=full_scan,
        problem=problem,
    )


def an_encoding(seed: int = 1) -> bytes:
    """Return 128 float32 of unit length, another for each seed."""
    return some_encodings(1, seed=seed).tobytes()


def some_encodings(count: int, *, seed: int = 1) -> npt.NDArray[np.float32]:
    """Return `(count, 128)` encodings of unit length."""
    rows = np.random.default_rng(seed).normal(size=(count, 128))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def some_looks(**others: float) -> Looks:
    """Return what a good picture looks like, but for what is named."""
    good = {
        "width_px": 150,
        "sharpness": 120.0,
        "brightness": 130.0,
        "contrast": 40.0,
        "side_light": 0.1,
        "turn": 0.05,
        "nod": 0.75,
        "spread": 0.08,
    }
    return msgspec.convert({**good, **others}, Looks)


def a_template(
    *,
    token: str = TOKEN,
    name: str = "recognizer-1",
    instance: str = "recognizer-1-a1b2c3d4",
    engine: str = "dlib-resnet-v1/raw",
    encoding: bytes | None = None,
    problem: str = "",
) -> Template:
    """Return the encoding of an enrolment picture, or the problem with it."""
    made = b"" if problem else an_encoding()
    return Template(
        token=token,
        name=name,
        instance=instance,
        engine=engine,
        encoding=made if encoding is None else encoding,
        problem=problem,
    )


def some_people(*persons: str) -> People:
    """Return a gallery of one encoding a person."""
    return People(
        version="v1",
        engine="dlib-resnet-v1/raw",
        persons=persons,
        owners=tuple(range(len(persons))),
        encodings=some_encodings(len(persons)).tobytes(),
    )


def an_access(
    seq: int = 1,
    *,
    source: str = "aaaa",
    camera: str = "front_door",
    verdict: Verdict = "granted",
    person: str | None = "Barack Obama",
    decided_ns: int = START_NS,
    visit: str | None = None,
    thumbnail: bytes = b"",
) -> Access:
    """Return a numbered decision."""
    return Access(
        source=source,
        seq=seq,
        camera=camera,
        verdict=verdict,
        reason=Reason.RECOGNISED if verdict == "granted" else Reason.UNKNOWN,
        person=person,
        distance=0.3124,
        votes=3,
        of=5,
        visit=f"{camera}-{seq}" if visit is None else visit,
        decided_ns=decided_ns,
        captured_ns=START_NS,
        frame_seq=seq,
        recognizer="recognizer-1",
        box_px=a_box(),
        thumbnail=thumbnail,
    )


def an_act(seq: int = 1, *, source: str = "aaaa", camera: str | None = "front_door") -> Act:
    """Return what the operator did."""
    return Act(
        source=source, seq=seq, visit=f"act-{seq}", camera=camera, asker="operator-1", at_ns=START_NS + seq
    )


def a_deed(
    words: str, seq: int = 1, *, by: str = "anna", deed: str = "enrol-picture", camera: str | None = None
) -> Act:
    """Return what an account did."""
    act = an_act(seq, camera=camera)
    return msgspec.structs.replace(act, by=by, role="clerk", deed=deed, words=words, asker="web-a1b2c3d4")


def a_log(*events: Access | Act, source: str = "aaaa", after_seq: int | None = None, reason: str = "") -> Log:
    """Return events as the journal answers a `Fetch`, by default one for the event before the first."""
    after = after_seq if after_seq is not None else events[0].seq - 1 if events else 0
    next_seq = events[0].seq if events else after + 1
    return Log(source=source, after_seq=after, next_seq=next_seq, events=events, reason=reason)


def some_links(*accesses: Access, log: str = "test/logger") -> list[Link]:
    """Return events as the first entries of a log, their salts made of their numbers."""
    head, links = START, list[Link]()
    for access in accesses:
        kinds = (b"p", b"t", b"n")
        salts = Salts(*(hashlib.sha256(b"%s%d" % (kind, head.number)).digest() for kind in kinds))
        links.append(extend(head, access, log=log, salts=salts))
        head = Head(links[-1].record.number, links[-1].hash)
    return links


def a_beat(
    *,
    node: str = "front_door",
    instance: str = "front_door-a1b2c3d4",
    state: State = State.LIVE,
    detail: str = "",
    uptime_s: float = 1.0,
    counts: Mapping[str, int] | None = None,
) -> Beat:
    """Return a capture node's beat."""
    return Beat(
        node=node,
        instance=instance,
        role="capture",
        host="here",
        pid=1,
        version="0",
        uptime_s=uptime_s,
        state=state,
        detail=detail,
        counts={"frames_in": 3} if counts is None else dict(counts),
        gauges={"frames_in_per_s": 15.0},
    )


def write_site(folder: Path, *more: str, cameras: Sequence[str] = ("front_door",)) -> Path:
    """Write a site file whose bus is in `folder`, and return its path; `more` are further lines.

    The folder's path must be short: an ipc address holds 107 characters.
    """
    file = folder / "site.yaml"
    lines = [
        "site: test",
        "gallery: {faces: faces, cache: cache}",
        "cameras:",
        *(f"  {camera}: {{source: 0}}" for camera in cameras),
        *more,
    ]
    if not any(line.startswith("broker:") for line in more):
        lines.append(
            f"broker: {{ingress: 'ipc://{folder}/in', egress: 'ipc://{folder}/out', journal: journal.db}}"
        )
    file.write_text("\n".join(lines) + "\n")
    return file


def a_site(folder: Path, *more: str, cameras: Sequence[str] = ("front_door",)) -> Site:
    """Return a site whose bus is in `folder`; `more` are further lines of its file."""
    return load(write_site(folder, *more, cameras=cameras))


def a_gallery_of(*people: tuple[str, float]) -> Gallery:
    """Return a gallery of one picture a person: all components zero, but for the first one given."""
    rows = np.zeros((len(people), 128), "<f4")
    rows[:, 0] = [first for _, first in people]
    return build_gallery(
        "dlib-resnet-v1/raw", [(name, row.tobytes()) for (name, _), row in zip(people, rows, strict=True)]
    )
