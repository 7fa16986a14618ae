"""The table of rooms: what belongs where, and which room may import which.

An arrow goes from a room to those it imports. Programs and commands stand on top, then `turnstile/io/ROOM/`,
then `turnstile/vision/`, `turnstile/drawing/` and `turnstile/files/`, then `turnstile/ROOM/`, which
computes and touches nothing.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "turnstile"
FILES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = {"broker", "capture_node", "recognizer_node", "logger_node", "display_node"}
MAX_FILES, MAX_LINES = 12, 400

PURE: dict[str, set[str]] = {
    "protocol": set(),
    "screen": {"health", "protocol", "site"},
    "site": {"protocol"},
    "people": {"protocol", "site"},
    "dispatch": {"people", "protocol", "site"},
    "access": {"liveness", "people", "protocol", "site"},
    "liveness": {"people", "protocol"},
    "log": {"protocol"},
    "health": {"protocol", "site"},
    "requests": {"protocol"},
    "strangers": {"people"},
    "web.accounts": {"protocol", "web"},
    "web": {"access", "people", "protocol", "requests", "site"},
    "web.live": {"dispatch", "health", "protocol", "requests", "screen", "site"},
}
"""Room -> the rooms it may import; every room may import `turnstile.errors`."""

PIXELS: dict[str, set[str]] = {
    "files": set(),
    "vision": {"protocol"},
    "vision.models": {"files", "people"},
    "vision.detect": {"protocol", "vision", "vision.models"},
    "vision.encode": {"people", "protocol", "vision", "vision.models"},
    "vision.engines": {
        "people",
        "protocol",
        "site",
        "vision",
        "vision.detect",
        "vision.encode",
        "vision.models",
    },
    "drawing": {"protocol", "screen", "vision"},
}

WORLD: dict[str, set[str]] = {
    "io": set(),
    "io.site": {"files", "site"},
    "io.bus": {"files", "dispatch", "io.site", "protocol", "site"},
    "io.erasure": {
        "files",
        "io.access",
        "io.journal",
        "io.log",
        "io.people",
        "io.site",
        "io.store",
        "io.strangers",
        "log",
        "people",
        "protocol",
        "site",
    },
    "io.strangers": {"files", "people", "protocol", "strangers"},
    "io.requests": {
        "io.site",
        "access",
        "dispatch",
        "files",
        "io.access",
        "io.people",
        "io.runner",
        "io.erasure",
        "io.strangers",
        "people",
        "protocol",
        "requests",
        "site",
        "vision",
    },
    "io.runner": {"io.bus", "io.site", "protocol", "site"},
    "io.access": {
        "files",
        "access",
        "dispatch",
        "io.journal",
        "io.metrics",
        "io.runner",
        "io.site",
        "protocol",
        "site",
    },
    "io.cameras": {"io.runner", "protocol", "site", "vision"},
    "io.health": {"dispatch", "health", "io.access", "io.metrics", "io.people", "io.runner", "protocol"},
    "io.integrations": {"files", "io.bus", "io.runner", "log", "protocol", "site"},
    "io.journal": {"files", "access", "health", "io.runner", "protocol"},
    "io.store": {"files", "log", "protocol", "site"},
    "io.log": {"requests", "io.site", "files", "health", "io.runner", "io.store", "log", "protocol", "site"},
    "io.metrics": {"dispatch", "health", "io.runner", "protocol", "site"},
    "io.people": {"files", "dispatch", "io.runner", "io.site", "people", "protocol", "site"},
    "io.screen": {"files", "io.runner", "protocol", "screen", "site", "vision"},
    "io.web": {"io.bus", "io.site", "protocol", "requests", "web"},
    "io.web.accounts": {"files", "io.web", "protocol", "requests", "web", "web.accounts"},
    "io.web.live": {"io.bus", "io.supervise", "io.web", "requests", "screen", "site", "web.live"},
    "io.web.serving": {
        "files",
        "io.bus",
        "io.runner",
        "io.web",
        "io.web.accounts",
        "io.web.live",
        "io.web.pages",
        "protocol",
        "site",
        "web",
        "web.live",
        "web.accounts",
    },
    "io.web.pages": {
        "access",
        "io.access",
        "io.bus",
        "io.web",
        "protocol",
        "requests",
        "site",
        "vision",
        "web",
    },
    "io.supervise": {"io.bus", "io.runner", "io.site", "site"},
}

COMMANDS: dict[str, set[str]] = {
    "commands": {"io.site", "site"},
    "commands.integrations": {"commands", "io.integrations"},
    "commands.access": {
        "access",
        "commands",
        "commands.health",
        "io.access",
        "io.bus",
        "io.people",
        "io.runner",
        "io.site",
        "log",
        "people",
        "protocol",
        "site",
    },
    "commands.demo": {
        "files",
        "commands.health",
        "health",
        "io.bus",
        "io.runner",
        "io.site",
        "log",
        "protocol",
        "site",
    },
    "commands.health": {"commands", "health", "io.bus", "io.runner", "io.site", "protocol", "site"},
    "commands.log": {
        "io.people",
        "files",
        "commands",
        "io.bus",
        "io.erasure",
        "io.log",
        "io.runner",
        "io.site",
        "io.store",
        "log",
        "people",
        "protocol",
        "site",
    },
    "commands.people": {
        "access",
        "commands",
        "commands.access",
        "commands.log",
        "files",
        "io.access",
        "io.store",
        "log",
        "protocol",
        "io.people",
        "io.runner",
        "io.site",
        "people",
        "site",
        "vision",
        "vision.engines",
    },
    "commands.site": {
        "commands.people",
        "access",
        "io.cameras",
        "io.people",
        "files",
        "commands",
        "commands.demo",
        "io.access",
        "io.bus",
        "io.integrations",
        "io.log",
        "io.runner",
        "io.site",
        "io.store",
        "io.supervise",
        "io.web.serving",
        "people",
        "protocol",
        "site",
        "vision",
        "vision.detect",
        "vision.engines",
    },
    "commands.web": {
        "commands",
        "files",
        "io.runner",
        "io.site",
        "io.web.accounts",
        "io.web.serving",
        "protocol",
        "site",
        "web",
    },
    "commands.supervise": {"commands", "io.runner", "io.site", "io.supervise", "site"},
}

ROOMS = PURE | PIXELS | WORLD | COMMANDS

CORE_MAY_IMPORT = {
    *(
        "abc",
        "base64",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "difflib",
        "enum",
    ),
    *("fractions",),
    *(
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "ipaddress",
        "itertools",
        "json",
        "keyword",
        "math",
        "numbers",
        "operator",
    ),
    *("re", "statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata", "urllib.parse"),
    *("csv", "io.StringIO", "pathlib.PurePath", "pathlib.PurePosixPath", "msgspec", "numpy", "turnstile"),
}
"""What computes and touches nothing: no socket, file, clock, thread, signal, process or model runtime."""

KNOW_ZMQ = {"io.bus"}

START_THREADS = {"turnstile.io.runner.worker", "turnstile.io.cameras.reader"}
"""The worker. A camera's reader is no node: its thread ends the process."""

