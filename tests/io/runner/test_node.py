"""What is around every node: command line, names, signals and exit codes."""

import argparse
import logging
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.builders import a_site, write_site
from tests.support.processes import Programs, stop
from turnstile import __version__
from turnstile.errors import ConfigError, ModelError
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.member import choose_name, default_recognizer
from turnstile.io.runner.node import Node, Start, Stop, run
from turnstile.protocol.roles import NodeRole

DOC = "Do one thing.\n\nSay what it hears.\n    python a_node.py --config FILE\n"


class FakeNode:
    """A node that does in its steps what the test says."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.start: Start | None = None
        self.heart = Heart(node="front_door", instance="front_door-1", role="capture")
        self.closed = 0
        self.steps = list(steps)

    def wire(self, start: Start) -> Node:
        """Take what a node is given."""
        self.start = start
        return self

    def step(self, timeout_s: float) -> None:
        """Do the next thing; after the last, ask to stop."""
        assert 0 < timeout_s <= 1
        assert self.start is not None
        if self.steps:
            self.steps.pop(0)()
        else:
            self.start.stop.request()

    def close(self) -> None:
        """Count."""
        self.closed += 1


def drive(node: FakeNode, config: Path, *options: str, role: NodeRole = "capture") -> int:
    """Run a node to its end and return its exit code."""
    return run(role, node.wire, doc=DOC, argv=["--config", str(config), *options])


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Put back the handlers that nodes replace when they configure logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def config(folder: Path) -> Path:
    """Return the site file of one camera."""
    return write_site(folder)


def test_a_node_that_stops_as_asked_ends_with_0(config: Path) -> None:
    """Closed once, after its last step."""
    node = FakeNode()
    assert drive(node, config) == 0
    assert node.closed == 1
    assert node.start is not None
    assert node.start.name == "front_door"
    assert node.start.instance.startswith("front_door-")


def test_two_processes_of_a_name_are_told_apart(config: Path) -> None:
    """By an instance that fits into a topic however long the name is."""
    instances = set()
    for _ in range(2):
        node = FakeNode()
        drive(node, config, "--name", "r" * 63, role="recognizer")
        assert node.start is not None
        instances.add(node.start.instance)
    assert len(instances) == 2
    assert all(len(instance) <= 63 for instance in instances)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_after_the_step_in_hand(config: Path, number: signal.Signals) -> None:
    """The flag is set, and whoever polls the descriptor wakes up."""
    woken: list[bool] = []

    def be_signalled() -> None:
        assert node.start is not None
        stop = node.start.stop
        os.kill(os.getpid(), number)
        readable, _, _ = select.select([stop.fileno], [], [], 30)
        woken.append(stop.requested and readable == [stop.fileno])

    node = FakeNode(be_signalled, pytest.fail)
    before = signal.getsignal(number)
    assert drive(node, config) == 0
    assert woken == [True]
    assert node.closed == 1
    assert signal.getsignal(number) == before


def test_a_signal_while_a_node_is_wired_ends_it_at_once(config: Path) -> None:
    """Loading models takes seconds; there is nothing in hand to finish."""

    def wire(_: Start) -> Node:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the signal did not come through")

    assert run("capture", wire, doc=DOC, argv=["--config", str(config)]) == 0


def test_a_signal_that_a_module_being_loaded_makes_an_error_of_ends_a_node_as_well(config: Path) -> None:
    """As dlib does, whose import then fails with ImportError."""

    def be_signalled(_: Start) -> Node:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as interrupt:
            raise ImportError("initialization failed") from interrupt
        pytest.fail("no signal came")

    assert run("capture", be_signalled, doc=DOC, argv=["--config", str(config)]) == 0


def test_a_signal_after_the_node_asked_to_stop_is_the_first(config: Path) -> None:
    """A window closed and a supervisor that stops everything: no reason to leave without closing."""

    def ask_and_be_signalled() -> None:
        assert node.start is not None
        node.start.stop.request()
        os.kill(os.getpid(), signal.SIGTERM)

    node = FakeNode(ask_and_be_signalled)
    assert drive(node, config) == 0
    assert node.closed == 1


def test_stopping_outside_a_node_raises_nothing() -> None:
    """Commands that only read use it too."""
    with Stop() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ValueError("surprise"), 1, "Traceback"),
        (ModelError("the model is missing; run make setup"), 1, "the model is missing"),
        (ConfigError("cameras.front_door: no such device"), 78, "cameras.front_door: no such device"),
    ],
)
@pytest.mark.parametrize("where", ["wire", "step"])
def test_errors_end_a_node_with_their_exit_code(
    config: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int, words: str, where: str
) -> None:
    """What is expected in a sentence; a crash with its traceback. In a step, the node is closed."""

    def fail(*_: object) -> Node:
        raise error

    node = FakeNode(fail)
    wire = fail if where == "wire" else node.wire
    assert run("capture", wire, doc=DOC, argv=["--config", str(config)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert ("Traceback" in said) == (words == "Traceback")
    assert node.closed == (where == "step")


def test_a_bad_site_file_ends_with_78_before_anything_is_wired(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names file, path and what would be valid."""
    config = write_site(folder, "decision: {tolerance: 1}")
    assert drive(FakeNode(pytest.fail), config) == 78
    assert f"{config}:5: decision.tolerance: there is no such key" in capsys.readouterr().err
    assert drive(FakeNode(pytest.fail), folder / "missing.yaml", "--check") == 78


