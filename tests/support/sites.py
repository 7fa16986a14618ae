"""A site of real nodes, real faces and its own bus, and an ear on that bus.

Its cameras are still pictures that a test replaces while they are shown. So who stands at a door changes when
the test says so, not at a time of a clip. A busy machine changes nothing but how long a test takes.
"""

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support.views import NOBODY, a_view, put
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.access.visits import MAX_STEP_NS
from turnstile.commands.demo import samples
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.processes import Processes
from turnstile.io.site.file import load
from turnstile.log.lines import is_remark, parse_entry
from turnstile.protocol.messages import Access, Beat, Frame, Result
from turnstile.protocol.state import in_words
from turnstile.site.settings import Site

ABSENCE_S = 0.6
SWIFT = {
    "votes_needed": 2,
    "votes_of": 3,
    "deny_after_votes": 4,
    "absence_s": ABSENCE_S,
    "max_result_age_s": 30,
    "deny_after_s": 60,
    "rules": "rules.yaml",
}
"""Decides after few frames and never because of the time they took: tests share two cores."""

PROGRAMS = {
    "cameras": "capture_node",
    "recognizers": "recognizer_node",
    "loggers": "logger_node",
    "displays": "display_node",
}

Visit = tuple[str, str, str | None]
"""Camera, verdict, person."""

GRANTED = ("granted", "Barack Obama")
DENIED = ("denied", None)


