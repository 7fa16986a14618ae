"""The site file: one YAML document, decoded straight into these structs.

Unknown keys, wrong types and values out of range are refused with their path. Paths in the file are
relative to the file; secrets never stand in it.
"""

import re
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from turnstile.errors import ConfigError
from turnstile.protocol.fields import MAX_NAME_CHARS, Name
from turnstile.protocol.roles import WEB
from turnstile.site.fields import (
    MAX_COUNT,
    MINIFASNET_SHA256,
    Address,
    Endpoint,
    HostName,
    Listen,
    Path,
    PathOrAddress,
    Place,
    PlaceOrAddress,
    Sha256,
    Url,
)
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.web import UnknownsSettings, WebSettings, refuse_open_pages

_LIKE_A_DATABASE = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:/|(?i:\b(host|user|dbname|password)\s*=)")
"""What is no path: an address, or words as libpq takes them."""
_DATABASE = re.compile(r"postgresql://([^@/:?#]*@)?(?!.*[?&](ssl)?password=)[^@\s]*")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the site file: immutable, unknown keys refused."""


class HostSettings(Section, frozen=True, kw_only=True):
    """One machine."""

    address: Address
    """How the other machines reach it."""


class BrokerSettings(Section, frozen=True, kw_only=True):
    """Where the broker is and what it lets through."""

    ingress: Endpoint = "tcp://127.0.0.1:5755"
    """Where nodes send to."""
    egress: Endpoint = "tcp://127.0.0.1:5756"
    """Where nodes listen."""
    bind_host: str = ""
    """Address to bind when it is not the one that nodes connect to, such as ``0.0.0.0``; empty: the same."""
    lease_s: Annotated[float, Meta(ge=0.1, le=60)] = 3.0
    """How long a recognizer may take over a frame before it is written off."""
    max_frame_bytes: Annotated[int, Meta(ge=10_000, le=32 * 2**20)] = 4 * 2**20
    """The largest JPEG of a frame, in bytes."""
    max_frame_px: Annotated[int, Meta(ge=10_000, le=100_000_000)] = 9_000_000
    """The largest frame, width times height."""
    journal: Path = "../var/journal.db"
    """Decisions that the loggers have not fetched yet, and who stands at which door."""
    max_cameras: Annotated[int, Meta(ge=1, le=4096)] = 256
    """Most cameras whose frames are taken, named in the file or not."""
    max_recognizers: Annotated[int, Meta(ge=1, le=4096)] = 1024
    """Most recognizers that are given work."""
    host: str = ""
    """Which of the site's `hosts` it runs on; where neither `ingress` nor `egress` is stated, they are ports
    5755 and 5756 of that host's address."""


class KeysSettings(Section, frozen=True, kw_only=True):
    """Who is let in: everybody else is not, and all traffic is encrypted."""

    folder: Path = "../keys"
    """Folder of CURVE keys, made by ``turnstile keys``; a node's machine needs only its own key in it."""


class MetricsSettings(Section, frozen=True, kw_only=True):
    """What the broker tells a monitoring system over HTTP: ``/metrics``, ``/healthz`` and ``/readyz``."""

    listen: Listen = "127.0.0.1:9464"
    """Where it answers; port 0 is any free one, and the broker's output says which."""
    open: bool = False
    """Needed to listen where other machines can reach it: it asks nobody for a password, and tells the names
    of nodes, cameras and machines and how busy each door is, though nobody's face or name."""


class GallerySettings(Section, frozen=True, kw_only=True):
    """Who is enrolled."""

    faces: Path = "../faces"
    """Folder of ``first_last.jpg`` pictures, on the broker's machine."""
    cache: Path = "../var/encodings"
    """Folder for encodings by picture hash, on the broker's machine."""
    anchors: Place = ""
    """Folder for the faces of which `turnstile not` said that they are not a person's, on the broker's
    machine. Empty: beside the faces folder, under its name and ``.anchors``."""

    @property
    def anchors_folder(self) -> str:
        """Return the folder of anchors, with the default filled in."""
        return self.anchors or f"{self.faces}.anchors"


