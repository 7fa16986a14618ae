"""The arrows between the layers: programs to io to vision to core, and never back."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "turnstile"
CORE = sorted(path for path in PACKAGE.glob("*.py") if path.name != "__main__.py")
VISION = sorted((PACKAGE / "vision").rglob("*.py"))
WORLD = sorted((PACKAGE / "io").rglob("*.py"))
PROGRAMS = {"broker", "capture_node", "recognizer_node", "logger_node", "display_node"}

CORE_MAY_IMPORT = {
    *("abc", "base64", "bisect", "collections", "copy", "dataclasses", "datetime", "enum", "fractions"),
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

KNOW_ZMQ = {"bus.py", "guard.py", "keys.py"}

BUILTINS_THAT_TOUCH = {"open", "input", "print"}
METHODS_THAT_ASK_A_CLOCK = {"now", "utcnow", "today"}
SOCKETS_AND_DATABASES = {"zmq", "socket", "sqlite3", "sqlalchemy", "psycopg"}
MODEL_RUNTIMES = {"cv2", "dlib", "face_recognition", "face_recognition_models", "onnxruntime"}


def module_name(path: Path) -> str:
    """Return the dotted name of a file of this repository."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def syntax(path: Path) -> Iterator[ast.AST]:
    """Give every node of a file's syntax tree."""
    return ast.walk(ast.parse(path.read_text("utf-8"), filename=str(path)))


def imports(path: Path) -> Iterator[str]:
    """Give the dotted names a file imports, inside functions too; `from a import b` is `a.b`."""
    for node in syntax(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module_name(path)}: relative imports hide the layer they reach for"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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
        for name in imports(path):
            names |= with_parents(name)
        places = [ROOT.joinpath(*name.split(".")) for name in names]
        ours = {found for place in places for found in (place.with_suffix(".py"), place / "__init__.py")}
        waiting = {found for found in ours if found.is_file()} - done
    return names


@pytest.mark.parametrize("path", CORE, ids=module_name)
def test_core_imports_nothing_that_touches_the_world(path: Path) -> None:
    """A core module can be tested without a clock, a socket, a file or a camera."""
    refused = {name for name in imports(path) if not with_parents(name) & CORE_MAY_IMPORT}
    assert not refused
    assert not [name for name in imports(path) if name.startswith(("turnstile.io", "turnstile.vision"))]


@pytest.mark.parametrize("path", CORE, ids=module_name)
def test_core_asks_no_clock_and_opens_no_file(path: Path) -> None:
    """Time and contents are arguments of the core."""
    called = [node.func for node in syntax(path) if isinstance(node, ast.Call)]
    assert not {one.id for one in called if isinstance(one, ast.Name)} & BUILTINS_THAT_TOUCH
    assert not {one.attr for one in called if isinstance(one, ast.Attribute)} & METHODS_THAT_ASK_A_CLOCK


@pytest.mark.parametrize("path", VISION, ids=module_name)
def test_vision_does_not_know_the_bus(path: Path) -> None:
    """Pixels become faces without the bus, cameras or screens."""
    reached = {name for imported in imports(path) for name in with_parents(imported)}
    assert not reached & ({"turnstile.io"} | SOCKETS_AND_DATABASES | PROGRAMS)


@pytest.mark.parametrize("path", WORLD, ids=module_name)
def test_no_module_imports_a_program(path: Path) -> None:
    """The programs stand on top: they are started, not imported."""
    assert not {name.split(".")[0] for name in imports(path)} & PROGRAMS


@pytest.mark.parametrize("path", [path for path in WORLD if path.name not in KNOW_ZMQ], ids=module_name)
def test_only_the_bus_makes_sockets(path: Path) -> None:
    """Limits, linger and keepalive of nodes' sockets are set in one file; two more know pyzmq's keys."""
    assert "zmq" not in {name.split(".")[0] for name in imports(path)}


def test_the_broker_needs_no_model_runtime() -> None:
    """A broker runs on a machine without OpenCV, dlib or ONNX Runtime."""
    reached = reached_from(ROOT / "broker.py")
    assert "zmq" in reached
    assert not reached & MODEL_RUNTIMES


def test_the_walk_follows_our_own_modules() -> None:
    """The walk that judges the broker sees what is imported further down."""
    reached = reached_from(PACKAGE / "io" / "site.py")
    assert {"yaml", "turnstile.messages", "msgspec"} <= reached


def test_what_core_may_import_exists() -> None:
    """A misspelt name in the list would allow nothing and go unnoticed."""
    outside = {"msgspec", "numpy", "turnstile"}
    assert {name.split(".")[0] for name in CORE_MAY_IMPORT} - outside <= sys.stdlib_module_names