class RealSite:
    """Processes of one site, and what they said on its bus.

    Attributes:
        beats: the newest live beat of each node.
        results: all results, in the order heard.
        accesses: all decisions, in the order heard.
        frames: the newest frame of each camera that is watched.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cameras: Iterable[str] = ("door",),
        recognizers: Iterable[str] = ("recognizer-1",),
        fps: float = 10.0,
        window: bool = False,
        engine: str = "accelerated",
        sections: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the site file, an empty faces folder and a picture of an empty hall for each camera.

        The reference engine is for sites that are to be overloaded: it is the slow one.
        """
        self.folder = folder
        self.window = window
        self.faces = folder / "faces"
        self.faces.mkdir()
        self.log_file = folder / "access_log.txt"
        document = {
            "site": "test",
            "broker": {"ingress": f"ipc://{folder}/in", "egress": f"ipc://{folder}/out"},
            "gallery": {"faces": "faces", "cache": "cache"},
            "recognition": {"min_face_px": 80, "engine": engine},
            "decision": SWIFT,
            "cameras": {
                camera: {"source": [f"{camera}.jpg"], "max_fps": fps, "loop": True} for camera in cameras
            },
            "recognizers": {name: {} for name in recognizers},
            "loggers": {"log": {"file": "access_log.txt"}},
            "displays": {"screen": {"size_px": [640, 480]}},
            **(sections or {}),
        }
        for camera in cameras:
            self.show(NOBODY, camera=camera)
        site_file = folder / "site.yaml"
        site_file.write_text(yaml.safe_dump(document))
        self.site: Site = load(site_file)
        self.nodes = Processes(site_file=site_file, output=folder)
        self.beats: dict[str, Beat] = {}
        self.results: list[Result] = []
        self.accesses: list[Access] = []
        self.frames: dict[str, Frame] = {}
        self.bus = Bus(self.site.broker, topics=["status.", "result.", "access."])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.nodes.kill_all()
        self.bus.close()

    @property
    def names(self) -> list[str]:
        """Return the names of all nodes in the site file, the broker first."""
        return ["broker", *(name for section in PROGRAMS for name in getattr(self.site, section))]

    def start(self, *names: str) -> None:
        """Start nodes in this order; a name that the site file does not have is a recognizer's."""
        for name in names:
            hidden = name in self.site.displays and not self.window
            options = ["--no-window", "--snapshots", str(self.folder)] if hidden else []
            self.nodes.start(self._program(name), name, *options)

    def start_all(self) -> None:
        """Start every node of the site file, and return when each has beaten."""
        self.start(*self.names)
        self.wait_for_beats(*self.names)

    def enrol(self, file: str, sample: str = "obama.jpg") -> None:
        """Put a sample picture into the faces folder, as one that has been there for a while."""
        put(self.faces / file, (samples.folder() / sample).read_bytes())

    def show(self, who: str, *, camera: str = "door") -> None:
        """Let somebody else stand before a camera from its next frame on."""
        put(self.folder / f"{camera}.jpg", a_view(who))

    def receive(self, timeout_s: float = 0.1) -> None:
        """Take in what is said; return after `timeout_s` at the latest if nothing is."""
        for _, message in self.bus.receive(timeout_s):
            match message:
                case Beat(age_s=0.0):
                    self.beats[message.node] = message
                case Result():
                    self.results.append(message)
                case Access():
                    self.accesses.append(message)
                case Frame():
                    self.frames[message.camera] = message
                case _:
                    pass

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when a condition holds; it is asked again after everything that is heard."""
        wait_until(condition, lambda: self, between=self.receive)

    def wait_for_beats(self, *names: str) -> None:
        """Return when the running process of each of these nodes has beaten."""
        self.wait_for(lambda: all(self.is_heard(name) for name in names))

    def is_heard(self, name: str) -> bool:
        """Tell whether the newest beat of a node is of the process that runs now."""
        return name in self.beats and self.beats[name].pid == self.nodes.running[name].pid

    def count(self, node: str, name: str) -> int:
        """Return a total of a node's newest beat."""
        return self.beats[node].counts.get(name, 0) if node in self.beats else 0

    def gauge(self, node: str, name: str) -> float:
        """Return a value of a node's newest beat."""
        return self.beats[node].gauges.get(name, 0.0) if node in self.beats else 0.0

    def state(self, node: str) -> str:
        """Return what a node's newest beat says about it in words."""
        return in_words(self.beats[node].state, self.beats[node].detail) if node in self.beats else ""

    def wait_until_enrolled(self, people: int) -> None:
        """Return when the broker's gallery has so many people."""
        self.wait_for(lambda: self.gauge("broker", "people") == people)

    def wait_for_visit(self, who: str, visit: tuple[str, str | None], *, camera: str = "door") -> None:
        """Let somebody come, be decided about in this way, and go; return when the visit is over."""
        decided = len(self.accesses)
        self.show(who, camera=camera)
        self.wait_for(lambda: len(self.accesses) > decided)
        assert self.visits[-1] == (camera, *visit)
        self.wait_until_left(camera=camera)

    def wait_until_left(self, *, camera: str = "door") -> None:
        """Empty the hall, and return when nobody has been seen for long enough to end a visit."""
        self.show(NOBODY, camera=camera)
        heard = len(self.results)
        self.wait_for(lambda: _absent_s(self.results_of(camera, since=heard)) > ABSENCE_S + 0.1)

    def wait_until_logged(self) -> None:
        """Return when every decision that was heard is in the access log."""
        events = {(access.source, access.seq) for access in self.accesses}
        self.wait_for(lambda: len(self.logged) >= len(events))

    def results_of(self, camera: str, *, since: int = 0) -> list[Result]:
        """Return the results of a camera, those heard before number `since` left out."""
        return [result for result in self.results[since:] if result.camera == camera]

    def named_by(self, recognizer: str, *, since: int = 0) -> list[str | None]:
        """Return for whom a recognizer's faces count, those before result number `since` left out."""
        far = self.site.decision.max_distance
        results = (result for result in self.results[since:] if result.name == recognizer)
        faces = (face for result in results for face in result.faces)
        return [None if face.distance is None or face.distance > far else face.person for face in faces]

    def states_on(self, display: str) -> list[str]:
        """Return what a display has said about the state of the only camera, oldest first."""
        (camera,) = self.site.cameras
        lines = self.words(display).splitlines()
        return [line.partition(f"{camera}: ")[2] for line in lines if f" {camera}: " in line]

    def forget_what_was_heard(self) -> None:
        """Forget all but the decisions, what waits to be heard included."""
        while self.bus.receive(0):
            pass
        self.beats.clear()
        self.results.clear()
        self.frames.clear()

    @property
    def visits(self) -> list[Visit]:
        """Return the decisions heard."""
        return [(access.camera, access.verdict, access.person) for access in self.accesses]

    @property
    def logged(self) -> list[Visit]:
        """Return the entries of the access log; a line that is being written is none yet."""
        text = self.log_file.read_text() if self.log_file.exists() else ""
        lines = text.rpartition("\n")[0].splitlines()
        entries = [parse_entry(line) for line in lines if not is_remark(line)]
        return [(entry.camera, entry.verdict, entry.person) for entry in entries]

    def words(self, name: str) -> str:
        """Return all that a node has said on standard error."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        """Kill a node (SIGKILL) and return when it is gone."""
        process = self.nodes.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> float:
        """Ask a node to stop (SIGTERM), and return after how many seconds it had, with exit code 0."""
        process = self.nodes.running[name]
        asked_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        took_s = time.monotonic() - asked_s
        del self.nodes.running[name]
        assert code == 0, f"{name} ended with {code}: {self.words(name)}"
        assert "Traceback" not in self.words(name)
        return took_s

    def __str__(self) -> str:
        said = (
            f"-- {name}, exit code {self.nodes.exit_code(name)}\n{self.words(name)}"
            for name in self.nodes.running
        )
        return "\n".join([f"{self.visits}", *map(str, self.beats.values()), *said])

    def _program(self, name: str) -> str:
        if name == "broker":
            return "broker"
        sections = (section for section in PROGRAMS if name in getattr(self.site, section))
        return PROGRAMS[next(sections, "recognizers")]


def _absent_s(results: Sequence[Result]) -> float:
    """Return for how long nobody was seen at the end of these results, as `access.visits` counts it."""
    absent_ns = newest_ns = 0
    for result in results:
        step_ns = min(max(0, result.captured_ns - newest_ns), MAX_STEP_NS) if newest_ns else 0
        newest_ns = max(newest_ns, result.captured_ns)
        absent_ns = 0 if result.faces else absent_ns + step_ns
    return absent_ns / 1e9