class CameraSettings(Section, frozen=True, kw_only=True):
    """One camera, whose capture node bears its name."""

    source: (
        Annotated[int, Meta(ge=0, le=1023)] | PathOrAddress | Annotated[tuple[Path, ...], Meta(min_length=1)]
    )
    """Webcam number, device path, RTSP or HTTP address, video file, folder or list of pictures."""
    size_px: tuple[Annotated[int, Meta(ge=16, le=16384)], Annotated[int, Meta(ge=16, le=16384)]] | None = None
    """Width and height to ask of a webcam, or to scale anything else down to, before it is turned. None: as
    it comes, but no larger than faces of ``recognition.min_face_px`` need: 1920x1080 for 40."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees to turn each picture clockwise, for a camera that is mounted sideways or upside down. Faces are
    found upright only."""
    max_fps: Annotated[float, Meta(gt=0, le=240)] = 15.0
    """Frames a second at most; for pictures, the rate."""
    jpeg_quality: Annotated[int, Meta(ge=10, le=100)] = 85
    """Of the frames that are sent; lower is smaller, and blurs faces."""
    loop: bool = False
    """Start a video file or a folder again at its end."""
    read_timeout_s: Annotated[float, Meta(ge=0.2, le=60)] = 5.0
    """Without a new picture for so long, the camera counts as lost and is opened again."""
    host: str = ""
    """Which of the site's `hosts` it runs on."""


class RecognizerSettings(Section, frozen=True, kw_only=True):
    """Recognizers that the site expects; any number may join beyond those named."""

    host: str = ""
    """Which of the site's `hosts` they run on."""
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] | Literal["auto"] = 1
    """How many processes: ``NAME-1``, ``NAME-2`` and so on, or ``NAME`` if it is one; ``auto`` is one for
    each core of its host. One key, of NAME, serves all of them."""


class LockoutSettings(Section, frozen=True, kw_only=True):
    """When a door is locked for a while because too many visits were denied. Unmeasured."""

    max_denials: Annotated[int, Meta(ge=0, le=10_000)] = 10
    """Denials of people, known or not, that lock the door; 0: never. Faces too small, too blurred or
    recognized too late are not counted."""
    window_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    """Within this time."""
    lock_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 15.0
    """How long the first time; each time soon after the last it is twice as long."""
    max_lock_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 300.0
    """How long at most."""


UNIT_BOUNDS = {"max_distance": 0.32, "stranger_rate": 0.001, "min_margin": 0.04, "link_distance": 0.30}
"""The bounds for encodings of unit length, which lie closer together than raw ones, where a site file states
none. Measured for ``mirror+paddings`` (2026-11). On LFW, 0.32 accepts 75 % of 158 pairs of one person's
pictures taken years apart and 0.003 % of 99,224 impostor pairs; raw encodings at 0.45 accept 56 % and
0.004 %. In the clips of `benchmarks.visits`, from enrolment frames of another clip, 99 % of a person's frames
lie within 0.30 of them and of one of the three frames before; the nearest other person's frame at 0.306."""


Liveness = Literal["off", "passive"]


class DecisionSettings(Section, frozen=True, kw_only=True):
    """When a visit is granted or denied. Defaults of distances are those for raw dlib encodings."""

    max_distance: Annotated[float, Meta(gt=0, le=2)] = 0.45
    """Largest encoding distance that counts as the person. On LFW, 0.0036 % of impostor pairs lie under 0.45
    for raw dlib encodings and 0.024 % under 0.50 (86 million pairs); at 0.50 two of the three people in the
    clips of `benchmarks.visits` are taken for one another (2026-11)."""
    stranger_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Share of strangers at the door who may be taken for somebody, one frame each. Each enrolled person's
    largest distance follows from it, from how many people are enrolled and from how many pictures that
    person has (`turnstile.people.risk`); `max_distance` holds besides, for who has one picture. Of 1 in
    1,000 stated, 0.1 to 1.0 were taken on people apart (`benchmarks.people`, 10 to 500 enrolled, 2026-11).
    Empty: `max_distance` alone counts, as it does where the file states that and no rate. Raw encodings have
    no such table."""
    min_margin: Annotated[float, Meta(ge=0, le=2)] = 0.05
    """How much farther the second-best person must be."""
    link_distance: Annotated[float, Meta(gt=0, le=2)] = 0.45
    """Largest distance between encodings of a face in two frames for it to be one visit. At 10 results a
    second, 99 % of a person's frames lie within 0.43 of one of the three before, hands before the face
    included; of 12,392 pairs of frames of two people none lies below 0.45 (`benchmarks.visits`,
    2026-11, raw dlib encodings)."""
    votes_needed: Annotated[int, Meta(ge=1, le=100)] = 3
    """Frames that must agree on the person. Two more are needed of two more where the person is near the
    limit, and `deny_not_before_s` in view."""
    votes_of: Annotated[int, Meta(ge=1, le=100)] = 5
    """Among this many latest frames of the visit."""
    window_s: Annotated[float, Meta(gt=0, le=600)] = 5.0
    """Votes of frames that came longer ago than this no longer count."""
    deny_after_votes: Annotated[int, Meta(ge=1, le=1000)] = 8
    """Usable frames of a visit without a grant after which it is denied. Unmeasured."""
    deny_not_before_s: Annotated[float, Meta(ge=0, le=60)] = 0.6
    """Time in view before that, so that a fast camera does not deny in the blink of an eye. Twice as long
    while `votes_needed` of the latest votes name one person. Unmeasured."""
    deny_after_s: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """Time in view without a grant after which a visit is denied whatever its frames were. Unmeasured."""
    absence_s: Annotated[float, Meta(gt=0, le=600)] = 2.0
    """Observed absence that ends a visit. Time counts only while the camera's frames are being recognized."""
    max_result_age_s: Annotated[float, Meta(gt=0, le=600)] = 2.0
    """A frame that took longer than this from the broker and back does not vote."""
    min_face_px: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """Narrower faces do not vote; 0: every face found votes. The rules file may set it for a door."""
    min_sharpness: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Faces less sharp than this do not vote: variance of the Laplacian of the face at 100x100 pixels."""
    nearest_only: bool = False
    """Only the biggest face in view votes. The rules file may set it for a door."""
    liveness: Liveness = "off"
    """``passive``: who is recognised is granted only when the face has moved as living ones do, after at
    least 8 frames, and denied otherwise. It stops stills, not replays. The rules file may set it for a
    door."""
    liveness_network: Place = ""
    """Silent-Face's `2.7_80x80_MiniFASNetV2.pth`, on each recognizer's machine. With it doors with `passive`
    also deny faces that are shown on something, by their first 8 frames. Empty: none."""
    liveness_sha256: Sha256 = MINIFASNET_SHA256
    """SHA-256 of that file. Weights of your own have another; their errors are yours to measure."""
    max_stranger_rate: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of trials among the enrolled pictures in which somebody is taken for somebody else, above which
    the broker warns."""
    grant_valid_s: Annotated[float, Meta(gt=0, le=600)] = 5.0
    """How long after the decision an actuator may still open the door."""
    rules: Place = ""
    """Who may use which door when, on the broker's machine; everyone enrolled everywhere if there is no such
    file. Empty: ``rules.yaml`` beside the faces folder."""
    record: Place = ""
    """File to which all results are appended, without pictures, for `turnstile replay`; empty: none."""
    lockout: LockoutSettings = LockoutSettings()
    """In site files from before 2026-12 it is called ``throttle``, which is still read."""


