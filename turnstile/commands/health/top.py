"""Watch every node and camera: rates, ages, drops, busy shares. `q` or Ctrl-C ends it.

Where the output is no terminal, or with `--once`, it is printed once, after two beats of every node.
"""

import argparse
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from turnstile.commands.health.status import ANSWER_WITHIN_S, PLAIN_WIDTH, duration, no_broker
from turnstile.commands.options import add_config
from turnstile.counts import counted
from turnstile.health.overview import CameraRow, NodeRow, Overview, Watch
from turnstile.health.roster import Heard
from turnstile.io.bus.keys import key_to_look_on
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.protocol.messages import Beat

TWO_BEATS_S = 2.6
REDRAW_S = 0.5
BUSY = 0.9
"""A recognizer that works for so much of its time is shown as busy: more load would wait."""


MAX_CELL = 40
"""Most columns of a state; the table of cameras shows theirs in full."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument("--once", action="store_true", help="print it once and end")


def run(options: argparse.Namespace) -> int:
    """Watch the site until a key ends it; return 0.

    Raises:
        TurnstileError: one look is wanted, and the broker does not answer.
    """
    site = load(options.config)
    bus = Bus(site.broker, key=key_to_look_on(site), topics=["status."])
    watch = Watch(site=site)
    try:
        if options.once or not sys.stdout.isatty():
            return _look_once(bus, watch, at=site.broker.egress)
        _watch(bus, watch, at=site.broker.egress)
    except KeyboardInterrupt:
        pass
    finally:
        bus.close()
    return EXIT_STOPPED


def _look_once(bus: Bus, watch: Watch, *, at: str) -> int:
    began_s = time.monotonic()
    until_s = began_s + ANSWER_WITHIN_S
    answered = False
    while time.monotonic() < until_s:
        _receive(bus, watch, 0.1)
        if not answered and watch.view(time.monotonic()).broker is not None:
            answered, until_s = True, time.monotonic() + TWO_BEATS_S
    if not answered:
        raise no_broker(bus)
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    Console(highlight=False, width=width).print(_page(watch.view(time.monotonic()), bus, at=at))
    return EXIT_STOPPED


def _watch(bus: Bus, watch: Watch, *, at: str) -> None:
    console = Console(highlight=False)
    page = _page(watch.view(time.monotonic()), bus, at=at, live=True)
    with _keys() as keys, Live(page, console=console, screen=True, auto_refresh=False) as live:
        drawn_s = 0.0
        while not (_pressed(keys) & {"q", "Q"}):
            _receive(bus, watch, 0.1)
            if time.monotonic() - drawn_s >= REDRAW_S:
                drawn_s = time.monotonic()
                live.update(_page(watch.view(drawn_s), bus, at=at, live=True), refresh=True)


def _receive(bus: Bus, watch: Watch, timeout_s: float) -> None:
    for _, message in bus.receive(timeout_s):
        if isinstance(message, Beat):
            watch.receive(Heard(message, time.monotonic() - message.age_s))


def _page(view: Overview, bus: Bus, *, at: str, live: bool = False) -> RenderableType:
    parts: list[RenderableType] = [_headline(view, bus, at=at), Text(), _nodes(view.nodes), Text()]
    parts.append(_cameras(view.cameras))
    parts += [Text(printable(notice), style="yellow") for notice in view.roster.notices]
    parts += [Text(printable(words), style="yellow") for words in view.roster.doubles]
    parts += [
        Text(f"not heard: {path}, which the site file names", style="yellow") for path in view.roster.missing
    ]
    if live:
        parts += [Text(), Text("q ends", style="dim")]
    return Group(*parts)


def _headline(view: Overview, bus: Bus, *, at: str) -> Text:
    if bus.broker_lost:
        return Text(printable(bus.trouble), style="bold red")
    if view.broker is None:
        return Text(f"waiting for the broker's beat at {at}", style="yellow")
    gauges, counts = view.broker.gauges, view.broker.counts
    figures = (
        f"broker {view.broker.words}",
        f"up {duration(view.broker.uptime_s)}",
        counted(round(gauges.get("cameras", 0)), "camera"),
        counted(round(gauges.get("recognizers", 0)), "recognizer"),
        counted(round(gauges.get("people", 0)), "person", "people"),
        f"queue age {gauges.get('queue_age_ms', 0):.0f} ms",
        f"{counts.get('granted', 0)} granted",
        f"{counts.get('denied', 0)} denied",
    )
    style = "bold" if view.broker.is_well else "bold red"
    return Text(printable(", ".join(figures)), style=style)


def _nodes(rows: list[NodeRow]) -> Table:
    table = _table(
        ("NODE", "ROLE", "HOST", "STATE"), ("BEAT", "IN/S", "OUT/S", "BUSY", "AGE", "LOST/S"), "WHY"
    )
    for row in rows:
        node = row.status
        busy = "" if row.busy is None else f"{100 * row.busy:.0f} %"
        cells = (
            Text(printable(node.node)),
            Text(node.role),
            Text(printable(node.host)),
            Text(printable(node.words), style="" if node.is_well else "yellow"),
            Text(f"{node.age_s:.1f} s"),
            Text(_number(row.in_per_s)),
            Text(_number(row.out_per_s)),
            Text(busy, style="yellow" if row.busy is not None and row.busy >= BUSY else ""),
            Text(_ms(row.age_ms)),
            Text(_number(row.loss.per_s) if row.loss.per_s else "", style="yellow"),
            Text(printable(row.loss.reason.replace("_", " "))),
        )
        table.add_row(*cells, style="red" if node.silent else "")
    return table


def _cameras(rows: list[CameraRow]) -> Table:
    table = _table(("CAMERA",), ("SENT/S", "RESULTS/S", "WAIT", "AGE"), "STATE")
    for row in rows:
        numbers = (_number(row.sent_per_s), _number(row.results_per_s), _ms(row.wait_ms), _ms(row.age_ms))
        style = "" if row.is_well else "yellow"
        table.add_row(
            Text(printable(row.camera)), *map(Text, numbers), Text(printable(row.state), style=style)
        )
    return table


def _table(left: tuple[str, ...], right: tuple[str, ...], last: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in left:
        table.add_column(heading, overflow="ellipsis", no_wrap=True, max_width=MAX_CELL)
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(last, overflow="fold")
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


@contextmanager
def _keys() -> Iterator[int | None]:
    """Read keys one by one, without echo; yield the descriptor, or `None` without a keyboard."""
    if not sys.stdin.isatty():
        yield None
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _pressed(keyboard: int | None) -> set[str]:
    """Return which keys were pressed since the last time."""
    if keyboard is None or not select.select([keyboard], [], [], 0)[0]:
        return set()
    return set(os.read(keyboard, 64).decode(errors="replace"))
