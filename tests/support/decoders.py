"""Everything that reads what others wrote: how to feed it, examples to damage, and what it may raise.

Whatever the bytes, a decoder returns something or raises one of its own documented errors; it neither hangs
nor takes memory without bound. `benchmarks.fuzz` damages the examples at random, `benchmarks.fuzz_guided`
lets coverage guide the damage, and the tests run what once went wrong.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import yaml
from zmq.utils import z85

from tests.support.asking import a_request
from tests.support.messages import one_of_each
from tests.support.processes import ROOT
from tests.support.pth import ORDERED_DICT, framed, pth, tensor, text
from turnstile.access import replay, rules
from turnstile.errors import ConfigError, LogError, ModelError, PictureError, TurnstileError, WireError
from turnstile.io.access import recording, rules_file
from turnstile.io.access.rules_file import Places
from turnstile.io.bus import bundle, keys
from turnstile.io.requests.rules_text import RulesText
from turnstile.io.site import file
from turnstile.log import lines as accesslog
from turnstile.people.gallery import from_message
from turnstile.protocol.jpeg import check_jpeg
from turnstile.protocol.messages import Access, Frame, People, Result, Work, decode, encode
from turnstile.protocol.permissions import may_subscribe, why_not_send
from turnstile.protocol.roles import ROLES, Identity
from turnstile.requests import rules_edits
from turnstile.requests.accounts import MAY, why_not
from turnstile.requests.answers import (
    Done,
    EnrolledPictureState,
    PeopleFound,
    PersonEntry,
    decode_answer,
    encode_answer,
)
from turnstile.requests.wishes import (
    EnrolPicture,
    FindVisits,
    IgnoreUnknowns,
    SetValidity,
    decode_wish,
    encode_wish,
)
from turnstile.vision.models import dlib_file, torch_file

MAX_FRAME_BYTES, MAX_FRAME_PX = 4 * 2**20, 9_000_000

EXTREMES = (
    *(b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"),
    *(
        b"\x88\xff\xff\xff\xff\xff\xff\xff\xff",
        b"1e999",
        b"-1",
        b"null",
        b"{",
        b"[",
        b"\n",
        b": ",
        b"99999999999",
    ),
)
"""MessagePack's longest arrays and maps, its unused byte, dlib's lowest integer, and what text turns on."""


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Something that reads what others wrote."""

    feed: Callable[[bytes, Path], str]
    """Takes the bytes and a folder for a file of them, and returns what came of it in a few words."""
    refusals: tuple[type[Exception], ...]
    """What it may raise."""
    seeds: Callable[[], Sequence[bytes]]

    def outcome(self, data: bytes, folder: Path) -> str:
        """Return what came of the bytes; anything but a refusal is raised."""
        try:
            return self.feed(data, folder)
        except self.refusals:
            return "refused"


