"""Run the five programs as separate processes on real faces, and check them against the clip they see.

A clip of four visits plays at one door. Barack Obama is enrolled from one picture and comes in two others;
Joe Biden is not enrolled. The second time he takes Obama's place from one frame to the next. At the side
door, which has `liveness: passive`, somebody holds up a photograph of Obama. One recognizer is killed and
replaced half-way. Later all are paused, so that the display falls back to local detection. The
demo fails if the access log is not what the clip shows, each visit once. Meanwhile all of it can be
looked at in a browser, by a link that the demo prints.
"""

import argparse
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rich.console import Console

from turnstile.commands.demo import clip, pages, photograph, samples
from turnstile.commands.health import status
from turnstile.errors import LogError, TurnstileError
from turnstile.health.roster import Heard, call_roll
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.processes import PROGRAMS, Processes
from turnstile.io.site.file import load
from turnstile.log.lines import is_remark, parse_entry
from turnstile.protocol.messages import Access, Beat, Frame
from turnstile.protocol.reasons import WORDS, Reason
from turnstile.site.settings import Site

CAMERA, SIDE, SCREEN, LOGGER = "door", "side", "screen", "log"
RECOGNIZERS = ("recognizer-1", "recognizer-2")
REPLACEMENT = "recognizer-3"
ENROLLED_STILL, ENROLLED_FILE = "obama.jpg", "barack_obama.jpg"
START_WITHIN_S = 45.0
LOG_WITHIN_S = 8.0
PAUSE_S = 5.0
RULES = f"doors: {{{SIDE}: {{liveness: passive}}}}\n"

Visit = tuple[str, str, str | None, str]
"""Camera, verdict, person and reason of a line of the log."""

