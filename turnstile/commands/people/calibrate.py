"""Say how well the enrolled people are told apart, which pictures disagree, and what a distance admits."""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from turnstile.commands.options import add_config
from turnstile.counts import counted
from turnstile.errors import ConfigError, PictureError, TurnstileError
from turnstile.files.reading import why
from turnstile.io.people.cache import EncodingCache
from turnstile.io.people.folder import files_in, read_picture
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.progress import progress
from turnstile.io.site.terminal import printable
from turnstile.people.calibration import (
    Admissions,
    Pictures,
    admissions,
    close_couples,
    disagreements,
    distance_for,
    false_accepts,
    stated_rate_for,
)
from turnstile.people.encodings import Encodings
from turnstile.people.gallery import (
    Gallery,
    build_gallery,
    files_by_person,
    is_averaged,
    is_picture,
    templates,
)
from turnstile.people.outlook import in_words, outlook
from turnstile.people.risk import risk_of
from turnstile.site.settings import DecisionSettings, Site
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment

COUPLES = 10
USUAL_RATE = 0.001


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--strangers", type=Path, metavar="FOLDER", help="pictures of people not enrolled")
    parser.add_argument(
        "--rate", type=_share, metavar="SHARE", help="wanted share of strangers (the site's stranger_rate)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the report; return 0.

    Raises:
        TurnstileError: nobody is enrolled, or a model is missing.
    """
    site = load(options.config)
    engine = make_engine(site.recognition)
    pictures = _enrolled(site, engine)
    others = None if options.strangers is None else _strangers(options.strangers, engine)
    if not pictures.files:
        raise TurnstileError(f"nobody is enrolled in {site.gallery.faces}")
    compared = _compared(pictures, site)
    rate = options.rate or site.decision.stranger_rate or USUAL_RATE
    report(pictures, compared, others, site.decision, rate=rate, console=Console(highlight=False))
    return EXIT_STOPPED


def report(
    pictures: Pictures,
    compared: Gallery,
    strangers: Encodings | None,
    decision: DecisionSettings,
    *,
    rate: float,
    console: Console,
) -> None:
    """Print limits, close couples, pictures that disagree, and false accepts."""
    people = len(set(pictures.persons))
    bounds = f"max_distance {decision.max_distance:g}, min_margin {decision.min_margin:g}"
    if decision.stranger_rate is not None:
        bounds = f"stranger_rate {decision.stranger_rate:g}, {bounds}"
    console.print(
        f"{counted(people, 'person', 'people')}, {counted(len(pictures.files), 'picture')}; {bounds}\n"
    )
    each = np.unique(np.asarray(pictures.persons), return_counts=True)[1]
    for said in in_words(outlook(compared, each, decision)):
        console.print(printable(f"{said[0].upper()}{said[1:]}."), soft_wrap=True, markup=False)
    console.print()
    _print_couples(pictures, decision, console)
    _print_disagreements(pictures, decision, console)
    if people < 2 if strangers is None else not len(strangers):
        console.print(_too_few(strangers))
        return
    tried = admissions(pictures, strangers, min_margin=decision.min_margin)
    limit = decision.max_distance if compared.limits is None else compared.limits
    found = false_accepts(tried, max_distance=limit)
    whom = "enrolled pictures, each against all other people" if strangers is None else "strangers' pictures"
    console.print(
        f"Taken for somebody: {found.hits} of {found.trials} {whom}: {found.value:.2%}, at most "
        f"{found.at_most:.2%} (95 %). Several frames must agree, so a door admits fewer."
    )
    console.print(_advice(tried, pictures, decision, rate=rate))


def _advice(tried: Admissions, pictures: Pictures, decision: DecisionSettings, *, rate: float) -> str:
    """Say what to write into the site file for a rate."""
    risk = risk_of(decision)
    key = "max_distance" if risk is None else "stranger_rate"
    wanted = (
        distance_for(tried, rate=rate) if risk is None else stated_rate_for(tried, pictures, risk, rate=rate)
    )
    if wanted is None:
        return f"For a rate of {rate:.3%} at least {1 / rate:.0f} trials are needed: --strangers FOLDER"
    if not wanted:
        return f"No limit gives a rate of {rate:.3%}: the closest people named above must be told apart first"
    return f"For a rate of {rate:.3%}: decision.{key}: {wanted:.7f}".rstrip("0")


def _too_few(strangers: Encodings | None) -> str:
    """Say why nobody could be tried against the people enrolled, and what is known all the same."""
    if strangers is not None:
        return "No picture in --strangers can be used, so nobody was tried against the people enrolled."
    return (
        "How often somebody is taken for another cannot be measured with 1 person: enrol "
        "two or more, or name pictures of others with --strangers FOLDER. What was compared are the pictures "
        "of one person with each other; those that disagree are named above."
    )


def _print_couples(pictures: Pictures, decision: DecisionSettings, console: Console) -> None:
    table = Table(
        "distance", "person", "person", "pictures", box=None, pad_edge=False, title="Closest people"
    )
    for couple in close_couples(pictures, count=COUPLES):
        style = "red" if couple.distance <= decision.max_distance else ""
        names = (couple.first, couple.second, " ".join(couple.files))
        table.add_row(f"{couple.distance:.3f}", *map(printable, names), style=style)
    if table.row_count:
        console.print(table)
        console.print()


def _print_disagreements(pictures: Pictures, decision: DecisionSettings, console: Console) -> None:
    for one in disagreements(pictures, max_distance=decision.max_distance):
        nearest = "" if one.other is None else f"; {one.other} is at {one.other_distance:.3f}"
        said = f"{one.file} lies {one.own_distance:.3f} from {one.person}'s other pictures{nearest}"
        console.print(f"[yellow]disagrees:[/yellow] {printable(said)}")


def _compared(pictures: Pictures, site: Site) -> Gallery:
    """Return what faces are compared with."""
    rows = zip(pictures.persons, pictures.encodings, strict=True)
    named = ((person, encoding.astype("<f4").tobytes()) for person, encoding in rows)
    return templates(build_gallery(site.recognition.encoding, named), risk_of(site.decision))


def _enrolled(site: Site, engine: Engine) -> Pictures:
    """Return what the broker's cache has, and encode the rest here."""
    folder = Path(site.gallery.faces)
    cache = EncodingCache(Path(site.gallery.cache), site.recognition.encoding)
    found = _files_of(folder)
    persons: list[str] = []
    files: list[str] = []
    rows: list[Encodings] = []
    for person, own in progress([*files_by_person(found).items()], "encoding"):
        for file, encoding in _encoded(((file, folder / file) for file in own), engine, cache):
            persons.append(person)
            files.append(file)
            rows.append(encoding)
    return Pictures(
        persons=tuple(persons),
        files=tuple(files),
        encodings=_matrix(rows),
        averaged=is_averaged(site.recognition.encoding),
    )


def _files_of(folder: Path) -> list[str]:
    try:
        files, problems = files_in(folder)
    except OSError as error:
        raise TurnstileError(
            f"nobody is enrolled: {folder} cannot be read: {why(error, about=folder)}"
        ) from error
    for file, problem in problems.items():
        sys.stderr.write(f"{printable(file)} is left out: {problem}\n")
    return files


def _strangers(folder: Path, engine: Engine) -> Encodings:
    if not folder.is_dir():
        raise ConfigError(f"--strangers {folder}: no such folder")
    paths = sorted(path for path in folder.rglob("*") if is_picture(path.name))
    return _matrix(
        [
            encoding
            for path in progress(paths, "encoding strangers")
            for _, encoding in _encoded([(path.name, path)], engine, None)
        ]
    )


def _encoded(
    files: Iterable[tuple[str, Path]], engine: Engine, cache: EncodingCache | None
) -> Iterator[tuple[str, Encodings]]:
    """Yield the encoding `(1, 128)` of each picture; unusable ones are named and left out."""
    for file, path in files:
        try:
            data = read_picture(path)
            known = cache.get(hashlib.sha256(data).hexdigest()) if cache is not None else None
            if known is not None:
                yield file, np.frombuffer(known, "<f4").astype(np.float32)[None]
            else:
                yield file, engine.enrol(decode_enrolment(data)).encoding
        except OSError as error:
            sys.stderr.write(f"{printable(file)} is left out: {error.strerror}\n")
        except (PictureError, ValueError) as error:
            sys.stderr.write(f"{printable(file)} is left out: {error}\n")


def _matrix(rows: list[Encodings]) -> Encodings:
    return np.concatenate(rows) if rows else np.zeros((0, 128), np.float32)


def _share(text: str) -> float:
    """Return a share of at least one in a million and under one."""
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 1e-6 <= share < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a share is a number from 0.000001 to under 1")
    return share
