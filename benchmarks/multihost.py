"""A site on several hosts whose cables are cut, lose packets and are long; and a host that joins under load.

The hosts are network namespaces on this machine (see `tests.support.hosts.network`), each started by
``turnstile up --host`` from its own bundle, with keys: broker and logger; two cameras, which play a clip of
people rendered from the sample stills, and a display; a recognizer. A fourth host, which the site does not
name, joins while everything runs. The cable of a host is cut by dropping its packets in the bridge, both ways
or one, so that neither end is told. Lost packets are drawn at random, both ways; delay and jitter are a TCP
proxy's.

Ages are from the camera's picture to the answer's arrival at the broker's host. A cut has healed when the
display shows live results and a frame of each camera captured after it was answered. The recognizer that is
always there must have answered one of them.

    python -m benchmarks.multihost [--quick]
"""

import contextlib
import itertools
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import yaml

from benchmarks import report
from benchmarks.proxy import FarAway
from benchmarks.report import Cell, Goal, Report, percentiles
from tests.support.hosts.network import BOTH, Direction, Network, why_not
from tests.support.hosts.remote_site import CAMERAS, HOSTS, LAB, NEWCOMER, POOL, SCREEN, RemoteSite
from tests.support.screens import a_screen
from turnstile.commands.demo import clip, samples
from turnstile.site.recognition import RecognitionSettings

COLUMNS = ("", "frames/s", "answers/s", "age p50 ms", "age p95 ms", "longest gap s")
CUT_COLUMNS = ("", "answers/s", "longest gap s", "display", "Haar looks", "answered s", "live s")
FAR_PORTS = {5765: 5755, 5766: 5756}
HEALED_WITHIN_S = 3.0
JOINS = 3


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long what is watched, in seconds."""

    watch_s: float
    cut_s: float


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What happened when a cable was cut, and after it was mended."""

    title: str
    answers_per_s: float
    """While it was cut; the gap and what follows too."""
    gap_s: float
    """The longest time without an answer for a camera."""
    shown: str
    """What the display said of the first camera at the end of it."""
    looks: int
    """Of the display's local detection."""
    answered_s: float
    """After its return, until answers came again, from the first recognizer too; NaN: never."""
    live_s: float
    """The same, until the display showed it."""


@dataclass(kw_only=True)
class _Trial:
    site: RemoteSite
    lengths: Lengths
    report: Report

    def watch(self, title: str, seconds: float) -> list[Cell]:
        """Return a row about so many seconds from now on."""
        began_s = time.monotonic()
        self.site.listen(seconds)
        frames = [one for one in self.site.frames if one.at_s > began_s]
        results = [one for one in self.site.results if one.at_s > began_s]
        p50, p95 = percentiles([one.age_s * 1e3 for one in results], (50, 95))
        return [title, len(frames) / seconds, len(results) / seconds, p50, p95, self._gap_s(began_s)]

    def cut(self, title: str, host: str, directions: Sequence[Direction]) -> Cut:
        """Cut a host's cable for a while, and return a row about that and about what came after."""
        site, seconds = self.site, self.lengths.cut_s
        looks = site.count(SCREEN, "local_detections")
        site.network.cut(host, directions)
        began_s = time.monotonic()
        site.listen(seconds)
        answers = sum(one.at_s > began_s for one in site.results)
        gap_s, shown = self._gap_s(began_s), site.screen_state(CAMERAS[0])
        site.network.mend(host)
        mended_s = time.monotonic()
        answered_s = live_s = math.nan
        with contextlib.suppress(TimeoutError):
            site.wait_for(lambda: site.answered_since(mended_s, by=POOL))
            site.wait_for(lambda: all(site.answered_since(mended_s, camera=one) for one in CAMERAS))
            answered_s = time.monotonic() - mended_s
            if site.display:
                site.wait_for(lambda: all(site.screen_state(camera) == "live" for camera in CAMERAS))
                live_s = time.monotonic() - mended_s
        site.listen(2.0)
        looks = site.count(SCREEN, "local_detections") - looks
        return Cut(
            title=title,
            answers_per_s=answers / seconds,
            gap_s=gap_s,
            shown=shown or "-",
            looks=looks,
            answered_s=answered_s,
            live_s=live_s,
        )

    def join(self) -> float:
        """Start recognizers on a machine that the site does not name; return when its first answer came."""
        self.site.up(NEWCOMER, "--only", "recognizers", "--count", "1")
        began_s = time.monotonic()
        self.site.wait_for(lambda: self.site.answered_since(began_s, by=LAB))
        return time.monotonic() - began_s

    def _gap_s(self, since_s: float) -> float:
        """Return the longest time without an answer for a camera."""
        now_s = time.monotonic()
        gaps = [0.0]
        for camera in CAMERAS:
            times = [one.at_s for one in self.site.results if one.at_s > since_s and one.camera == camera]
            edges = [since_s, *times, now_s]
            gaps += [late - early for early, late in itertools.pairwise(edges)]
        return max(gaps)


