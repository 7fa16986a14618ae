"""The recognition desk: a frame becomes faces with names and distances, an enrolment picture an encoding.

Policy: a frame or picture that cannot be decoded or used is answered with the problem and counted.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field

from turnstile.errors import ConfigError, PictureError
from turnstile.people.gallery import EMPTY, Gallery, from_message
from turnstile.protocol.fields import MAX_FACES, Timings
from turnstile.protocol.messages import Face, People, Picture, Result, Template, Work
from turnstile.vision.encode.liveness import AliveNetwork
from turnstile.vision.encode.thumbnails import thumbnail
from turnstile.vision.engines.crowds import CrowdWatch
from turnstile.vision.engines.engine import Analysis, Engine
from turnstile.vision.engines.sideways import SidewaysWatch
from turnstile.vision.pictures import decode_enrolment

MAX_THUMBNAILS = 4
"""Encoded faces of a frame that get a thumbnail."""

MAX_PROBLEM_CHARS = 500

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class RecognitionDesk:
    """One engine, and the gallery as the broker last sent it."""

    name: str
    """The recognizer's, which signs each answer."""
    instance: str
    engine: Engine
    network: AliveNetwork | None = None
    """Tells how likely faces are alive, where the broker asks; `None` if the owner supplied none."""
    gallery: Gallery = EMPTY
    counts: Counter[str] = field(default_factory=Counter)
    last_ms: float = 0.0
    """How long the latest frame took."""
    sideways: SidewaysWatch = field(init=False)
    """Which cameras seem to be mounted sideways."""
    crowds: CrowdWatch = field(default_factory=CrowdWatch)
    """Which cameras see more faces than are encoded."""

    def __post_init__(self) -> None:
        """Let turned frames be searched by the same engine."""
        self.sideways = SidewaysWatch(count_faces=lambda jpeg: len(self.engine.analyse(jpeg).boxes_px))

    @property
    def hints(self) -> str:
        """Return what people should know of the cameras; empty if there is nothing."""
        crowds = self.crowds.hints(time.monotonic())
        return "; ".join([*self.sideways.hints.values(), *crowds.values()])

    def take(self, work: Work | Picture) -> Result | Template:
        """Return the answer to a piece of work."""
        return self._recognize(work) if isinstance(work, Work) else self._encode(work)

    def replace_gallery(self, people: People) -> None:
        """Compare faces with these people from now on.

        Raises:
            ConfigError: their encodings are another engine's.
            WireError: the message contradicts itself.
        """
        mine = self.engine.description.encoding
        if people.engine != mine:
            raise ConfigError(
                f"the site's encodings are {people.engine}, this recognizer makes {mine}: same site file?"
            )
        self.gallery = from_message(people)

    def _recognize(self, work: Work) -> Result:
        began = time.perf_counter()
        self.counts["frames_in"] += 1
        problem, match_ms = "", 0.0
        faces: tuple[Face, ...] = ()
        analysis: Analysis | None = None
        try:
            analysis = self.engine.analyse(work.jpeg, hint=work.hint)
            matching = time.perf_counter()
            faces = self._name_faces(analysis, check_alive=work.check_alive)
            match_ms = (time.perf_counter() - matching) * 1e3
            hint = self.crowds.note(
                work.camera, found=len(faces), left_out=analysis.left_out, now_s=time.monotonic()
            )
            if hint:
                log.warning("%s", hint)
            if analysis.full_scan and (hint := self.sideways.note(work.camera, work.jpeg, faces=len(faces))):
                log.warning("%s", hint)
        except PictureError as error:
            self.counts["bad_frames"] += 1
            problem = str(error)[:MAX_PROBLEM_CHARS]
        total_ms = (time.perf_counter() - began) * 1e3
        self.counts.update(faces=len(faces), busy_ms=round(total_ms))
        self.last_ms = round(total_ms, 2)
        return Result(
            token=work.token,
            name=self.name,
            instance=self.instance,
            camera=work.camera,
            seq=work.seq,
            captured_ns=work.captured_ns,
            gallery_version=self.gallery.version,
            faces=faces,
            timings=Timings(
                decode_ms=analysis.decode_ms if analysis else 0.0,
                detect_ms=analysis.detect_ms if analysis else 0.0,
                encode_ms=analysis.encode_ms if analysis else 0.0,
                match_ms=match_ms,
                total_ms=total_ms,
            ),
            waited_ms=work.waited_ms,
            full_scan=analysis is None or analysis.full_scan,
            problem=problem,
        )

    def _name_faces(self, analysis: Analysis, *, check_alive: bool) -> tuple[Face, ...]:
        """Return the faces, those first that were encoded: the broker looks at so many of a frame."""
        picture, boxes = analysis.picture_rgb, analysis.boxes_px[:MAX_FACES]
        encoded = range(len(boxes)) if analysis.encoded is None else analysis.encoded
        encodings = analysis.encodings[: len(encoded)]
        network = self.network if check_alive else None
        faces: list[Face] = []
        matches = self.gallery.match(encodings)
        turns = analysis.turns[: len(encoded)]
        for at, match, encoding, turn in zip(encoded, matches, encodings, turns, strict=True):
            shown = picture is not None and len(faces) < MAX_THUMBNAILS
            faces.append(
                Face(
                    box_px=boxes[at],
                    person=match.person,
                    distance=match.distance,
                    second_distance=match.second_distance,
                    sharpness=analysis.sharpness[at],
                    encoding=encoding.astype("<f4").tobytes(),
                    turn=turn,
                    alive=network.alive(picture, boxes[at]) if network and picture is not None else None,
                    thumbnail=thumbnail(picture, boxes[at]) if picture is not None and shown else b"",
                )
            )
        found = [at for at in range(len(boxes)) if at not in encoded]
        self.counts["faces_unread"] += analysis.left_out
        self.counts["faces_found_only"] += len(found) - analysis.left_out
        unread = [Face(box_px=boxes[at], sharpness=analysis.sharpness[at], unread=True) for at in found]
        return (*faces, *unread)

    def _encode(self, picture: Picture) -> Template:
        self.counts["pictures_in"] += 1
        encoding, problem, looks = b"", "", None
        try:
            face = self.engine.enrol(decode_enrolment(picture.data))
            encoding, looks = face.encoding.astype("<f4").tobytes(), face.looks
        except PictureError as error:
            self.counts["bad_pictures"] += 1
            problem = str(error)[:MAX_PROBLEM_CHARS]
        return Template(
            token=picture.token,
            name=self.name,
            instance=self.instance,
            engine=self.engine.description.encoding,
            encoding=encoding,
            looks=looks,
            problem=problem,
        )
