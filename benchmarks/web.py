"""The pages: from capture to pixels on the canvas, and what many, slow and stalled browsers cost.

Four cameras with people before them at 10 frames a second, the real broker, recognizer and web node, and a
real Chromium without a window. In the same run, and one after the other: the pages; the same pictures as
MJPEG over HTTP in the same browser; and the OpenCV window on a virtual screen. Each picture bears its number
as black and white blocks, by which it is known again on any of them. Besides,
20 clients look, one of which stalls while another sits behind 1 Mbit/s: others' pictures and the broker's
queue should be as before. First of all, nobody has a page open: that should cost nothing but the words, and
whoever opens one then should see pictures at once. All run on this machine, so that one clock tells all ages.

    python -m benchmarks.web [--quick] [--minutes 30] [--json FILE]
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
from PIL import Image, ImageGrab
from playwright.sync_api import Browser, Page

from benchmarks.report import Cell, Goal, Report, parser, percentiles
from benchmarks.web_clients import Looked, MjpegPages, SlowLine, look, stall
from tests.support.browser import CHROMIUM, WebSite, a_browser
from tests.support.pictures import at_the_door
from tests.support.process_group import ProcessGroup
from tests.support.screens import a_screen
from turnstile.commands.demo import samples
from turnstile.drawing.draw import tiles
from turnstile.io.bus.nodes import Bus
from turnstile.io.web.demand import LET_GO_S
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Beat, Frame, Result

CAMERAS = ("north", "east", "south", "west")
FPS = 10.0
NUMBERS = 64
"""A picture's number says which of the last 6.4 s it is."""
BLOCK_PX, STRIP_LEFT, STRIP_TOP = 16, 8, 112
"""Where the blocks are in a picture of 640x480: below the title of a tile, above its banners."""
BITS = 6
SIZE_PX = (640, 480)
CANVAS_PX = (1280, 720)
GOAL_P50_MS, GOAL_P95_MS, GOAL_HEAL_S = 120.0, 250.0, 3.0
CLIENTS = 20
HEARD_S = 0.5
"""Until whatever was shown already is heard on the bus, too."""
SLOW_BYTES_PER_S = 1e6 / 8
REMEMBERING, MEMORY_LOOKS = ("web node", "broker", "browser"), 10
ME = "web"
AWAY = {"broker": "the broker is", "log": "log: silent", ME: "no contact"}
"""What the wall says while a node is away."""


@dataclass(kw_only=True)
class Ear:
    """What the bus says meanwhile."""

    bus: Bus
    captured: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    """When each number of a camera was captured, in milliseconds."""
    waited_ms: list[float] = field(default_factory=list)
    frames: Counter[str] = field(default_factory=Counter)
    beats: Counter[str] = field(default_factory=Counter)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Those of each node's newest beat."""
    jpeg_bytes: int = 0
    """Of the newest picture."""

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Hear what is said for so long, or until something is so."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            for _, said in self.bus.receive(0.02):
                match said:
                    case Frame():
                        self._note(said)
                    case Result() if said.name != "broker":
                        self.waited_ms.append(said.waited_ms)
                    case Beat(age_s=0.0):
                        self.beats[said.node] += 1
                        self.counts[said.node] = said.counts
                    case _:
                        pass

    def _note(self, frame: Frame) -> None:
        small = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
        number = None if small is None else number_of([small[y, x] for x, y in blocks_at(0, 0, 1 / 4)])
        if number is not None:
            self.captured.setdefault((frame.camera, number), []).append(frame.captured_ns / 1e6)
        self.frames[frame.camera] += 1
        self.jpeg_bytes = len(frame.jpeg)

    def age_ms(self, camera: str, number: int, now_ms: float) -> float | None:
        """Return how old a picture with this number is."""
        times = [at for at in self.captured.get((camera, number), []) if at <= now_ms]
        return now_ms - times[-1] if times else None


