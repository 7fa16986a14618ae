"""The table of commands, what each is told, and how errors end."""

import subprocess
import sys

import pytest

from turnstile import __version__
from turnstile.commands.cli import all_commands, main, overview

HEAVY = ("cv2", "dlib", "msgspec", "numpy", "openvino", "rich", "sqlalchemy", "yaml", "zmq")
LOADED = f"""
import sys
from turnstile.commands.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
sys.exit(" ".join(name for name in {HEAVY} if name in sys.modules))
"""
WITHOUT_A_PACKAGE = """
import sys
sys.modules[sys.argv[1]] = None
from turnstile.commands.cli import main
sys.exit(main(sys.argv[2:]))
"""
UNREAD = """
import os
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
from turnstile.commands.cli import main
raise SystemExit(main(["check", "--config", "configs/local.yaml"]))
"""


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a few lines in a process of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", all_commands())
def test_the_help_of_a_command_opens_with_its_docstring(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The module of each line in the table is there."""
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "--help"])
    said = capsys.readouterr().out
    module = sys.modules[f"turnstile.commands.{all_commands()[name].module}"]
    assert ended.value.code == 0
    assert module.__doc__ is not None
    assert said.startswith(f"usage: turnstile {name} ")
    assert said.split("\n\n", 1)[1].startswith(module.__doc__.strip())


@pytest.mark.parametrize("action", ["init", "add", "revoke", "list", "bundle", "unpack"])
def test_the_actions_of_keys_have_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And `turnstile keys --help` lists them."""
    with pytest.raises(SystemExit):
        main(["keys", "--help"])
    assert f"    {action} " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["keys", action, "--help"])
    assert ended.value.code == 0


def test_the_help_lists_every_command_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    """In words that say what it is for."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert overview() in capsys.readouterr().out
    lines = overview().splitlines()
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in all_commands())
    assert "the access log:" in lines


def test_help_loads_no_package() -> None:
    """Only a command's own module is imported, when it is typed."""
    assert python(LOADED, "--help").stderr.split() == []
    assert python(LOADED, "log", "--help").stderr.split() == []
    assert "sqlalchemy" in python(LOADED, "log", "head", "--help").stderr


@pytest.mark.parametrize("package", ["cv2", "dlib", "openvino", "zmq"])
def test_the_doctor_runs_where_a_package_is_missing(package: str) -> None:
    """It says so, with what to do."""
    finished = python(WITHOUT_A_PACKAGE, package, "doctor", "--config", "configs/local.yaml")
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    assert "make distclean setup" in finished.stdout


def test_a_package_that_a_command_needs_is_named() -> None:
    """With what to do, instead of a traceback."""
    finished = python(WITHOUT_A_PACKAGE, "sqlalchemy", "log", "head", "--config", "configs/local.yaml")
    assert finished.returncode == 1
    assert finished.stderr == "error: the package sqlalchemy is missing: run `make distclean setup`\n"


def test_nobody_who_reads_is_no_error() -> None:
    """As with `turnstile check … | head -1`."""
    finished = python(UNREAD)
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "nothing.yaml"], 78),
        (["log", "verify", "--config", "nothing.yaml"], 78),
        (["keys", "list", "--config", "nothing.yaml"], 78),
        (["units", "--config", "nothing.yaml"], 78),
        (["erase", "Ann Lee", "--config", "nothing.yaml"], 78),
    ],
)
def test_errors_are_printed_alike(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence on the error output."""
    assert main(words) == code
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """For reports of what went wrong."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"turnstile {__version__}\n"


@pytest.mark.parametrize("options", [[], ["unheard-of"], ["check"], ["status"]])
def test_a_wrong_command_line_gives_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usage on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert "usage: turnstile" in capsys.readouterr().err
