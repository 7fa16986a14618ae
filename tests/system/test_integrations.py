"""`turnstile on-access` and `turnstile webhook` as processes: the exit codes of nodes, and what they say."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.processes import Process, Programs, stop
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system

HOOK = "webhooks: {{hook: {{url: '{url}', secret_file: secret, state_file: state}}}}"


def a_secret(folder: Path, *, mode: int = 0o600) -> None:
    """Write the secret of the webhook."""
    (folder / "secret").write_bytes(b"sixteen bytes or more")
    (folder / "secret").chmod(mode)


def on_access(programs: Programs, config: Path, *, camera: str = "front_door") -> Process:
    """Start a command that does nothing for each event of a camera."""
    return programs.start(
        "-m", "turnstile", "on-access", "--config", str(config), "--camera", camera, "--", "true"
    )


def webhook(programs: Programs, config: Path) -> Process:
    """Start the only webhook."""
    return programs.start("-m", "turnstile", "webhook", "--config", str(config))


def ended(process: Process) -> tuple[int, str]:
    """Return a process's exit code and what it said."""
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


def started(process: Process) -> None:
    """Return when a node has said that it starts."""
    assert process.stderr is not None
    assert " starts" in process.stderr.readline()


@pytest.mark.parametrize("command", [on_access, webhook])
def test_an_address_that_cannot_be_connected_to_is_a_fault_of_the_site_file(
    folder: Path, command: Callable[[Programs, Path], Process]
) -> None:
    """One sentence and 78, not a traceback: who restarts it must not try again."""
    a_secret(folder)
    at = f"ipc://{folder}/{'a' * 108}"
    broker = f"broker: {{ingress: '{at}', egress: '{at}b', journal: journal.db}}"
    with Programs() as programs:
        code, said = ended(command(programs, write_site(folder, broker, HOOK.format(url="http://h.test/"))))
    assert code == 78
    assert "cannot connect to ipc://" in said
    assert "Traceback" not in said


def test_a_camera_that_the_site_has_not_is_a_fault_of_the_command_line(folder: Path) -> None:
    """The sentence names those it has."""
    with Programs() as programs:
        code, said = ended(on_access(programs, write_site(folder), camera="back_door"))
    assert code == 78
    assert "the site's cameras are: front_door" in said


def test_a_secret_that_others_can_read_is_a_fault_of_the_set_up(folder: Path) -> None:
    """Nothing is sent with it."""
    a_secret(folder, mode=0o644)
    with Programs() as programs:
        code, said = ended(webhook(programs, write_site(folder, HOOK.format(url="http://h.test/"))))
    assert code == 78
    assert "others can read it" in said


@pytest.mark.parametrize("command", [on_access, webhook])
def test_they_stop_when_asked_to(folder: Path, command: Callable[[Programs, Path], Process]) -> None:
    """With 0, although no broker was ever there."""
    a_secret(folder)
    with Programs() as programs:
        process = command(programs, write_site(folder, HOOK.format(url="http://h.test/")))
        started(process)
        code, said = stop(process, by=signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in said


def test_on_access_says_at_its_start_whom_it_opens_for(folder: Path) -> None:
    """In one line, with the options that change it."""
    with Programs() as programs:
        process = on_access(programs, write_site(folder))
        started(process)
        assert process.stderr is not None
        said = process.stderr.readline()
        stop(process, by=signal.SIGTERM)
    assert "front_door: true runs for granted visits only; --denied or --all runs it for others" in said
