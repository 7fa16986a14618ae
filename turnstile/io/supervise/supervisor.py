"""The supervisor of one machine's node processes: it starts them, restarts them and stops them in order.

One task keeps one process. `turnstile.site.restarts` decides what follows when a process ends. Commands come
as lines of JSON, by a unix socket in a folder of its owner alone; there is no TCP.

Rejected (docs/decisions/0012):
    circus: it stops all at once, has one delay and knows no exit codes. It takes SIGHUP for a wish to double
        every process. It needs tornado and psutil, and wrapping it took 600 lines.
    supervisord: it restarts a whole pool to add one process, and restarts at once what has run for a while.
    honcho: it restarts nothing, and ends all processes when one ends.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.runner.node import UNDER_A_SUPERVISOR
from turnstile.io.runner.processes import PROGRAMS as FOLDER
from turnstile.io.site.changes import LOOK_EVERY_S, SiteFileWatch
from turnstile.io.supervise.control import STOP_WITHIN_S
from turnstile.io.supervise.output import MAX_LINE_BYTES, Output
from turnstile.io.supervise.plan import Plan
from turnstile.site.fields import MAX_COUNT
from turnstile.site.parts import part_of
from turnstile.site.plan import PROGRAMS, START_ORDER, Process, more_names
from turnstile.site.restarts import EXIT_CRASHED, EXIT_STOPPED, Restarts

LAST_WORDS_WITHIN_S = 1.0
"""How long the output of a dead process is read, should a child of it hold the pipe open."""

_DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")

State = Literal["starting", "running", "waiting", "ended", "given up", "stopped"]

log = logging.getLogger("turnstile.up")


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a supervisor is asked to do."""

    command: Literal["nodes", "reload", "restart", "scale", "start", "stop"]
    name: str = ""
    """Which node to start, stop or start again."""
    count: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] = 0
    """How many recognizers are to run."""


@dataclass(kw_only=True)
class _Kept:
    """One process that is kept, or was."""

    process: Process
    state: State = "starting"
    pid: int | None = None
    """Of the process that runs now."""
    task: "asyncio.Task[None]" = field(init=False)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)  # asyncio's own may reap the process and lose its exit code