class LoggerSettings(Section, frozen=True, kw_only=True):
    """The node that writes the access log."""

    file: Path = "../access_log.txt"
    """The log as lines to read, written from the store."""
    store: PlaceOrAddress = ""
    """Where entries are kept: a SQLite file, or ``postgresql://user@host/database`` for many sites in one.
    No password stands here, but in ``~/.pgpass``. Empty: a file beside `file` that ends in ``.db``."""
    witness: Place = ""
    """File to which the chain's newest hash is added every minute; it belongs on another disk or machine.
    Empty: none."""
    keep_thumbnails_days: Annotated[float, Meta(ge=0, le=36_500)] = 0
    """Pictures of faces are removed from the log after so many days; 0: never."""
    keep_entries_days: Annotated[float, Meta(ge=0, le=36_500)] = 0
    """Entries are removed from the log after so many days; 0: never."""
    host: str = ""
    """Which of the site's `hosts` it runs on."""

    def __post_init__(self) -> None:
        """Refuse pictures that would outlive their entries, and addresses that hold a password."""
        if _LIKE_A_DATABASE.search(self.store) and not _DATABASE.fullmatch(unquote(self.store)):
            raise ConfigError(
                "an address looks like postgresql://user@host/database, without a password, which "
                "belongs into ~/.pgpass",
                place=("store",),
            )
        if 0 < self.keep_entries_days < self.keep_thumbnails_days:
            raise ConfigError(
                f"{self.keep_thumbnails_days:g} is greater than keep_entries_days, which removes both",
                place=("keep_thumbnails_days",),
            )

    @property
    def store_address(self) -> str:
        """Return the store's path or address, with the default filled in."""
        return self.store or str(PurePath(self.file).with_suffix(".db"))


class WebhookSettings(Section, frozen=True, kw_only=True):
    """A web address that gets each access event."""

    url: Url
    """Where each event is posted, as docs/integrations.md says."""
    secret_file: Path
    """Owner-only file with at least 16 bytes, which requests are signed with."""
    state_file: Path
    """Where to keep how far the events were sent."""