def numbered_scenes(folder: Path) -> list[str]:
    """Write the pictures that each camera shows in turn, each with its number, and return their paths."""
    (scene,) = at_the_door([samples.folder() / "obama2.jpg"], folder)
    plain = np.asarray(Image.open(scene).convert("RGB"))
    paths = []
    for number in range(NUMBERS):
        pixels = plain.copy()
        blocks = [1, *((number >> bit) & 1 for bit in range(BITS)), 0]
        for at, block in enumerate(blocks):
            top = STRIP_TOP + at * BLOCK_PX
            pixels[top : top + BLOCK_PX, STRIP_LEFT : STRIP_LEFT + 2 * BLOCK_PX] = 255 * block
        paths.append(folder / f"{number:02}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=92)
    return [str(path) for path in paths]


def blocks_at(left: float, top: float, scale: float) -> list[tuple[int, int]]:
    """Return the middles of the blocks of a picture that lies there, so much larger."""
    x = left + (STRIP_LEFT + BLOCK_PX) * scale
    return [(round(x), round(top + (STRIP_TOP + BLOCK_PX * (at + 0.5)) * scale)) for at in range(BITS + 2)]


def number_of(levels: Sequence[float]) -> int | None:
    """Return the number that the blocks of a strip say; `None` if it is no strip."""
    bits = [level > 127 for level in levels]
    if not bits[0] or bits[-1]:
        return None
    return sum(bit << at for at, bit in enumerate(bits[1:-1]))


FIRST_PICTURES = """window.firsts = {};
addEventListener("shown", ({ target, detail }) => {
    if (detail.jpeg) window.firsts[target.dataset.door] ??= performance.now();
}, true);"""
WATCH_PAGES = """() => {
    window.ages = [];
    for (const tile of document.querySelectorAll("[data-door]")) {
        tile.addEventListener("shown", ({ detail: { header, jpeg } }) => {
            if (jpeg) requestAnimationFrame(() => window.ages.push(Date.now() - header.captured_ms));
        });
    }
}"""
WATCH_PICTURES = """([left, top, block, count]) => {
    window.seen = [];
    const last = {};
    const paper = new OffscreenCanvas(1, count).getContext("2d", { willReadFrequently: true });
    const look = () => {
        for (const image of document.images) {
            if (!image.naturalWidth) continue;
            paper.drawImage(image, left + block, top, 1, block * count, 0, 0, 1, count);
            const levels = paper.getImageData(0, 0, 1, count).data.filter((_, at) => at % 4 === 1);
            const key = [...levels].map((level) => +(level > 127)).join("");
            if (last[image.id] !== key) window.seen.push([image.id, [...levels], Date.now()]);
            last[image.id] = key;
        }
        requestAnimationFrame(look);
    };
    look();
}"""


@contextmanager
def a_running_site(folder: Path) -> Iterator[tuple[WebSite, Ear]]:
    """Give the site with everything but its display, once each camera's results come."""
    scenes = numbered_scenes(folder.parent)
    cameras = {name: {"source": list(scenes), "max_fps": FPS, "loop": True} for name in CAMERAS}
    display = {"screen": {"size_px": list(CANVAS_PX)}}
    sections = {"cameras": cameras, "displays": display, "recognition": {"min_face_px": 80}}
    with WebSite(folder, cameras=CAMERAS, sections=sections) as web:
        web.site.enrol("barack_obama.jpg")
        web.site.start("broker", "recognizer-1", *CAMERAS, "log")
        web.site.wait_until_enrolled(1)
        web.start()
        bus = Bus(web.site.site.broker, topics=["frame.", "result.", "status."])
        ear = Ear(bus=bus)
        try:
            ear.listen(60, until=lambda: len(ear.frames) == len(CAMERAS) and bool(ear.waited_ms))
            yield web, ear
        finally:
            bus.close()


def unwatched(report: Report, web: WebSite, page: Page, ear: Ear, *, quick: bool) -> None:
    """Print what it costs while nobody has a page open, and how soon whoever opens one then sees pictures."""
    page.goto("about:blank")
    ear.bus.unsubscribe("frame.")
    ear.listen(LET_GO_S + 2)
    nodes = {name: web.site.nodes.running[name].pid for name in (ME, "broker")}
    seconds, before = 3.0 if quick else 60.0, dict(ear.counts)
    busy_s = {name: cpu_s(pid) for name, pid in nodes.items()}
    ear.listen(seconds)
    shares = [100 * (cpu_s(pid) - busy_s[name]) / seconds for name, pid in nodes.items()]
    came, unseen = (
        (ear.counts[node].get(name, 0) - before[node].get(name, 0)) / seconds / len(CAMERAS)
        for node, name in ((ME, "frames_in"), ("broker", "dropped_unseen"))
    )
    report.table(
        "While no page is open, a camera and second",
        ("", "bytes to the web node", "frames to it", "dropped unseen", "web node CPU %", "broker CPU %"),
        [("nobody looks", came * ear.jpeg_bytes, came, unseen, *shares)],
    )
    page.add_init_script(FIRST_PICTURES)
    firsts: list[float] = []
    for at in range(1 if quick else 10):
        page.goto("about:blank")
        ear.listen(LET_GO_S + 1 if at else 0)
        page.goto("/")
        page.locator("[data-seen]").nth(len(CAMERAS) - 1).wait_for()
        firsts += page.evaluate("Object.values(window.firsts)")
    ear.bus.subscribe("frame.")
    report.table(
        "From opening the wall to each door's first picture",
        ("", "p50 ms", "p95 ms", "pictures"),
        [("nobody looked before", *percentiles(firsts, (50, 95)), len(firsts))],
    )


def cpu_s(pid: int) -> float:
    """Return how much processor time a process has used."""
    fields = _said_of(f"{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def pages(page: Page, ear: Ear, seconds: float) -> list[float]:
    """Return the ages of pictures when they are on the canvases of the wall."""
    page.goto("/")
    page.locator("[data-seen]").nth(len(CAMERAS) - 1).wait_for()
    page.evaluate(WATCH_PAGES)
    ear.listen(seconds)
    ages: list[float] = page.evaluate("window.ages")
    return ages


def mjpeg(browser: Browser, web: WebSite, ear: Ear, seconds: float) -> list[float]:
    """Return the ages of the same pictures when they are in the picture elements of an MJPEG page."""
    with MjpegPages(web.site.site.broker, CAMERAS) as served:
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.goto(served.address, wait_until="commit")
        page.wait_for_function("[...document.images].filter(one => one.naturalWidth).length === 4")
        ear.listen(HEARD_S)
        page.evaluate(WATCH_PICTURES, [STRIP_LEFT, STRIP_TOP, BLOCK_PX, BITS + 2])
        ear.listen(seconds)
        seen = page.evaluate("window.seen")
        page.close()
        ear.listen(HEARD_S)
    return ages_of(ear, seen)


def window(web: WebSite, ear: Ear, seconds: float) -> list[float]:
    """Return the ages of the same pictures in the OpenCV window; none without a virtual screen."""
    seen: list[tuple[str, list[float], float]] = []
    with a_screen() as display:
        if not display:
            return []
        with a_window(web, display):
            ear.listen(HEARD_S)
            places = [_strip_on(tile) for tile in tiles(len(CAMERAS), CANVAS_PX)]
            last: dict[str, int | None] = {}
            end_s = time.monotonic() + seconds + 5
            while time.monotonic() < end_s:
                ear.listen(0.005)
                shot = np.asarray(ImageGrab.grab(xdisplay=display).convert("L"))
                now_ms = time.time() * 1e3
                for camera, places_px in zip(sorted(CAMERAS), places, strict=True):
                    levels = [float(shot[y, x]) for x, y in places_px]
                    if (number := number_of(levels)) != last.get(camera):
                        last[camera] = number
                        seen.append((camera, levels, now_ms))
            ear.listen(HEARD_S)
    return ages_of(ear, seen)


@contextmanager
def a_window(web: WebSite, display: str) -> Iterator[None]:
    """Run the display on a virtual screen."""
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = display
    web.site.window = True
    web.site.start("screen")
    try:
        yield
    finally:
        web.site.kill("screen")
        os.environ.pop("DISPLAY")
        if before is not None:
            os.environ["DISPLAY"] = before


def _strip_on(tile: Box) -> list[tuple[int, int]]:
    """Return the middles of the blocks in a tile of the window."""
    width, height = tile.right - tile.left, tile.bottom - tile.top
    scale = min(width / SIZE_PX[0], height / SIZE_PX[1])
    left = tile.left + (width - SIZE_PX[0] * scale) / 2
    top = tile.top + (height - SIZE_PX[1] * scale) / 2
    return blocks_at(left, top, scale)


def ages_of(ear: Ear, seen: Sequence[tuple[str, Sequence[float], float]]) -> list[float]:
    """Return how old each picture was when it was first seen."""
    ages = []
    for camera, levels, now_ms in seen:
        number = number_of(levels)
        age = None if number is None else ear.age_ms(camera, number, now_ms)
        ages += [] if age is None else [age]
    return ages


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """What a crowd of clients got, and what it cost."""

    clients: Sequence[Looked]
    slow: Looked | None
    cut_off: bool
    waited_ms: Sequence[float]
    memory: Sequence[tuple[float, ...]]
    """Of each of `REMEMBERING`, at times evenly apart."""


def crowd(web: WebSite, ear: Ear, headers: dict[str, str], *, troubled: bool, seconds: float) -> Crowd:
    """Have clients look, with one that stalls and one behind a slow line if there is to be trouble."""
    with ProcessGroup() as processes, contextlib.ExitStack() as lines:
        at = urlsplit(web.address)
        spawned = [processes.spawn("clients", look, web.address, headers, CAMERAS, CLIENTS - 3)]
        if troubled:
            line = lines.enter_context(
                SlowLine(f"{at.hostname}", at.port or 80, bytes_per_s=SLOW_BYTES_PER_S)
            )
            spawned.append(processes.spawn("slow", look, web.address, headers, CAMERAS, 1, by_port=line.port))
            spawned.append(processes.spawn("stalled", stall, web.address, headers, CAMERAS))
        for one in spawned:
            one.answer(60)
        ear.listen(1.0)
        ear.waited_ms.clear()
        memory = [memory_mb(web)]
        for _ in range(MEMORY_LOOKS):
            ear.listen(seconds / MEMORY_LOOKS)
            memory.append(memory_mb(web))
        waited_ms = list(ear.waited_ms)
        answers = processes.end(spawned)
    return Crowd(
        clients=answers[0],
        slow=answers[1][0] if troubled else None,
        cut_off=bool(troubled and answers[2]),
        waited_ms=waited_ms,
        memory=memory,
    )


def heal_s(web: WebSite, ear: Ear, page: Page, node: str) -> float:
    """Return how long after a node is back the wall is live again."""
    page.goto("/")
    page.wait_for_selector("[data-light=live]")
    web.kill() if node == ME else web.site.kill(node)
    away = page.locator("#troubles", has_text=AWAY[node])
    away.wait_for()
    ear.listen(HEARD_S)
    web.start() if node == ME else web.site.start(node)
    ear.frames.clear()
    ear.beats.clear()
    ear.listen(60, until=lambda: len(ear.frames) == len(CAMERAS) and bool(ear.beats[node]))
    since_s = time.monotonic()
    away.wait_for(state="detached")
    page.locator("[data-light=live]").nth(len(CAMERAS) - 1).wait_for()
    return time.monotonic() - since_s


def memory_mb(web: WebSite) -> tuple[float, ...]:
    """Return how much memory each of `REMEMBERING` has of its own, so without libraries."""
    browser = [pid for pid in descendants(os.getpid()) if _said_of(f"{pid}/comm").startswith("chrom")]
    nodes = web.site.nodes.running
    return tuple(sum(map(_own_mb, pids)) for pids in ([nodes[ME].pid], [nodes["broker"].pid], browser))


def descendants(pid: int) -> Iterator[int]:
    """Give the processes that a process has started, and those that they have."""
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        for child in _said_of(f"{pid}/task/{thread.name}/children").split():
            yield int(child)
            yield from descendants(int(child))


def _own_mb(pid: int) -> float:
    lines = _said_of(f"{pid}/smaps_rollup").splitlines()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss_Anon:")), 0.0)


def _said_of(path: str) -> str:
    """Return what the kernel says of a process; empty if it has ended."""
    try:
        return (Path("/proc") / path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def show_ages(report: Report, ages: dict[str, list[float]]) -> None:
    """Print the ages of pictures where people see them, and the goals."""
    rows = {name: percentiles(values, (50, 95, 99)) for name, values in ages.items()}
    canvas = rows["pages, on the canvas"][0]
    report.table(
        "From capture to pixels, four cameras at 10 frames a second",
        ("shown by", "p50 ms", "p95 ms", "p99 ms", "of the pages' p50", "pictures"),
        [(name, *figures, figures[0] / canvas, len(ages[name])) for name, figures in rows.items()],
    )
    p50, p95, _ = rows["pages, on the canvas"]
    report.goal(Goal(what="capture to canvas, p50", unit="ms", measured=p50, at_most=GOAL_P50_MS))
    report.goal(Goal(what="capture to canvas, p95", unit="ms", measured=p95, at_most=GOAL_P95_MS))


def show_crowds(report: Report, alone_ms: Sequence[float], crowds: dict[str, Crowd]) -> None:
    """Print what others' pictures and the broker's queue are like beside clients in trouble."""
    rows: list[tuple[Cell, ...]] = []
    for name, one in crowds.items():
        ages = [age for client in one.clients for age in client.ages_ms]
        rows.append((name, *percentiles(ages, (50, 95)), *percentiles(one.waited_ms, (50, 95))))
    rows.append(("nobody but one page", None, None, *percentiles(alone_ms, (50, 95))))
    report.table(
        f"{CLIENTS} clients: ages when pictures have come, and waits for a recognizer in the broker",
        ("who looks", "age p50 ms", "age p95 ms", "wait p50 ms", "wait p95 ms"),
        rows,
    )
    last = list(crowds.values())[-1]
    looking = {"each of the others": last.clients, "behind 1 Mbit/s": [last.slow or Looked()]}
    report.table(
        "Bytes a camera and second",
        ("client", "JPEG", "headers and words", "pictures/s", "age p50 ms", "age p95 ms"),
        [(name, *_rates(clients)) for name, clients in looking.items()],
    )
    report.note(f"The client that stalled was {'cut off' if last.cut_off else 'not cut off yet'}.")


def _rates(clients: Sequence[Looked]) -> tuple[float, ...]:
    """Return the bytes of pictures and of the rest, pictures a second, and ages, of the mean client."""
    seconds = sum(one.seconds for one in clients) or float("nan")
    ages = [age for one in clients for age in one.ages_ms]
    jpeg, other = (
        sum(sizes) for sizes in zip(*((one.jpeg_bytes, one.other_bytes) for one in clients), strict=True)
    )
    per_camera_s = seconds * len(CAMERAS)
    return jpeg / per_camera_s, other / per_camera_s, len(ages) / seconds, *percentiles(ages, (50, 95))


def measure(report: Report, web: WebSite, ear: Ear, browser: Browser, options: argparse.Namespace) -> None:
    """Measure one thing after the other on a running site."""
    seconds = 4.0 if options.quick else 30.0
    with web.page_of(browser) as page:
        unwatched(report, web, page, ear, quick=options.quick)
        ages = {"pages, on the canvas": pages(page, ear, seconds)}
        alone_ms = list(ear.waited_ms)
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
        headers = {"Cookie": cookies, "Origin": web.address}
        crowds = {
            f"{CLIENTS - 2} that are well": crowd(web, ear, headers, troubled=False, seconds=seconds),
            "besides one stalled, one slow": crowd(
                web, ear, headers, troubled=True, seconds=max(seconds, 60 * options.minutes)
            ),
        }
        page.goto("about:blank")
        ages["MJPEG over HTTP, in the same browser"] = mjpeg(browser, web, ear, seconds)
        ages["the OpenCV window"] = window(web, ear, seconds)
        show_ages(report, ages)
        show_crowds(report, alone_ms, crowds)
        *_, last = crowds.values()
        report.table(
            f"Memory in MB during {max(seconds / 60, options.minutes):.3g} minutes of that crowd",
            ("", *(f"{at} of {MEMORY_LOOKS}" for at in range(MEMORY_LOOKS + 1))),
            [(name, *sizes) for name, sizes in zip(REMEMBERING, zip(*last.memory, strict=True), strict=True)],
        )
        heals = {node: heal_s(web, ear, page, node) for node in AWAY}
        report.table("Back by itself", ("killed and back", "s"), list(heals.items()))
        report.goal(Goal(what="heals, worst", unit="s", measured=max(heals.values()), at_most=GOAL_HEAL_S))


def main() -> int:
    """Measure, if there is a browser."""
    made = parser(__doc__)
    made.add_argument("--minutes", type=float, help="how long 20 clients look (30; with --quick not at all)")
    options = made.parse_args()
    if options.minutes is None:
        options.minutes = 0.0 if options.quick else 30.0
    report = Report("web", options)
    if CHROMIUM is None:
        report.note("chromium is not installed: nothing is measured")
        return report.finish()
    with tempfile.TemporaryDirectory(prefix="turnstile-") as path:
        folder = Path(path) / "site"
        folder.mkdir()
        with a_browser() as browser, a_running_site(folder) as (web, ear):
            measure(report, web, ear, browser, options)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
