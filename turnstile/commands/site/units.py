"""Write systemd units for this machine's nodes of a site, and say how they are put into use."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from turnstile.commands.options import add_config, add_host
from turnstile.counts import counted
from turnstile.errors import ConfigError
from turnstile.files.whole import write_whole
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.runner.processes import PROGRAMS
from turnstile.io.site.file import load
from turnstile.io.supervise.plan import plan_for
from turnstile.site.systemd import Machine, units

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    add_host(parser)
    parser.add_argument("--user", default="turnstile", metavar="USER", help="whom they run as (turnstile)")
    parser.add_argument(
        "--to", type=Path, default=Path("units"), metavar="FOLDER", help="where they are written (units)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the files and say how they are put into use; return 0."""
    site = load(options.config)
    here = plan_for(site, host=options.host).processes
    machine = Machine(
        python=str(Path(sys.prefix) / "bin" / "python"),
        programs=str(PROGRAMS),
        site_file=str(options.config.resolve()),
        user=_user(options.user),
        reads=(sys.base_prefix,),
        systemd=systemd_version(),
    )
    files = units(site, here, machine)
    write(options.to, files)
    sys.stdout.write(how(options.to, files, machine))
    return EXIT_STOPPED


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files under a folder, and take away what an earlier run left there of nodes that are gone.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        for old in folder.glob("systemd/*/turnstile*"):
            if str(old.relative_to(folder)) not in files:
                old.unlink()
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode(), mode=0o644)
    except OSError as error:
        raise ConfigError(f"--to {folder}: cannot be written: {error.strerror}") from error


def how(folder: Path, files: dict[str, str], machine: Machine) -> str:
    """Return what to do with the files."""
    lines = [f"{counted(len(files), 'file')} in {folder}"]
    if any(name.startswith("systemd/system") for name in files):
        lines += [
            "",
            "As root:",
            f"  cp -r {folder}/. /etc/",
            "  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload",
            "  systemctl enable --now turnstile.target",
            "",
            f"{machine.user} must be able to read {machine.programs} and {machine.site_file};",
            "the keys folder and those of ReadWritePaths= must be its own where they exist: chown -R",
        ]
    displays = [Path(name).name for name in files if name.startswith("systemd/user/")]
    if displays:
        names = " ".join(displays)
        lines += ["", "As whoever sits before the screen:", f"  systemctl --user enable --now {names}"]
    return "\n".join(lines) + "\n"


def _user(name: str) -> str:
    if not _USER.fullmatch(name):
        raise ConfigError(f"--user {name!r}: small letters, digits, '_' and '-' are valid, at most 31")
    return name


def systemd_version() -> int:
    """Return the version of this machine's systemd; 0 when it has none."""
    try:
        command = ["systemctl", "--version"]
        said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"systemd (\d+)", said.stdout)
    return int(found[1]) if found else 0
