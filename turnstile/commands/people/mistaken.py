"""Say that a visit was not of the person it was granted to: "this was not her".

The face of the visit becomes an anchor, which can only deny: a face that is nearer to it than to the person
is unknown. The face is taken from the visit's picture in the log. What would have changed is shown first, by
the pictures of the person's latest grants, and by the site's recording if it has one. `--yes` keeps it.

Anchors lie on the broker's machine, in a folder beside the faces folder. Run it there. A running broker takes
them over at once. `turnstile erase` removes a person's anchors.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from turnstile.access.decider import Decider
from turnstile.access.replay import AnyRecord, replay
from turnstile.commands.access.replay import anchored, report, rules_of
from turnstile.commands.log.opened import add_log
from turnstile.commands.people.pictures import read_enrolled
from turnstile.commands.people.visit import encoding_of, event, granted_to, grants_of, visit_of
from turnstile.counts import counted
from turnstile.errors import ConfigError, PictureError, TurnstileError
from turnstile.io.access import recording, rules_file
from turnstile.io.people.anchors import open_anchors
from turnstile.io.runner.member import choose_name
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.progress import progress
from turnstile.io.site.terminal import printable
from turnstile.io.store.opened import open_log
from turnstile.io.store.store import Store
from turnstile.people.anchors import nearest_anchor
from turnstile.people.encodings import Encodings
from turnstile.people.gallery import build_gallery, templates
from turnstile.people.register import Encoded
from turnstile.protocol.messages import Access
from turnstile.protocol.names import name_key, near_names, same_name
from turnstile.site.settings import Site
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine

TRIED = 100
"""Latest grants of the person whose pictures are looked at."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="NAME", nargs="?", help="who it was not: 'Ada Lovelace'")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--event", type=event, metavar="N", help="the visit, by the end of its line in the log")
    what.add_argument("--undo", type=event, metavar="N", help="take back what was said of a visit")
    what.add_argument("--list", action="store_true", help="show what was said, of NAME or of everybody")
    parser.add_argument("--yes", action="store_true", help="keep the anchor, not only show what would change")
    add_log(parser)


def run(options: argparse.Namespace) -> int:
    """Show, keep, list or take back anchors; return 0.

    Raises:
        TurnstileError: there is no such person, visit or anchor, or it cannot be written.
    """
    site = load(options.config)
    if options.list:
        lines = _listed(site, options.person)
    elif options.person is None:
        raise ConfigError("NAME is missing: turnstile not NAME --event N")
    elif options.undo:
        lines = _undo(site, options)
    else:
        lines = _anchor(site, options)
    for line in lines:
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED


def _listed(site: Site, person: str | None) -> Iterator[str]:
    found = open_anchors(site.gallery, site.recognition.encoding).everybody()
    for one in found:
        if person is None or same_name(one.person, person):
            for anchor in one.anchors:
                yield f"{one.person}: not in event {anchor.event}"


def _undo(site: Site, options: argparse.Namespace) -> Iterator[str]:
    anchors = open_anchors(site.gallery, site.recognition.encoding)
    wanted = options.undo
    known = [one.event for one in anchors.of(options.person)]
    named = [one for one in known if _is_called(one, *wanted)]
    if len(named) != 1:
        there = ", ".join(known) or "none"
        raise TurnstileError(
            f"{options.person} has no single anchor of event {wanted.seq}; there are: {there}"
        )
    anchors.undo(options.person, named[0])
    yield f"the anchor of event {named[0]} is removed"


def _is_called(name: str, source: str, seq: int) -> bool:
    own_source, _, own_seq = name.partition(":")
    return own_source.startswith(source) and own_seq == str(seq)


def _anchor(site: Site, options: argparse.Namespace) -> Iterator[str]:
    enrolled = _pictures_of(site, options.person)
    person = enrolled[0].person
    engine = make_engine(site.recognition)
    log = open_log(site, choose_name(site, "logger", options.name))
    with closing(log.store):
        visit = visit_of(log.store, options.event)
        granted_to(visit, person)
        face = encoding_of(visit, engine)
        yield f"event {visit.event}, {visit.at}: granted to {person}"
        yield from _by_pictures(log.store, visit.event, face, enrolled, engine)
    yield from _by_recording(site, options.config, person, face)
    if not options.yes:
        yield "nothing is kept yet; with --yes it is"
        return
    anchors = open_anchors(site.gallery, site.recognition.encoding)
    anchors.add(person, visit.event, face.astype("<f4").tobytes())
    yield f"kept: a face nearer to this one than to {person} is unknown; --undo takes it back"


def _pictures_of(site: Site, person: str) -> list[Encoded]:
    """Return the usable pictures of a person, of whom there must be some."""
    everybody = set[str]()
    found = [one for one in read_enrolled(site, only=person, names=everybody) if one.encoding]
    if not found:
        near = ", ".join(map(repr, near_names(person, everybody)))
        raise TurnstileError(f"nobody called {person!r} is enrolled{near and f'; written nearly so: {near}'}")
    return found


def _by_pictures(
    store: Store, event_name: str, face: Encodings, enrolled: list[Encoded], engine: Engine
) -> Iterator[str]:
    """Say which of the person's latest grants would be denied, by the picture that each has in the log."""
    person, about = enrolled[0].person, engine.description.encoding
    gallery = templates(build_gallery(about, ((person, one.encoding) for one in enrolled)))
    denied = looked = 0
    for visit in progress(grants_of(store, person, at_most=TRIED), "looking at grants"):
        try:
            seen = encoding_of(visit, engine)
        except PictureError:
            continue
        looked += 1
        own, apart = gallery.match(seen)[0].distance or 0.0, nearest_anchor(seen.tobytes(), face, about)
        if apart <= own:
            denied += 1
            also = "" if visit.event == event_name else "; also denied"
            measured = f"{own:.3f} from {person}, {apart:.3f} from this face"
            yield f"  event {visit.event}, {visit.at}: {measured}{also}"
    yield f"of {person}'s latest {counted(looked, 'grant')} with a picture, {denied} would be denied"
    if denied > 1 and 2 * denied > looked:
        yield f"that is most of them: this face is probably {person}'s own"


def _by_recording(site: Site, config: Path, person: str, face: Encodings) -> Iterator[str]:
    """Say which recorded verdicts would differ."""
    path = Path(site.decision.record)
    if not site.decision.record or not path.exists():
        return
    anchors = {name_key(person): face}
    before = _decided(site, config, recording.read(path))
    denied = anchored(recording.read(path), anchors, site.recognition.encoding)
    after = _decided(site, config, denied)
    yield "by the recording:"
    yield from (f"  {line}" for line in report(before, after))


def _decided(site: Site, config: Path, records: Iterable[AnyRecord]) -> list[Access]:
    rules = rules_of(site, config)
    decider = Decider(settings=site.decision, encoding=site.recognition.encoding, rules=rules)
    return replay(records, decider, local=lambda at_ns: rules_file.local_time(rules, at_ns / 1e9))[1]