BUILTINS_THAT_TOUCH = {"open", "input", "print"}
METHODS_THAT_ASK_A_CLOCK = {"now", "utcnow", "today"}
SOCKETS_AND_DATABASES = {"zmq", "socket", "sqlite3", "sqlalchemy", "psycopg"}
MODEL_RUNTIMES = {"cv2", "dlib", "face_recognition", "face_recognition_models", "openvino"}


def module_name(path: Path) -> str:
    """Return the dotted name of a file of this repository."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(path: Path) -> str:
    """Return the room that a file of the package stands in; empty for the package itself."""
    return ".".join(path.parent.relative_to(PACKAGE).parts)


@cache
def syntax(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"), filename=str(path))))


def imports(path: Path) -> Iterator[str]:
    """Give the dotted names a file imports, inside functions too; `from a import b` is `a.b`."""
    for node in syntax(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module_name(path)}: relative imports hide the room they reach for"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def our_files(name: str) -> set[Path]:
    """Return the files of ours that importing a dotted name runs: the last is the module named."""
    parts = name.split(".")
    places = [ROOT.joinpath(*parts[: end + 1]) for end in range(len(parts))]
    found = {path for place in places for path in (place.with_suffix(".py"), place / "__init__.py")}
    return {path for path in found if path.is_file()}


def module_named(name: str) -> Path | None:
    """Return the file of ours that an imported name stands in; `None` for somebody else's."""
    return max(our_files(name), key=lambda path: len(module_name(path)), default=None)


