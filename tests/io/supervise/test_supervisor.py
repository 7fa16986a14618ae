"""The supervisor with programs of a few words in place of nodes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.support.builders import write_site
from tests.support.waiting import PATIENCE_S
from turnstile.commands import cli
from turnstile.io.site.changes import SiteFileWatch
from turnstile.io.site.file import load
from turnstile.io.supervise.output import Output
from turnstile.io.supervise.plan import Plan
from turnstile.io.supervise.supervisor import Supervisor, command_line
from turnstile.io.web.serving import node
from turnstile.site.plan import Process

LEAVES_A_CHILD = (
    "import os, subprocess, sys; subprocess.Popen(['sleep', '600']);"
    "print('of group', os.getpid(), flush=True); sys.exit(78)"
)


def test_the_web_node_is_started_by_its_command() -> None:
    """With options that the command takes."""
    words = command_line(Process("web", "web", "web"), config=Path("site.yaml"), log_level="info")
    command = words[words.index("turnstile") + 1 :]
    assert command[0] == "web"
    options = cli.command_line(command).parse_args(command)
    assert (options.config, options.action) == (Path("site.yaml"), node.run)


def test_a_child_that_keeps_the_output_open_hides_no_death(folder: Path) -> None:
    """The node's end is noticed and its words are shown, although its child lives on."""
    shown = folder / "shown"
    config = write_site(folder)
    site = load(config)
    plan = Plan(site, "all", [Process("capture", "door", "door")], "pool", [])
    with shown.open("wb") as file:
        output = Output(file.fileno())
        supervisor = Supervisor(
            command_line=lambda _: [sys.executable, "-c", LEAVES_A_CHILD],
            socket=folder / "socket",
            output=output,
            plan=plan,
            read_plan=lambda: plan,
            watch=SiteFileWatch(config, lambda _: None, site),
            max_failures=3,
        )
        try:
            code = asyncio.run(asyncio.wait_for(supervisor.run(), PATIENCE_S))
        finally:
            output.close()
            os.killpg(int(shown.read_text().split()[-1]), signal.SIGKILL)
    assert code == 1
    assert shown.read_text().startswith("door | of group")
