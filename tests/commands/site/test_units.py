"""`turnstile units`, and what systemd says of the files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.builders import write_site
from turnstile.commands.cli import main
from turnstile.commands.site.units import systemd_version

NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")

SECTIONS = (
    "recognizers: {pool: {count: 2}}",
    "loggers: {log: {file: log/access.txt}}",
    "displays: {porter: {}}",
    "webhooks: {hook: {url: 'http://x/', secret_file: secret, state_file: hook/state}}",
)


@pytest.fixture
def config(folder: Path) -> Path:
    """Give the file of a site with one node of each kind."""
    socket = f"{{ingress: 'ipc://{folder}/run/in', egress: 'ipc://{folder}/run/out'"
    return write_site(folder, *SECTIONS, f"broker: {socket}, journal: var/journal.db}}")


@pytest.fixture
def made(config: Path, folder: Path) -> Path:
    """Give the folder that the command wrote."""
    assert main(["units", "--config", str(config), "--to", str(folder / "units")]) == 0
    return folder / "units"


def test_the_files_are_there_and_it_is_said_what_to_do(
    made: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of this machine's nodes; what an earlier run left of others is gone."""
    assert main(["units", "--config", str(config), "--to", str(made)]) == 0
    said = capsys.readouterr().out
    assert f"cp -r {made}/. /etc/" in said
    assert "systemctl enable --now turnstile.target" in said
    assert "systemctl --user enable --now turnstile-display-porter.service" in said
    config.write_text(config.read_text().replace("front_door", "back_door"))
    assert main(["units", "--config", str(config), "--to", str(made)]) == 0
    assert not (made / "systemd/system/turnstile-capture-front_door.service").exists()
    assert (made / "systemd/system/turnstile-capture-back_door.service").exists()


@NEEDS_SYSTEMD
def test_systemd_finds_no_fault_with_them(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No unknown word, no unit that is not there, no program that cannot be run."""
    monkeypatch.setenv("SYSTEMD_UNIT_PATH", f"{made}/systemd/system:")
    units = [str(path) for path in sorted((made / "systemd/system").iterdir())]
    assert len(units) == 6
    command = ["systemd-analyze", "verify", "--man=no", *units]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    faults = [line for line in found.stderr.splitlines() if "turnstile" in line]
    assert (found.returncode, faults) == (0, [])


@NEEDS_SYSTEMD
@pytest.mark.skipif(systemd_version() < 250, reason="this systemd looks at no files, only at what runs")
def test_their_exposure_is_small(made: Path) -> None:
    """As systemd counts it: 0 is none, 10 is all; an ordinary service has 9.6. A webcam needs its device."""
    exposures = {}
    for path in sorted((made / "systemd/system").glob("*.service")):
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)]
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        level = re.search(r"exposure level for \S+: ([\d.]+)", said)
        assert level is not None
        exposures[path.name] = float(level[1])
    assert max(exposures.values()) <= 2.1
    assert exposures["turnstile-broker.service"] <= 1.8


def test_what_cannot_be_is_said_in_a_sentence(
    config: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 78, as for all that is wrong with a site file or an option."""
    for options, words in (
        (["--user", "Robert'); --"], "--user"),
        (["--to", str(config)], "--to"),
        (["--host", "nowhere"], "--host"),
    ):
        assert main(["units", "--config", str(config), "--to", str(folder / "u"), *options]) == 78
        assert words in capsys.readouterr().err