ATTACK: Visit = (SIDE, "denied", photograph.SHOWN.person, Reason.NOT_ALIVE)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where its files go (default: var/demo)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo and return 0, or 1 if the log is wrong."""
    return _Demo(folder=(options.folder or PROGRAMS / "var" / "demo").resolve()).run()


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else status.PLAIN_WIDTH)


@dataclass(kw_only=True)
class _Demo:
    folder: Path
    console: Console = field(default_factory=_console)
    beats: dict[str, Heard] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)
    local_detections: int = 0

    def run(self) -> int:
        spans = self._prepare()
        site = load(self.folder / "site.yaml")
        self.nodes = Processes(site_file=self.folder / "site.yaml", output=self.folder)
        self.pages = pages.DemoPages(self.nodes, self._say)
        self.bus = Bus(site.broker, topics=["status.", "access."])
        try:
            self._start_all()
            self._play(spans)
            codes = self._stop_all(site, expected=len(spans) + 1)
        finally:
            self.pages.close()
            self.nodes.kill_all()
            self.bus.close()
        return self._judge(site, spans, codes)

    def _prepare(self) -> tuple[clip.Span, ...]:
        """Make the demo's folder: the clips, the enrolled face, the rules and the site file."""
        stills = samples.folder()
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "faces").mkdir(parents=True)
        shutil.copy(stills / ENROLLED_STILL, self.folder / "faces" / ENROLLED_FILE)
        (self.folder / "rules.yaml").write_text(RULES)
        self._say("rendering the cameras' clips from the sample stills")
        spans = clip.render(self.folder / "visits.mp4", stills=stills)
        photograph.render(self.folder / "photograph.mp4", stills=stills)
        document = yaml.safe_load((PROGRAMS / "configs" / "demo.yaml").read_text())
        ingress, egress = _free_ports()
        document["broker"] = {
            "ingress": f"tcp://127.0.0.1:{ingress}",
            "egress": f"tcp://127.0.0.1:{egress}",
            "journal": "journal.db",
        }
        document["gallery"] = {"faces": "faces", "cache": "encodings"}
        document["web"]["folder"], document["unknowns"]["file"] = "web", "unknowns.db"
        document["cameras"][CAMERA]["source"] = "visits.mp4"
        document["cameras"][SIDE]["source"] = "photograph.mp4"
        document["loggers"][LOGGER]["file"] = "access_log.txt"
        (self.folder / "site.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return spans

    def _start_all(self) -> None:
        self._say("starting broker, logger, display, pages and two recognizers")
        self.nodes.start("broker", "broker")
        self.pages.start()
        self.nodes.start("logger_node", LOGGER)
        files = ("--record", str(self.folder / "annotated.mp4"), "--snapshots", str(self.folder))
        self.nodes.start("display_node", SCREEN, *files)
        for name in RECOGNIZERS:
            self.nodes.start("recognizer_node", name)
        until = time.monotonic() + START_WITHIN_S
        waiting = {LOGGER, SCREEN, *RECOGNIZERS}
        while waiting or self._gauge("broker", "people") < 1:
            self._listen(0.2)
            waiting -= {name for name in waiting if name in self.beats}
            self._refuse_dead(("broker", LOGGER, SCREEN, *RECOGNIZERS))
            if time.monotonic() > until:
                raise TurnstileError(f"not ready within {START_WITHIN_S:.0f} s: {', '.join(sorted(waiting))}")
        self._say(f"{ENROLLED_FILE} is enrolled; starting the cameras")

    def _play(self, spans: tuple[clip.Span, ...]) -> None:
        """Let the clip play, doing at its times what goes wrong on real sites."""
        self.bus.subscribe(f"frame.{CAMERA}.")
        for camera in (CAMERA, SIDE):
            self.nodes.start("capture_node", camera)
        clip_began_s = self._first_frame_s()
        second, third = spans[1], spans[2]
        for at_s, event in (
            (second.arrives_s + 1.5, self._kill_one),
            (second.arrives_s + 2.5, self._replace_it),
            (third.arrives_s + 1.0, self._pause_all),
            (third.arrives_s + 1.0 + PAUSE_S, self._continue_all),
        ):
            self._listen_until(clip_began_s + at_s)
            event()
        ends_s = clip_began_s + spans[-1].gone_s + clip.EMPTY_S
        while any(self.nodes.exit_code(camera) is None for camera in (CAMERA, SIDE)):
            self._listen(0.2)
            if time.monotonic() > ends_s + 15.0:
                raise TurnstileError("a camera's clip did not end")

    def _first_frame_s(self) -> float:
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            for _, message in self.bus.receive(0.1):
                if isinstance(message, Frame):
                    self.bus.unsubscribe(f"frame.{CAMERA}.")
                    return time.monotonic()
        raise TurnstileError(f"no frame came from the camera:\n{self.nodes.last_words(CAMERA)}")

    def _kill_one(self) -> None:
        self.nodes.send(RECOGNIZERS[0], signal.SIGKILL)
        self._say(f"killed {RECOGNIZERS[0]} (SIGKILL)")

    def _replace_it(self) -> None:
        self.nodes.start("recognizer_node", REPLACEMENT)
        self._say(f"started {REPLACEMENT} in its place")

    def _pause_all(self) -> None:
        for name in (RECOGNIZERS[1], REPLACEMENT):
            self.nodes.send(name, signal.SIGSTOP)
        self._say(f"paused all recognizers (SIGSTOP) for {PAUSE_S:.0f} s: the display detects by itself")

    def _continue_all(self) -> None:
        for name in (RECOGNIZERS[1], REPLACEMENT):
            self.nodes.send(name, signal.SIGCONT)
        self._say("continued them")

    def _stop_all(self, site: Site, *, expected: int) -> dict[str, int]:
        """Give the logger time for the last entry, note the last beats, and stop every node in order."""
        self._listen_until(time.monotonic() + 1.2)
        until = time.monotonic() + LOG_WITHIN_S
        while len(_visits(Path(site.loggers[LOGGER].file))) < expected and time.monotonic() < until:
            self._listen(0.2)
        self.nodes.running.pop(RECOGNIZERS[0]).wait()
        names = [CAMERA, SIDE, RECOGNIZERS[1], REPLACEMENT, SCREEN, LOGGER, "broker"]
        if self.pages.link:
            self._say("the demo ends, and its pages in the browser with it")
            names.insert(0, pages.NODE)
        return {name: self.nodes.stop(name) for name in names}

    def _judge(self, site: Site, spans: tuple[clip.Span, ...], codes: dict[str, int]) -> int:
        path = Path(site.loggers[LOGGER].file)
        self.console.print("\n[bold]What each node did[/bold]")
        status.report(call_roll(site, self.beats.values(), now_s=time.monotonic()), console=self.console)
        self.console.print(f"\n[bold]Access log[/bold] {path}")
        self.console.print(
            path.read_text() if path.exists() else "(none)", markup=False, end="", soft_wrap=True
        )
        self.console.print("\n[bold]Pictures[/bold]")
        for file in sorted([*self.folder.glob("*.png"), self.folder / "annotated.mp4"]):
            self.console.print(f"  {file}")
        wrong = list(self._what_is_wrong(_visits(path), spans, codes))
        for sentence in wrong:
            self.console.print(f"[red]wrong:[/red] {sentence}")
        if not wrong:
            self.console.print("\n[green]The log is what the clips show, each visit once.[/green]")
        return 1 if wrong else 0

    def _what_is_wrong(
        self, logged: list[Visit], spans: tuple[clip.Span, ...], codes: dict[str, int]
    ) -> Iterable[str]:
        people = [span.appearance.person for span in spans]
        shown: list[Visit] = [
            (CAMERA, "granted", person, Reason.RECOGNISED)
            if person
            else (CAMERA, "denied", None, Reason.UNKNOWN)
            for person in people
        ]
        shown.append(ATTACK)
        if sorted(logged, key=lambda visit: visit[0]) != shown:
            yield f"the clips show {shown}, the log says {logged}"
        if self.local_detections == 0:
            yield "the display never fell back to local detection"
        for name, code in codes.items():
            if code != 0:
                yield f"{name} ended with exit code {code}: {self.nodes.last_words(name)}"
        for file in ("annotated.mp4", f"{CAMERA}-granted.png", f"{CAMERA}-stale.png"):
            if not (self.folder / file).is_file():
                yield f"{file} was not written"

    def _listen_until(self, at_s: float) -> None:
        while (left_s := at_s - time.monotonic()) > 0:
            self._listen(min(left_s, 0.2))

    def _listen(self, timeout_s: float) -> None:
        self.pages.look()
        for _, message in self.bus.receive(timeout_s):
            if isinstance(message, Beat):
                self.beats[message.node] = Heard(message, time.monotonic() - message.age_s)
                if message.node == SCREEN:
                    self.local_detections = message.counts.get("local_detections", 0)
            elif isinstance(message, Access):
                who = message.person or "unknown"
                colour = "green" if message.verdict == "granted" else "red"
                why = WORDS[message.reason]
                self._say(
                    f"[{colour}]ACCESS {message.verdict.upper()}[/{colour}] {who} at {message.camera}: {why}"
                )

    def _gauge(self, node: str, name: str) -> float:
        return self.beats[node].beat.gauges.get(name, 0.0) if node in self.beats else 0.0

    def _refuse_dead(self, names: Iterable[str]) -> None:
        for name in names:
            code = self.nodes.exit_code(name)
            if code is not None:
                raise TurnstileError(f"{name} ended with exit code {code}:\n{self.nodes.last_words(name)}")

    def _say(self, sentence: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self.began_s:5.1f} s[/dim]  {sentence}", soft_wrap=True)


def _visits(path: Path) -> list[Visit]:
    """Return what the access log says, or one entry that says that it cannot be read."""
    if not path.exists():
        return []
    try:
        entries = [parse_entry(line) for line in path.read_text().splitlines() if not is_remark(line)]
    except LogError as error:
        return [("", "unreadable", None, str(error))]
    return [(entry.camera, entry.verdict, entry.person, entry.reason) for entry in entries]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