def test_check_says_what_would_run_and_wires_nothing(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0."""
    node = FakeNode()
    assert drive(node, config, "--check") == 0
    assert node.start is None
    assert capsys.readouterr().out == f"{config}: valid; capture front_door\n"


def test_help_opens_with_the_programs_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line as it stands in the file, then the options."""
    with pytest.raises(SystemExit) as ended:
        run("capture", FakeNode().wire, doc=DOC, argv=["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert DOC.rstrip() in printed
    assert all(option in printed for option in ("--config", "--name", "--check", "--log-level", "--version"))


def test_version_is_turnstiles(capsys: pytest.CaptureFixture[str]) -> None:
    """One for all programs."""
    with pytest.raises(SystemExit):
        run("capture", FakeNode().wire, doc=DOC, argv=["--version"])
    assert capsys.readouterr().out == f"turnstile {__version__}\n"


def test_a_node_may_have_options_of_its_own(config: Path) -> None:
    """They are handed to it."""

    def add_record(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--record")

    node = FakeNode()
    code = run(
        "capture",
        node.wire,
        doc=DOC,
        argv=["--config", str(config), "--record", "out.mp4"],
        add_options=add_record,
    )
    assert code == 0
    assert node.start is not None
    assert node.start.options.record == "out.mp4"


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("warning", 0)])
def test_the_log_is_as_talkative_as_asked(
    config: Path, capsys: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    """Each line with time and level, on standard error."""
    node = FakeNode(lambda: logging.getLogger("turnstile").info("a line"))
    drive(node, config, "--log-level", level)
    assert capsys.readouterr().err.count(" INFO    a line\n") == lines


@pytest.mark.parametrize(
    ("role", "given", "name"),
    [
        ("broker", None, "broker"),
        ("broker", "ignored", "broker"),
        ("capture", "front_door", "front_door"),
        ("logger", None, "log"),
        ("display", "porter", "porter"),
        ("recognizer", "recognizer-9", "recognizer-9"),
        ("recognizer", "gpu", "gpu"),
    ],
)
def test_a_node_is_named_by_the_site_or_is_the_only_one(
    folder: Path, role: NodeRole, given: str | None, name: str
) -> None:
    """Recognizers may be called anything, as they come and go."""
    site = a_site(
        folder,
        "recognizers: {gpu: {}}",
        "loggers: {log: {}}",
        "displays: {porter: {}, guard: {}}",
        cameras=["front_door", "back_door"],
    )
    assert choose_name(site, role, given) == name


@pytest.mark.parametrize(
    ("role", "given", "words"),
    [
        ("capture", None, "--name is needed: the site's cameras are: front_door, back_door"),
        (
            "capture",
            "side_door",
            "--name side_door: the site has no such capture; its cameras are: front_door",
        ),
        ("logger", None, "the site has no logger: name one in the site file, under loggers"),
        ("recognizer", "front_door", "--name front_door: the site has another node of that name"),
        ("recognizer", "broker", "--name broker: the site has another node of that name"),
        ("recognizer", "a b", "--name 'a b': names are letters, digits"),
        ("recognizer", "a\n", "--name 'a\\n': names are letters, digits"),
        ("recognizer", "a.b", "--name 'a.b': names are letters, digits"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(
    folder: Path, role: NodeRole, given: str | None, words: str
) -> None:
    """On the command line, before anything starts."""
    site = a_site(folder, cameras=["front_door", "back_door"])
    with pytest.raises(ConfigError) as refused:
        choose_name(site, role, given)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("cellar", "recognizer-cellar"),
        ("cellar.example.org", "recognizer-cellar"),
        ("", "recognizer-host"),
        ("käller_1", "recognizer-k-ller_1"),
        ("a" * 80, "recognizer-" + "a" * 52),
    ],
)
def test_a_recognizer_is_named_after_its_machine(folder: Path, host: str, name: str) -> None:
    """Whatever machines are called, it is a name."""
    assert default_recognizer(host) == name
    assert choose_name(a_site(folder), "recognizer", name) == name


STUBBORN = """
import sys
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart

class Stubborn:
    def __init__(self, start):
        self.stop = start.stop
        self.heart = Heart(node="front_door", instance="front_door-1", role="capture")

    def step(self, timeout_s):
        print("working", flush=True)
        while not self.stop.requested:
            pass
        print("asked to stop", flush=True)
        while True:
            pass

    def close(self):
        print("closed", flush=True)

sys.exit(node.run("capture", Stubborn, doc=""))
"""


def test_a_second_signal_ends_a_node_that_does_not_stop(config: Path) -> None:
    """At once and without closing, as nothing else would help."""
    with Programs() as programs:
        process = programs.start("-c", STUBBORN, "--config", str(config))
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked to stop\n"
        code, said = stop(process)
    assert code == 128 + signal.SIGTERM
    assert "stopped" not in said


def test_an_edited_site_file_is_said_in_the_beat_and_once_in_the_log(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until the node is started again with it."""
    node = FakeNode()

    def edit() -> None:
        config.write_text(config.read_text().replace("source: 0", "source: 1"))

    told: list[tuple[str, str]] = []

    def wait() -> None:
        if not node.heart.notice:
            node.steps.insert(0, wait)
        elif beat := node.heart.beat_if_due():
            told.append((node.heart.words, beat.detail))

    node.steps = [edit, wait]
    assert drive(node, config) == 0
    said = "site.yaml changed; `turnstile reload` or a restart applies it"
    assert told == [(f"starting: {said}", said)]
    assert node.heart.words == "ended"
    assert capsys.readouterr().err.count(said) == 1