class DisplaySettings(Section, frozen=True, kw_only=True):
    """One window."""

    cameras: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """Which cameras it shows, tiled; none named: all."""
    audience: Literal["operator", "door"] = "operator"
    """Who reads it. ``door``: the public; names of people who are granted only, no distances and no technical
    words, and where something fails, "Out of order, please ring"."""
    stale_after_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.5
    """Age of the newest result, on the camera's clock, after which local Haar detection takes over."""
    banner_s: Annotated[float, Meta(ge=0.1, le=60)] = 4.0
    """How long ACCESS GRANTED or ACCESS DENIED stays up."""
    fullscreen: bool = False
    """Fill the screen, without a frame."""
    size_px: tuple[Annotated[int, Meta(ge=160, le=16384)], Annotated[int, Meta(ge=120, le=16384)]] = (
        1280,
        720,
    )
    """Width and height of the window and of a recording."""
    host: str = ""
    """Which of the site's `hosts` it runs on."""


class Site(Section, frozen=True, kw_only=True):
    """A whole site."""

    site: Name
    """The site's name, which its log bears."""
    hosts: dict[HostName, HostSettings] = {}
    """The machines. None: everything runs on one. Else each node says which one it runs on."""
    cameras: Annotated[dict[Name, CameraSettings], Meta(min_length=1)]
    broker: BrokerSettings = BrokerSettings()
    keys: KeysSettings | None = None
    """Needed wherever another machine can reach the broker, and then there without being named."""
    metrics: MetricsSettings | None = None
    """Without this section the broker answers no HTTP; ``metrics: {}`` is enough on one machine."""
    gallery: GallerySettings = GallerySettings()
    recognition: RecognitionSettings = RecognitionSettings()
    recognizers: dict[Name, RecognizerSettings] = {}
    decision: DecisionSettings = DecisionSettings()
    loggers: dict[Name, LoggerSettings] = {}
    displays: dict[Name, DisplaySettings] = {}
    webhooks: dict[Name, WebhookSettings] = {}
    web: WebSettings | None = None
    """Without this section there are no pages; ``web: {}`` is enough on one machine."""
    unknowns: UnknownsSettings = UnknownsSettings()

    def __post_init__(self) -> None:
        """Refuse what no single field can see to be wrong."""
        if self.decision.votes_needed > self.decision.votes_of:
            raise ConfigError("must not be greater than votes_of", place=("decision", "votes_needed"))
        if self.decision.votes_needed > self.decision.deny_after_votes:
            raise ConfigError(
                "must not be greater than deny_after_votes: nobody could enter",
                place=("decision", "votes_needed"),
            )
        if self.broker.ingress == self.broker.egress:
            raise ConfigError("must not be the address of ingress", place=("broker", "egress"))
        self._refuse_shared_names()
        self._refuse_names_of_processes()
        if self.hosts:
            self._refuse_unknown_hosts()
        refuse_open_pages(self.web)
        for name, display in self.displays.items():
            unknown = next((one for one in display.cameras if one not in self.cameras), None)
            if unknown is not None:
                known, place = ", ".join(sorted(self.cameras)), ("displays", name, "cameras")
                raise ConfigError(f"no camera is named {unknown!r}; there are: {known}", place=place)

    def _refuse_shared_names(self) -> None:
        owners: dict[str, str] = {"broker": "the broker", WEB: "the web node"}
        for section in ("cameras", "recognizers", "loggers", "displays", "webhooks"):
            for name in getattr(self, section):
                if name in owners:
                    raise ConfigError(
                        f"the name is taken by {owners[name]}; node names are unique", place=(section, name)
                    )
                owners[name] = f"{section}.{name}"

    def _refuse_names_of_processes(self) -> None:
        """Refuse a node that is called like one of the numbered processes of a recognizer."""
        for base, recognizer in self.recognizers.items():
            count = MAX_COUNT if recognizer.count == "auto" else recognizer.count
            if count > 1 and len(f"{base}-{count}") > MAX_NAME_CHARS:
                raise ConfigError(
                    f"a name of {len(base)} characters; its processes are called "
                    f"{base}-1 and so on, in at most {MAX_NAME_CHARS}",
                    place=("recognizers", base),
                )
            for section in ("cameras", "recognizers", "loggers", "displays", "webhooks"):
                for name in getattr(self, section) if count > 1 else ():
                    if re.fullmatch(rf"{re.escape(base)}-\d+", name):
                        raise ConfigError(
                            f"the name is one of recognizers.{base}'s processes", place=(section, name)
                        )

    def _refuse_unknown_hosts(self) -> None:
        placed: dict[tuple[str, ...], str] = {("broker",): self.broker.host}
        for section in ("cameras", "recognizers", "loggers", "displays"):
            placed |= {(section, name): node.host for name, node in getattr(self, section).items()}
        if self.web is not None:
            placed["web",] = self.web.host
        known = ", ".join(self.hosts)
        for place, host in placed.items():
            if not host:
                raise ConfigError(
                    f"the key host is missing, since the site names its hosts; there are: {known}",
                    place=place,
                )
            if host not in self.hosts:
                raise ConfigError(f"no host is named {host!r}; there are: {known}", place=(*place, "host"))
