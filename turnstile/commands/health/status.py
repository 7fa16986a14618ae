"""Show the last beat of every node as a table: its state, its rates, and what it dropped and why."""

import argparse
import sys
import time
from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from turnstile.commands.options import add_config
from turnstile.counts import singular
from turnstile.errors import TurnstileError
from turnstile.health.roster import Heard, NodeStatus, Roster, call_roll
from turnstile.io.bus.keys import NodeKey, key_to_look_on
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.protocol.messages import Beat
from turnstile.site.settings import BrokerSettings

LISTEN_S = 1.5
"""Longer than the period of a beat, so that every living node is heard."""

ANSWER_WITHIN_S = 3.0
PLAIN_WIDTH = 200
"""Columns when the output is no terminal."""

_TOTALS = (
    *("frames_in", "frames_out", "results", "granted", "denied", "entries", "faces"),
    *("commands", "failed_commands", "expired_grants", "granted_ignored", "denied_ignored"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print it for programs")


def run(options: argparse.Namespace) -> int:
    """Print what the site's nodes said last; return 0.

    Raises:
        TurnstileError: the broker does not answer.
    """
    site = load(options.config)
    heard = listen(site.broker, key=key_to_look_on(site))
    roster = call_roll(site, heard, now_s=time.monotonic())
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(roster)).decode() + "\n")
    else:
        report(roster, console=Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH))
    return EXIT_STOPPED


def no_broker(bus: Bus) -> TurnstileError:
    """Return the error that no broker was heard, with what to check."""
    return TurnstileError(f"{bus.trouble or 'the broker sent no beat'} (waited {ANSWER_WITHIN_S:.0f} s)")


def listen(broker: BrokerSettings, *, key: NodeKey | None = None) -> list[Heard]:
    """Return the beats of 1.5 s and those that the broker repeats.

    Raises:
        TurnstileError: the broker does not answer.
    """
    bus = Bus(broker, key=key, topics=["status."])
    heard: list[Heard] = []
    try:
        until = time.monotonic() + ANSWER_WITHIN_S
        while (now := time.monotonic()) < until:
            for _, message in bus.receive(until - now):
                if isinstance(message, Beat):
                    if not heard:
                        until = time.monotonic() + LISTEN_S
                    heard.append(Heard(message, time.monotonic() - message.age_s))
        if not any(beat.role == "broker" for beat, _ in heard):
            raise no_broker(bus)
    finally:
        bus.close()
    return heard


def report(roster: Roster, *, console: Console) -> None:
    """Print the table, and after it what is to be known, and what is missing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("NODE", "ROLE", "HOST", "STATE", "BEAT", "UP", "FPS", "DID", "DROPPED OR REFUSED"):
        table.add_column(
            heading, justify="right" if heading in {"BEAT", "UP", "FPS"} else "left", overflow="fold"
        )
    for node in roster.nodes:
        table.add_row(*_row(node), style="red" if node.silent else "")
    console.print(table)
    for notice in roster.notices:
        console.print(Text(printable(notice), style="yellow"))
    for words in roster.doubles:
        console.print(Text(printable(words), style="yellow"))
    for path in roster.missing:
        console.print(Text(f"not heard: {path}, which the site file names", style="yellow"))


def _row(node: NodeStatus) -> list[Text]:
    fps = "" if node.frames_per_s is None else f"{node.frames_per_s:.1f}"
    totals = {name: node.counts[name] for name in _TOTALS if node.counts.get(name)}
    cells = (node.node, node.role, node.host, node.words, f"{node.age_s:.1f} s", duration(node.uptime_s), fps)
    return [Text(printable(cell)) for cell in (*cells, _in_words(totals), _in_words(node.losses))]


def duration(seconds: float) -> str:
    """Return a time in two units at most: ``45 s``, ``2 min 05 s``, ``3 h 20 min``, ``4 d 07 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_noun(name, count)}" for name, count in counts.items())


def _noun(count_name: str, count: int) -> str:
    """Return what was counted; a node's name behind ``refused_from_`` stays as it is."""
    what, of, name = count_name.partition("_from_")
    words = what.replace("_", " ")
    return f"{singular(words) if count == 1 else words}{of.replace('_', ' ')}{name}"