def mutate(chance: random.Random, body: bytes, others: Sequence[bytes]) -> bytes:
    """Return bytes with one to four kinds of damage."""
    damaged = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        at = (
            chance.randrange(len(damaged) + 1)
            if chance.random() < 0.3
            else chance.randrange(len(damaged[:400]) + 1)
        )
        match chance.randrange(6):
            case 0 if damaged:
                damaged[min(at, len(damaged) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del damaged[at : at + chance.randrange(1, 40)]
            case 2:
                damaged[at:at] = damaged[at : at + chance.randrange(1, 40)]
            case 3:
                other = chance.choice(others) or b"\0"
                start = chance.randrange(len(other))
                damaged[at : at + chance.randrange(40)] = other[start : start + chance.randrange(1, 40)]
            case 4:
                damaged[at : at + 1] = chance.choice(EXTREMES)
            case _:
                del damaged[chance.randrange(len(damaged) + 1) :]
    return bytes(damaged)


def _message(data: bytes, _folder: Path) -> str:
    """Go the way of a message in the broker, and in a node."""
    message = decode(data)
    said = sum(not why_not_send(Identity(role, "front_door"), "frame.front_door.", message) for role in ROLES)
    may_subscribe(Identity("observer", "front_door"), str(getattr(message, "camera", "")))
    if isinstance(message, Frame | Work):
        check_jpeg(message.jpeg, max_bytes=MAX_FRAME_BYTES, max_px=MAX_FRAME_PX)
    if isinstance(message, People):
        from_message(message)
    return "decoded, and its role may say it" if said else "decoded, and nobody may say it"


def _picture(data: bytes, _folder: Path) -> str:
    check_jpeg(data, max_bytes=MAX_FRAME_BYTES, max_px=MAX_FRAME_PX)
    return "safe to decode"


def _site(data: bytes, folder: Path) -> str:
    file.load(_file(folder / "site.yaml", data))
    return "a site"


def _rules(data: bytes, folder: Path) -> str:
    read = rules_file.load(_file(folder / "rules.yaml", data), doors=("front_door", "store"))
    rules_file.local_time(read, 1.8e9)
    return "rules"


def _rules_edit(data: bytes, folder: Path) -> str:
    """Change whatever stands in the rules file in each way."""
    text = RulesText(Places(_file(folder / "rules.yaml", data)), doors=("front_door", "store"))
    text.changed(lambda found: rules_edits.block(found, "Ann Lee"))
    text.changed(lambda found: rules_edits.set_validity(found, "Ann Lee", "2026-01-01", ""))
    text.changed(lambda found: rules_edits.rename(found, "Ann Lee", "Ann Roe"))
    text.changed(lambda found: rules_edits.forget(found, "Carl Moe"))
    return "changed"


def _wish(data: bytes, _folder: Path) -> str:
    """Go the way of a wish in the broker and in a logger."""
    wish = decode_wish(data)
    may = [role for role in MAY if not why_not(a_request(data, role=role, doors=("front_door",)), wish)]
    return f"may be had by {len(may)} roles"


def _answer(data: bytes, _folder: Path) -> str:
    decode_answer(data)
    return "an answer"


def _model(data: bytes, _folder: Path) -> str:
    dlib_file.read(data, name="model.dat")
    return "a network"


def _torch_file(data: bytes, _folder: Path) -> str:
    torch_file.read(data, name="network.pth")
    return "tensors"


def _bundle(data: bytes, folder: Path) -> str:
    bundle.unpack(_file(folder / "a.bundle", data), folder / "unpacked")
    return "unpacked"


def _key(data: bytes, folder: Path) -> str:
    made = keys.KeyFolder(folder / "keys")
    path = folder / "keys" / "capture" / "front_door.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    _file(path, data)
    if not made.registry():
        raise ConfigError("left out")
    return "a key"


def _recording(data: bytes, folder: Path) -> str:
    count = sum(1 for _ in recording.read(_file(folder / "results", data)))
    return "some records" if count else "no records"


def _log_line(data: bytes, _folder: Path) -> str:
    line = data.decode("utf-8", "replace")
    accesslog.event_of(line)
    accesslog.without_person(line, "Ann Lee", "erased")
    accesslog.parse_entry(line)
    return "an entry"


@cache
def _messages() -> list[bytes]:
    return [encode(message) for message in one_of_each()]


def _records() -> list[bytes]:
    results = [message for message in one_of_each() if isinstance(message, Result)]
    accesses = [message for message in one_of_each() if isinstance(message, Access)]
    records = [replay.taken(one, came_ns=1, age_s=0.1, at_ns=1) for one in results] + [
        replay.told(one) for one in accesses
    ]
    return [b"".join(len(one).to_bytes(4) + one for one in records)]


def _rules_examples() -> list[bytes]:
    lines = [line[4:] for line in (rules.__doc__ or "").splitlines() if line.startswith("    ")]
    return [
        "\n".join(lines).encode(),
        b"blocked: [Ann Lee]\nholidays: [2026-12-25]\ntimezone: Europe/Vienna\n",
    ]


def _wishes() -> list[bytes]:
    return [
        encode_wish(FindVisits(person="Ann", event="9f3a:17", at_most=2)),
        encode_wish(EnrolPicture(person="Ann", data=b"picture")),
        encode_wish(IgnoreUnknowns(unknowns=("9f3a:17",))),
        encode_wish(SetValidity(person="Ann", from_day="2026-01-01")),
    ]


def _answers() -> list[bytes]:
    entry = PersonEntry(
        person="Ann", pictures=(EnrolledPictureState(file="ann.jpg", state="used"),), limit=0.3
    )
    return [
        encode_answer(PeopleFound(people=(entry,), own_distances=(0.1,))),
        encode_answer(Done(words="done")),
    ]


def _site_examples() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]


def _bundles() -> list[bytes]:
    key = z85.encode(bytes(32)).decode()
    holders = tuple(bundle.Holder(name=f"some_{role}", role=role, public=key, secret=key) for role in ROLES)
    text = yaml.safe_dump({"site": "home", "keys": {"folder": "keys"}, "cameras": {"door": {"source": 0}}})
    return [msgspec.json.encode(bundle.Bundle(broker_public=key, holders=holders, site=text))]


def _keys() -> list[bytes]:
    key = z85.encode(bytes(range(32))).decode()
    return [f'#   ZeroMQ CURVE\ncurve\n    public-key = "{key}"\n    secret-key = "{key}"\n'.encode()]


def _torch_files() -> list[bytes]:
    """Return a file of two tensors, and one whose tensor is a part of its storage."""
    row = np.arange(6, dtype=np.float32)
    part = ORDERED_DICT + b"(" + text("part") + tensor("row", (2, 2), offset=1) + b"u"
    return [pth({"row": row, "table": row.reshape(2, 3)}), framed(part, {"row": row})]


def _models() -> list[bytes]:
    """Return a network of each kind in small: with an affine layer and a matrix, and a detector's."""
    convolution = [
        *(_tag("con_4"), _tensor(1, 1, 1, 2 * 3 * 3 * 3 + 2)),
        *map(_integer, (2, 3, 3, 1, 1, 0, 0)),
        *(_alias(2, 3, 3, 3), _alias(1, 2, 1, 1)),
    ]
    image = [_tag("input_rgb_image_sized"), *(_real() for _ in range(3))]
    pool = [_tag("max_pool_2"), *map(_integer, (3, 3, 2, 2, 0, 0))]
    affine = [_tag("affine_"), _tensor(1, 4, 1, 1)]
    matrix = [_tag("fc_2"), _integer(2), _integer(3), _tensor(3, 2, 1, 1)]
    metric = [_tag("loss_metric_2"), *image, *convolution, *affine, _tag("relu_"), *pool, *matrix]
    options = [_integer(1), _integer(80), _integer(80), *(_real() for _ in range(5))]
    normalized = [
        *(_tag("bn_con2"), _tensor(1, 4, 1, 1), _alias(1, 2, 1, 1), _alias(1, 2, 1, 1)),
        *(_tensor(1, 2, 1, 1) for _ in range(4)),
        *(_integer(1), _integer(1), *(_real() for _ in range(5))),
    ]
    pyramid = [_tag("input_rgb_image_pyramid"), *(_real() for _ in range(3))]
    mmod = [_tag("loss_mmod_"), *options, *pyramid, *convolution, *normalized]
    return [b"".join(metric), b"".join(mmod)]


def _log_lines() -> list[bytes]:
    entry = (
        "2026-11-22T11:31:03.108+00:00  door  GRANTED  Barack Obama  0.4609  3/3  recognised  event=679c:1"
    )
    return [entry.encode()]


def _integer(value: int) -> bytes:
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([size]) + value.to_bytes(size, "little")


def _real() -> bytes:
    return _integer(3) + _integer(1)


def _alias(*shape: int) -> bytes:
    return b"".join(map(_integer, (1, *shape)))


def _tensor(*shape: int) -> bytes:
    return b"".join(map(_integer, (2, *shape))) + np.ones(shape, "<f4").tobytes()


def _tag(name: str) -> bytes:
    return b"\x01%c%s" % (len(name), name.encode())


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


DECODERS: dict[str, Decoder] = {
    "message": Decoder(feed=_message, refusals=(WireError, PictureError), seeds=_messages),
    "picture": Decoder(
        feed=_picture,
        refusals=(PictureError,),
        seeds=lambda: [message.jpeg for message in one_of_each() if isinstance(message, Frame)],
    ),
    "site": Decoder(feed=_site, refusals=(ConfigError,), seeds=_site_examples),
    "rules": Decoder(feed=_rules, refusals=(ConfigError,), seeds=_rules_examples),
    "rules_edit": Decoder(feed=_rules_edit, refusals=(TurnstileError,), seeds=_rules_examples),
    "wish": Decoder(feed=_wish, refusals=(WireError,), seeds=_wishes),
    "answer": Decoder(feed=_answer, refusals=(WireError,), seeds=_answers),
    "model": Decoder(feed=_model, refusals=(ModelError,), seeds=_models),
    "torch_file": Decoder(feed=_torch_file, refusals=(ModelError,), seeds=_torch_files),
    "bundle": Decoder(feed=_bundle, refusals=(ConfigError,), seeds=_bundles),
    "key": Decoder(feed=_key, refusals=(ConfigError,), seeds=_keys),
    "recording": Decoder(feed=_recording, refusals=(ConfigError,), seeds=_records),
    "log_line": Decoder(feed=_log_line, refusals=(LogError,), seeds=_log_lines),
}