def arrows() -> dict[str, set[str]]:
    """Return, for each room, the other rooms that its files import."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        targets = {module_named(name) for name in imports(path) if name.startswith("turnstile.")}
        others = {room_of(target) for target in targets if target is not None}
        found.setdefault(room_of(path), set()).update(others - {room_of(path), ""})
    return found


def with_parents(name: str) -> set[str]:
    """Return `a`, `a.b` and `a.b.c` for `a.b.c`."""
    parts = name.split(".")
    return {".".join(parts[: end + 1]) for end in range(len(parts))}


def reached_from(start: Path) -> set[str]:
    """Return all that `start` imports, directly or through our own modules."""
    names: set[str] = set()
    done: set[Path] = set()
    waiting = {start}
    while waiting:
        path = waiting.pop()
        done.add(path)
        found = set(imports(path))
        names |= {parent for name in found for parent in with_parents(name)}
        waiting |= {file for name in found for file in our_files(name)} - done
    return names


def in_rooms(rooms: dict[str, set[str]]) -> list[Path]:
    """Return the files that stand in these rooms."""
    return [path for path in FILES if room_of(path) in rooms]


@pytest.mark.parametrize("room", sorted({room_of(path) for path in FILES} - {""}))
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    """Whoever adds an arrow adds it here, where it is seen."""
    assert arrows()[room] <= ROOMS[room]


def test_the_table_allows_nothing_that_is_not_used() -> None:
    """An arrow that is gone leaves the table too."""
    found = arrows()
    unused = {room: allowed - found.get(room, set()) for room, allowed in ROOMS.items()}
    assert not {room: arrows for room, arrows in unused.items() if arrows}


def test_no_arrow_runs_back_up() -> None:
    """What computes knows nothing of pixels, what sees knows nothing of the world, and nobody types here."""
    for lower, upper in ((PURE, PIXELS | WORLD | COMMANDS), (PIXELS, WORLD | COMMANDS), (WORLD, COMMANDS)):
        assert not {room: allowed & set(upper) for room, allowed in lower.items() if allowed & set(upper)}


def test_there_is_no_circle() -> None:
    """Neither rooms nor files import each other, however far round."""
    files = {
        module_name(path): {
            module_name(target)
            for name in imports(path)
            if (target := module_named(name)) is not None and target != path
        }
        for path in FILES
        if path.name != "__init__.py"
    }
    for graph in (ROOMS, files):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_is_small_and_says_what_belongs_there(room: str) -> None:
    """A room has at most twelve files, and one sentence over its door."""
    folder = PACKAGE.joinpath(*room.split("."))
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_FILES
    sentence = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    assert sentence.endswith(".")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_reads_in_one_sitting(path: Path) -> None:
    """A module that grows beyond is two."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", in_rooms(PURE), ids=module_name)
def test_core_imports_nothing_that_touches_the_world(path: Path) -> None:
    """A pure module can be tested without a clock, a socket, a file or a camera."""
    assert not {name for name in imports(path) if not with_parents(name) & CORE_MAY_IMPORT}


@pytest.mark.parametrize("path", in_rooms(PURE), ids=module_name)
def test_core_asks_no_clock_and_opens_no_file(path: Path) -> None:
    """Time and contents are arguments of the core."""
    called = [node.func for node in syntax(path) if isinstance(node, ast.Call)]
    assert not {one.id for one in called if isinstance(one, ast.Name)} & BUILTINS_THAT_TOUCH
    assert not {one.attr for one in called if isinstance(one, ast.Attribute)} & METHODS_THAT_ASK_A_CLOCK


@pytest.mark.parametrize("path", in_rooms(PIXELS), ids=module_name)
def test_vision_does_not_know_the_bus(path: Path) -> None:
    """Pixels become faces, and faces pixels, without the bus, cameras or screens."""
    reached = {name for imported in imports(path) for name in with_parents(imported)}
    assert not reached & SOCKETS_AND_DATABASES


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_module_imports_a_program(path: Path) -> None:
    """The programs stand on top: they are started, not imported."""
    assert not {name.split(".")[0] for name in imports(path)} & PROGRAMS


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) not in KNOW_ZMQ], ids=module_name)
def test_only_the_bus_makes_sockets(path: Path) -> None:
    """Limits, linger and keepalive of sockets are set in one room."""
    assert "zmq" not in {name.split(".")[0] for name in imports(path)}


def test_a_class_name_stands_for_one_class() -> None:
    """Whoever reads `Decision` need not ask which one; a leading underscore makes no other word of it."""
    programs = [ROOT / f"{name}.py" for name in sorted(PROGRAMS)]
    homes: dict[str, list[str]] = {}
    for path in [*FILES, *programs]:
        for node in syntax(path):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name.lstrip("_"), []).append(module_name(path))
    assert not {name: modules for name, modules in homes.items() if len(modules) > 1}


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=module_name)
def test_no_test_imports_benchmarks(path: Path) -> None:
    """What both need stands in `tests/support`, and benchmarks import it from there."""
    assert "benchmarks" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize(
    "path", [path for path in FILES if module_name(path) not in START_THREADS], ids=module_name
)
def test_only_the_worker_starts_threads(path: Path) -> None:
    """A thread that dies unseen leaves a node that says it is live."""
    named = {node.attr for node in syntax(path) if isinstance(node, ast.Attribute)} | set(imports(path))
    assert not {"Thread", "threading.Thread"} & named


def test_the_broker_needs_no_model_runtime() -> None:
    """A broker runs on a machine without OpenCV, dlib or OpenVINO."""
    reached = reached_from(ROOT / "broker.py")
    assert "zmq" in reached
    assert not reached & MODEL_RUNTIMES


def test_the_walk_follows_our_own_modules() -> None:
    """The walk that judges the broker sees what is imported further down."""
    reached = reached_from(PACKAGE / "io" / "site" / "file.py")
    assert {"yaml", "turnstile.protocol.fields", "msgspec"} <= reached


def test_what_core_may_import_exists() -> None:
    """A misspelt name in the list would allow nothing and go unnoticed."""
    outside = {"msgspec", "numpy", "turnstile"}
    assert {name.split(".")[0] for name in CORE_MAY_IMPORT} - outside <= sys.stdlib_module_names