@dataclass(kw_only=True)
class Supervisor:
    """Runs processes until it is asked to stop, or until all have ended by themselves."""

    command_line: Callable[[Process], list[str]]
    socket: Path
    """Where commands come in."""
    output: Output
    plan: Plan
    """What was planned from the site file as it was applied last."""
    read_plan: Callable[[], Plan]
    """Plans anew from the site file as it is now."""
    watch: SiteFileWatch
    max_failures: int
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the command that is carried out."""
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)

    async def run(self) -> int:
        """Start what is planned and keep it; return the exit code: 0, or 1 if a process was given up."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        with closing(await asyncio.start_unix_server(self._answer, self.socket)):
            async with self._tasks:
                self._add(self.plan.processes)
                watching = self._tasks.create_task(self._watch_site_file())
                await self._enough.wait()
                watching.cancel()
                async with self._turn:
                    for kind in reversed(START_ORDER):
                        await self._stop(one for one in self._kept.values() if one.process.kind == kind)
        given_up = [name for name, one in self._kept.items() if one.state == "given up"]
        if given_up:
            log.error("given up: %s", ", ".join(given_up))
        return EXIT_CRASHED if given_up else EXIT_STOPPED

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out the command that comes by a connection."""
        answer: dict[str, object]
        try:
            answer = await self._carry_out(msgspec.json.decode(await reader.readline(), type=Command))
        except (TurnstileError, msgspec.MsgspecError, ValueError) as error:
            answer = {"error": str(error)}
        writer.write(msgspec.json.encode(answer) + b"\n")
        writer.close()

    async def _carry_out(self, command: Command) -> dict[str, object]:
        if command.command == "nodes":
            return {
                "nodes": [
                    {"name": name, "kind": one.process.kind, "state": one.state, "pid": one.pid}
                    for name, one in self._kept.items()
                ]
            }
        if self._enough.is_set():
            raise TurnstileError(f"{command.command}: everything here is stopping")
        async with self._turn:
            if command.command == "scale":
                return await self._scale(command.count)
            if command.command == "reload":
                return await self._reload()
            kept = self._kept.get(command.name)
            if kept is None:
                raise TurnstileError(f"there is no such node here; there are: {', '.join(self._kept)}")
            if command.command in ("stop", "restart"):
                await self._stop([kept])
            if command.command == "restart":
                self._start(kept)
            elif command.command == "start" and kept.state not in ("starting", "running"):
                kept.task.cancel()  # if it waits to be started again
                self._start(kept)
        return {}

    async def _scale(self, count: int) -> dict[str, object]:
        """Start or stop recognizers until so many run; return the names of those started and stopped."""
        mine = [name for name, one in self._kept.items() if one.process.kind == "recognizer"]
        alive = [name for name in mine if self._kept[name].state in ("starting", "running", "waiting")]
        key = self._kept[alive[0]].process.key if alive else self.plan.worker_key
        await self._stop(self._kept[name] for name in alive[count:])
        for name in mine:
            if name not in alive[:count]:
                del self._kept[name]
        names = more_names(key, taken=list(self._kept), count=count - len(alive))
        self._add([Process("recognizer", name, key) for name in names])
        return {"started": names, "stopped": alive[count:]}

    async def _reload(self) -> dict[str, object]:
        """Apply the site file as it is now: start, stop and restart what differs; return their names.

        What was stopped by hand stays so, and recognizers that were added by hand stay, too.

        Raises:
            ConfigError: the file is not valid, and nothing was changed.
        """
        before, after = self.plan, self.read_plan()
        if after.host != before.host:
            raise ConfigError(
                f"this machine was the host {before.host} and would be {after.host}: start anew"
            )
        planned = {one.name: one for one in after.processes}
        names_before = {one.name for one in before.processes}
        keys = {one.key for one in after.processes} | {after.worker_key}
        gone, changed = [], []
        for name, kept in self._kept.items():
            now = planned.get(name, kept.process)
            if (name not in planned and name in names_before) or now.key not in keys:
                gone.append(kept)
            elif _part(before, kept.process) != _part(after, now):
                kept.process = now
                changed.append(kept)
        restarted = [one for one in changed if one.state != "stopped"]
        for kind in reversed(START_ORDER):
            await self._stop(one for one in [*gone, *restarted] if one.process.kind == kind)
        for one in gone:
            del self._kept[one.process.name]
        for one in sorted(restarted, key=lambda one: START_ORDER.index(one.process.kind)):
            self._start(one)
        new = [one for one in after.processes if one.name not in names_before and one.name not in self._kept]
        self._add(new)
        self.plan = after
        self.watch.applied(after.site)
        return {
            "restarted": [one.process.name for one in restarted],
            "stopped": [one.process.name for one in gone],
            "started": [one.name for one in new],
        }

    async def _watch_site_file(self) -> None:
        """Say once when the site file changed."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self.watch.poll(time.monotonic()) and self.watch.notice:
                log.warning("%s", self.watch.notice)

    def _add(self, processes: Iterable[Process]) -> None:
        for one in processes:
            self._kept[one.name] = _Kept(process=one)
            self._start(self._kept[one.name])

    def _start(self, kept: _Kept) -> None:
        """Start a node, as if it had never failed."""
        kept.state = "starting"
        kept.task = self._tasks.create_task(self._keep(kept))

    async def _stop(self, kept: Iterable[_Kept]) -> None:
        """Ask nodes to stop, all at once, and return when they have."""
        running = [one for one in kept if not one.task.done()]
        if not running:
            return
        log.info("stopping %s", ", ".join(one.process.name for one in running))
        for one in running:
            if one.state == "waiting":
                one.task.cancel()
            one.state = "stopped"
            one.send(signal.SIGTERM)
        tasks = [one.task for one in running]
        await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
        for one in running:
            if not one.task.done():
                log.warning("%s is killed: it did not stop within %.0f s", one.process.name, STOP_WITHIN_S)
                one.send(signal.SIGKILL)
        await asyncio.wait(tasks)

    async def _keep(self, kept: _Kept) -> None:
        """Run a process, and start it again as often as its exit codes allow."""
        restarts = Restarts(max_failures=self.max_failures)
        while not self._enough.is_set():
            began_s = time.monotonic()
            exit_code = await self._run_once(kept)
            if kept.state == "stopped" or self._enough.is_set():
                break
            outcome = restarts.ended(exit_code, ran_s=time.monotonic() - began_s)
            level = logging.ERROR if outcome.given_up else logging.WARNING if exit_code else logging.INFO
            log.log(level, "%s %s", kept.process.name, outcome.words)
            if outcome.delay_s is None:
                kept.state = "given up" if outcome.given_up else "ended"
                if all(one.state in ("ended", "given up") for one in self._kept.values()):
                    log.info("nothing is left to run")
                    self._enough.set()
                return
            kept.state = "waiting"
            await asyncio.sleep(outcome.delay_s)
            kept.state = "starting"
        kept.state = "stopped"

    async def _run_once(self, kept: _Kept) -> int:
        """Run a process and copy its output; return its exit code."""
        # Not asyncio's own pipes: `wait` would last until all children of the process have closed them, too.
        # https://github.com/python/cpython/issues/119710
        reading, writing = os.pipe()
        try:
            child = await asyncio.create_subprocess_exec(
                *self.command_line(kept.process),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=os.environ | {UNDER_A_SUPERVISOR: "1"},
                start_new_session=True,  # Ctrl-C reaches us alone
            )
        except OSError as error:
            os.close(reading)
            log.error("%s cannot be started: %s", kept.process.name, error)  # noqa: TRY400 - the sentence is enough
            return 1
        finally:
            os.close(writing)
        kept.pid = child.pid
        if kept.state == "stopped":
            kept.send(signal.SIGTERM)
        else:
            kept.state = "running"
        stream = asyncio.StreamReader(MAX_LINE_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb")
        )
        copying = self._tasks.create_task(self.output.copy(kept.process.name, stream))
        exit_code = await child.wait()
        kept.pid = None
        await asyncio.wait([copying], timeout=LAST_WORDS_WITHIN_S)
        transport.close()
        await copying
        return exit_code

    def _on_signal(self) -> None:
        """Stop in order; at a second signal at once."""
        if self._enough.is_set():
            log.warning("killing what still runs")
            for one in self._kept.values():
                one.send(signal.SIGKILL)
        self._enough.set()


def _part(plan: Plan, process: Process) -> tuple[object, ...]:
    """Return what of the site file a process was, or would be, started with."""
    return process, part_of(plan.site, process.kind, process.key)


def parts(plan: Plan) -> list[tuple[object, ...]]:
    """Return what of a site file matters to this machine."""
    return [_part(plan, one) for one in plan.processes]


def command_line(process: Process, *, config: Path, log_level: str) -> list[str]:
    """Return how a process is started, so that it dies with us."""
    die_with_us = [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid())]
    words = [*die_with_us, sys.executable, "-W", "ignore"]
    node = ["--config", str(config), "--name", process.name]
    if process.kind in ("webhook", "web"):
        return [*words, "-m", "turnstile", process.kind, *node]
    return [*words, str(FOLDER / PROGRAMS[process.kind]), *node, "--log-level", log_level]
