"""Decide recorded results again, with the settings and rules of another site file.

The visits that would end otherwise are listed with both verdicts. Results are recorded where the site file
says `decision.record`. Faces that `turnstile not` anchored since then are denied.
"""

import argparse
import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from turnstile.access.decider import Decider
from turnstile.access.replay import AnyRecord, Difference, RecordedResult, differences, replay
from turnstile.access.rules import Rules
from turnstile.commands.options import add_config
from turnstile.counts import counted
from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.access import recording as resultfile
from turnstile.io.access import rules_file
from turnstile.io.people.anchors import open_anchors
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.progress import progress
from turnstile.io.site.terminal import printable
from turnstile.log.question import TIMES, moment
from turnstile.people.anchors import deny_anchored
from turnstile.people.encodings import Encodings
from turnstile.protocol.messages import Access
from turnstile.protocol.reasons import WORDS
from turnstile.site.settings import Site


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--since", metavar="TIME", help=TIMES)
    parser.add_argument(
        "--recording",
        type=Path,
        metavar="FILE",
        help="what to decide again (default: the site's decision.record)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the visits that would be decided otherwise; return 0."""
    site = load(options.config)
    path = options.recording or _recording_of(site)
    rules = rules_of(site, options.config)
    begin_ns = moment(options.since, now=dt.datetime.now().astimezone()) if options.since else 0
    anchors = _anchors_of(site)
    records = (one for one in progress(resultfile.read(path), "deciding again") if one.at_ns >= begin_ns)
    before, after = replay(
        anchored(records, anchors, site.recognition.encoding),
        Decider(settings=site.decision, encoding=site.recognition.encoding, rules=rules),
        local=lambda at_ns: rules_file.local_time(rules, at_ns / 1e9),
    )
    for line in report(before, after):
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED


def anchored(
    records: Iterable[AnyRecord], anchors: Mapping[str, Encodings], engine: str
) -> Iterator[AnyRecord]:
    """Give records in which no limit admits a face that is nearer to an anchor than to its person."""
    for one in records:
        if isinstance(one, RecordedResult):
            denied = deny_anchored(one.result, anchors, engine)
            yield msgspec.structs.replace(one, result=denied)
        else:
            yield one


def report(before: list[Access], after: list[Access]) -> list[str]:
    """Return what to print of verdicts given then and now."""
    found = differences(before, after)
    lines = [_line(one) for one in found]
    changes = Counter(one.change for one in found)
    told = ", ".join(f"{count} {change}" for change, count in sorted(changes.items())) or "no difference"
    return [*lines, f"{counted(len(before), 'verdict')} then, {len(after)} now: {told}"]


def _recording_of(site: Site) -> Path:
    if not site.decision.record:
        raise ConfigError("decision.record names no recording; name it there or with --recording")
    return Path(site.decision.record)


def _anchors_of(site: Site) -> Mapping[str, Encodings]:
    """Return everybody's anchors.

    Raises:
        TurnstileError: some cannot be used; who is denied cannot be told without them.
    """
    found = open_anchors(site.gallery, site.recognition.encoding).read()
    problem = found.trouble or next(iter(found.barred.values()), "")
    if problem:
        raise TurnstileError(problem)
    return found.encodings


def rules_of(site: Site, site_path: Path) -> Rules:
    """Return the rules of a site.

    Raises:
        ConfigError: they cannot be used.
    """
    found = rules_file.standing(rules_file.places_of(site, site_path), doors=site.cameras)
    if found.rules is None:
        raise ConfigError(found.problem)
    return found.rules


def _line(difference: Difference) -> str:
    _, before, after, at_ns = difference
    at = dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC).astimezone().isoformat(timespec="milliseconds")
    camera = next(one.camera for one in (before, after) if one is not None)
    return f"{at}  {camera:<12}  {_verdict(before)}  →  {_verdict(after)}"


def _verdict(access: Access | None) -> str:
    if access is None:
        return "no verdict"
    who = access.person or "unknown"
    distance = "" if access.distance is None else f", {access.distance:.3f}"
    why = "" if access.verdict == "granted" else f", {WORDS[access.reason]}"
    return f"{access.verdict} {who}{why}{distance}"
