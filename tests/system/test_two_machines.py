"""docs/two-machines.md: its ten commands, as they stand there, on two machines that are namespaces here.

What leads out of here is played: `git clone` copies this tree, with its environment; `nano` puts in addresses
and pictures for cameras; `scp` copies a file.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.hosts.network import Network, why_not
from tests.support.processes import ROOT
from tests.support.views import OBAMA, a_view, put
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.commands.demo import samples

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(200),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

PLAYED = {
    "git": """
import shutil, sys
left_out = shutil.ignore_patterns(".*", "var", "tests", "docs", "__pycache__", "keys", "*.egg-info")
shutil.copytree({root!r}, "turnstile", ignore=left_out, dirs_exist_ok=True)
pathlib.Path("turnstile/.venv").symlink_to(sys.prefix)
""",
    "nano": """
import sys
file = pathlib.Path(sys.argv[1])
text = file.read_text()
for before, after in (("192.168.1.10", {gate!r}), ("192.168.1.11", {lodge!r}), ("source: 0", {source!r})):
    text = text.replace(before, after)
file.write_text(text)
""",
    "scp": """
import shutil, sys
shutil.copy(sys.argv[1], {homes!r} + "/" + sys.argv[2].removesuffix(":"))
""",
}


class Machines:
    """Two machines with a home each."""

    def __init__(self, folder: Path, network: Network, display: str, stack: ExitStack) -> None:
        self.folder, self.network, self.stack = folder, network, stack
        put(folder / "door.jpg", a_view(OBAMA))
        source = f"source: [{folder / 'door.jpg'}], max_fps: 4, loop: true"
        (folder / "bin").mkdir()
        for name, text in PLAYED.items():
            played = folder / "bin" / name
            words = {
                "root": str(ROOT),
                "gate": network.address("gate"),
                "lodge": network.address("lodge"),
                "source": source,
                "homes": str(folder),
            }
            played.write_text(f"#!{sys.executable}\nimport pathlib\n{text.format(**words)}")
            played.chmod(0o755)
        for host in ("gate", "lodge"):
            (folder / host).mkdir()
        put(folder / "gate" / "me.jpg", (samples.folder() / "obama.jpg").read_bytes())
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "DISPLAY": display,
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        }

    def run(self, host: str, commands: str) -> "subprocess.Popen[bytes]":
        """Give commands to a shell in a machine's home; the last one goes on."""
        home = self.folder / host
        (home / "run").mkdir(mode=0o700)
        own = {
            "HOME": str(home),
            "PYTHONPATH": str(home / "turnstile"),
            "XDG_RUNTIME_DIR": str(home / "run"),
        }
        with (home / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                self.network.on(host, "bash", "-ec", commands),
                cwd=home,
                env=self.environment | own,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.stack.callback(self.end, process)
        return process

    def end(self, process: "subprocess.Popen[bytes]") -> int:
        """End a shell and what it runs, as Ctrl-C does."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        return process.wait(PATIENCE_S)

    def wait_for(self, file: str, pattern: str) -> None:
        """Return when a file has a line that matches."""
        path = self.folder / file

        def outputs() -> str:
            said = [(self.folder / host / "output.txt") for host in ("gate", "lodge")]
            text = "\n".join(one.read_text(errors="replace")[-4000:] for one in said if one.exists())
            return f"{file}: {pattern}\n{text}"

        wait_until(lambda: path.exists() and re.search(pattern, path.read_text(errors="replace")), outputs)


@pytest.fixture
def machines(folder: Path, virtual_screen: str) -> Iterator[Machines]:
    """Give two machines with nothing on them."""
    with Network(["gate", "lodge"]) as network, ExitStack() as stack:
        yield Machines(folder, network, virtual_screen, stack)


def blocks() -> dict[str, str]:
    """Return the commands of the page, by machine."""
    page = (ROOT / "docs" / "two-machines.md").read_text("utf-8")
    return dict(re.findall(r"```(gate|lodge)\n(.*?)```", page, re.DOTALL))


def test_ten_commands_lead_to_two_doors(machines: Machines) -> None:
    """Both doors open for the person enrolled, and both machines stop in order."""
    commands = blocks()
    assert sum(len(block.splitlines()) for block in commands.values()) == 10
    gate = machines.run("gate", commands["gate"])
    machines.wait_for("gate/output.txt", r"up .*starting broker, log, gate-pool, front_door\n")
    assert (machines.folder / "lodge" / "lodge.bundle").exists()
    lodge = machines.run("lodge", commands["lodge"])
    for door in ("front_door", "back_door"):
        machines.wait_for("gate/turnstile/access_log.txt", rf"{door} +GRANTED +Ada Lovelace")
    machines.wait_for("lodge/output.txt", r"porter .* back_door: live")
    assert not (machines.folder / "lodge" / "lodge.bundle").exists()
    assert machines.end(lodge) == 0
    assert machines.end(gate) == 0