def _run(trial: _Trial) -> None:
    site, lengths, out = trial.site, trial.lengths, trial.report
    began_s = time.monotonic()
    for host in HOSTS:
        site.up(host, "--host", host)
    site.wait_for(lambda: all(site.answered_since(began_s, by=POOL, camera=one) for one in CAMERAS))
    site.listen(3.0)
    rows = [trial.watch("nothing is wrong", lengths.watch_s)]
    joins_s = [_join_and_leave(trial) for _ in range(JOINS)]
    files = sorted(
        path.relative_to(site.folder / NEWCOMER).as_posix() for path in _files(site.folder / NEWCOMER)
    )
    cuts = _cuts(trial)
    rows += [*_losses(trial), *_delays(trial)]
    codes = {host: site.down(host) for host in list(site.running)}

    out.table("The recognizers' host over such a cable", COLUMNS, rows)
    title = f"A cable is cut for {lengths.cut_s:g} s; then healed, after its return"
    out.table(title, CUT_COLUMNS, [astuple(one) for one in cuts])
    out.note(f"The host that joined has these files: {', '.join(files)}. Exit codes at the end: {codes}.")
    out.note(f"The first answer of a host that joined: after {', '.join(f'{one:.2f}' for one in joins_s)} s.")
    for what, measured_s in (
        ("a new host's first answer after `turnstile up`, median", statistics.median(joins_s)),
        ("the slowest return of answers", _worst(one.answered_s for one in cuts)),
        ("the slowest return of a live display", _worst(one.live_s for one in cuts)),
    ):
        out.goal(Goal(what=what, measured=measured_s, unit="s", at_most=HEALED_WITHIN_S))


def _join_and_leave(trial: _Trial) -> float:
    """Let a host that the site does not name join; return when its first answer came."""
    if not (trial.site.folder / NEWCOMER).exists():
        trial.site.add_key(LAB)
        trial.site.pack(NEWCOMER, LAB)
    joined_s = trial.join()
    trial.site.listen(1.0)
    trial.site.down(NEWCOMER)
    return joined_s


def _cuts(trial: _Trial) -> list[Cut]:
    cuts = [
        trial.cut("the recognizers' host, both ways", "cellar", BOTH),
        trial.cut("the same, what it hears", "cellar", ("in",)),
        trial.cut("the same, what it says", "cellar", ("out",)),
        trial.cut("the cameras' and display's host", "hall", BOTH),
        trial.cut("the broker's host", "gate", BOTH),
    ]
    trial.join()
    cuts.append(trial.cut("the recognizers', while another host has one", "cellar", BOTH))
    trial.site.down(NEWCOMER)
    return cuts


def _losses(trial: _Trial) -> list[list[Cell]]:
    rows = []
    for percent in (1, 5, 20):
        trial.site.network.lose("cellar", percent)
        trial.site.listen(1.0)
        rows.append(trial.watch(f"{percent} % of packets lost", trial.lengths.watch_s))
    trial.site.network.mend("cellar")
    trial.site.listen(3.0)
    return rows


def _delays(trial: _Trial) -> list[list[Cell]]:
    site, rows = trial.site, []
    with FarAway(site.network, "gate", FAR_PORTS, delay_s=0.05, jitter_s=0.02):
        for pieces in (1, RecognitionSettings().credits):
            site.down("cellar")
            _move_away(site, pieces=pieces)
            began_s = time.monotonic()
            site.up("cellar", "--host", "cellar")
            site.wait_for(partial(site.answered_since, began_s, by=POOL))
            site.listen(2.0)
            title = f"50 ms each way, jitter to 20 ms, recognition.credits {pieces}"
            rows.append(trial.watch(title, trial.lengths.watch_s))
        site.down("cellar")
    return rows


def _move_away(site: RemoteSite, *, pieces: int) -> None:
    """Let the recognizers' host reach the broker by the proxy only, and have so much work at most."""
    file, address = site.folder / "cellar" / "site.yaml", site.network.address("gate")
    document = yaml.safe_load(file.read_text())
    ingress, egress = FAR_PORTS
    document["broker"] |= {"ingress": f"tcp://{address}:{ingress}", "egress": f"tcp://{address}:{egress}"}
    document["recognition"] = {"credits": pieces}
    file.write_text(yaml.safe_dump(document))


def _worst(times_s: Iterable[float]) -> float:
    """Return the longest; NaN, which reaches no goal, if one of them never ended."""
    known = list(times_s)
    return math.nan if any(map(math.isnan, known)) else max(known)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = report.parse(__doc__, argv)
    out = Report("multihost", options)
    if reason := why_not():
        out.note(f"left out: {reason}")
        return out.finish()
    lengths = Lengths(watch_s=3.0, cut_s=4.0) if options.quick else Lengths(watch_s=10.0, cut_s=10.0)
    with tempfile.TemporaryDirectory(prefix="ts-") as path, a_screen() as display:
        folder = Path(path)
        clip.render(folder / "visits.mp4", stills=samples.folder())
        with (
            Network([*HOSTS, NEWCOMER]) as network,
            RemoteSite(
                folder=folder, network=network, source=str(folder / "visits.mp4"), display=display, pool=1
            ) as site,
        ):
            _run(_Trial(site=site, lengths=lengths, report=out))
    return out.finish()


if __name__ == "__main__":
    sys.exit(main())
