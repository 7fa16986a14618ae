"""The keeper of one machine's node processes: circus, with our policy of restarts and order of stopping.

circus starts processes, reads their output, stops them (SIGTERM, then SIGKILL) and listens for commands on a
ZeroMQ socket. What it lacks is here: its plugin against flapping knows no growing delay and no exit codes, so
`turnstile.site.restarts` decides; it stops everything at once, here it goes from cameras to broker; and it
takes SIGHUP for a wish to double every process. supervisord, the other one looked at, has an order and exit
takes SIGHUP for a wish to double every process. supervisord, the other one, has an order and exit codes,

The command socket is an ipc socket in a folder of its owner alone; there is no TCP.
"""

import asyncio
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from circus.arbiter import Arbiter
from circus.exc import MessageError
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from turnstile.io.runner.processes import PROGRAMS as FOLDER
from turnstile.io.supervise.output import Lines, Prefixes
from turnstile.site.fields import MAX_COUNT
from turnstile.site.plan import PROGRAMS, START_ORDER, Process, more_names
from turnstile.site.restarts import MAX_FAILURES, Restarts

CONTROL, EVENTS = "control", "events"
REAP_EVERY_S = 0.05
STOP_WITHIN_S = 10.0
"""How long a process has to finish what it has in hand; after that it is killed."""

_LEASH = Path(__file__).with_name("die_with_parent.py")

State = Literal["starting", "running", "waiting", "ended", "given up", "stopped"]

log = logging.getLogger("turnstile.up")


@dataclass(kw_only=True)
class _Kept:
    """One process that is kept, or was."""

    process: Process
    watcher: Any
    lines: Lines
    restarts: Restarts
    state: State = "starting"
    began_s: float = 0.0


@dataclass(kw_only=True)
class Supervisor:
    """Runs processes until it is asked to stop, or until all have ended by themselves."""

    config: Path
    folder: Path
    """Its owner's alone: for the sockets that commands come by."""
    prefixes: Prefixes
    worker_key: str
    """What further recognizers are called, before their number."""
    max_failures: int = MAX_FAILURES
    log_level: str = "info"
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self, processes: Sequence[Process]) -> bool:
        """Start processes and keep them; return whether all went well: none was given up."""
        loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._enough = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()
        self._arbiter = Arbiter(
            [],
            f"ipc://{self.folder / CONTROL}",
            f"ipc://{self.folder / EVENTS}",
            check_delay=-1,
            loop=IOLoop.current(),
        )
        self._arbiter.ctrl.sys_hdl.stop()
        self._arbiter.ctrl.commands = self._commands()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        await self._arbiter.start()
        reaping = asyncio.create_task(self._reap())
        reaping.add_done_callback(lambda _: self._enough.set())
        try:
            await self._add(processes)
            await self._enough.wait()
            await self._stop_all()
            if reaping.done():
                reaping.result()  # raises what ended it
        finally:
            reaping.cancel()
            await self._arbiter.stop()
            await asyncio.sleep(0)  # the arbiter closes its sockets in the loop's next turn
        given_up = [name for name, one in self._kept.items() if one.state == "given up"]
        if given_up:
            log.error("given up: %s", ", ".join(given_up))
        return not given_up

    async def scale(self, count: int) -> dict[str, list[str]]:
        """Start or stop recognizers until so many run; return the names of those started and stopped."""
        mine = [name for name, one in self._kept.items() if one.process.kind == "recognizer"]
        alive = [name for name in mine if self._kept[name].state in ("starting", "running", "waiting")]
        await self._forget([name for name in mine if name not in alive])
        gone = alive[count:]
        await self._stop(gone)
        await self._forget(gone)
        bases = [self._kept[name].process.key for name in alive[:1]] or [self.worker_key]
        names = more_names(bases[0], taken=list(self._kept), count=count - len(alive))
        await self._add([Process("recognizer", name, bases[0]) for name in names])
        return {"started": names, "stopped": gone}

    async def stop(self, name: str) -> dict[str, object]:
        """Stop a node, and leave it stopped."""
        await self._stop([name])
        return {}

    async def start(self, name: str) -> dict[str, object]:
        """Start a node that was stopped, has ended or was given up, as if it had never failed."""
        kept = self._kept[name]
        kept.restarts.failures = 0
        if kept.state not in ("starting", "running"):
            await self._start(kept)
        return {}

    def states(self) -> dict[str, object]:
        """Return what became of each node, and its process's number."""
        return {
            "nodes": [
                {
                    "name": name,
                    "kind": one.process.kind,
                    "state": one.state,
                    "pid": next(iter(one.watcher.processes), None),
                }
                for name, one in self._kept.items()
            ]
        }

    def _commands(self) -> dict[str, "_Command"]:
        """Return the only commands that are listened to; circus has more, which would know nothing of us."""

        def a_node(properties: Mapping[str, Any]) -> None:
            if properties.get("name") not in self._kept:
                raise MessageError(f"there is no such node here; there are: {', '.join(self._kept)}")

        def a_count(properties: Mapping[str, Any]) -> None:
            count = properties.get("count")
            if not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
                raise MessageError(f"a count is from 0 to {MAX_COUNT}")

        async def nodes(_properties: Mapping[str, Any]) -> dict[str, object]:
            return self.states()

        return {
            "nodes": _Command(self, lambda _: None, nodes),
            "stop": _Command(self, a_node, lambda properties: self.stop(properties["name"])),
            "start": _Command(self, a_node, lambda properties: self.start(properties["name"])),
            "scale": _Command(self, a_count, lambda properties: self.scale(properties["count"])),
        }

    async def _add(self, processes: Sequence[Process]) -> None:
        for process in processes:
            lines = self.prefixes.lines_of(process.name)
            watcher = self._arbiter.add_watcher(
                process.name,
                shlex.quote(sys.executable),
                args=self._arguments(process),
                copy_env=True,
                working_dir=str(Path.cwd()),
                singleton=True,
                respawn=False,
                max_retry=1,
                graceful_timeout=STOP_WITHIN_S,
                stdout_stream={"stream": lines},
                stderr_stream={"stream": lines},
                hooks={
                    "after_spawn": (self._spawned, False),
                    "before_reap": (self._read_the_rest, True),
                    "after_reap": (self._reaped, True),
                },
            )
            restarts = Restarts(max_failures=self.max_failures)
            kept = _Kept(process=process, watcher=watcher, lines=lines, restarts=restarts)
            self._kept[process.name] = kept
        for process in processes:
            await self._start(self._kept[process.name])

    def _arguments(self, process: Process) -> list[str]:
        leash = ["-I", "-S", str(_LEASH), str(os.getpid()), sys.executable, "-W", "ignore"]
        node = ["--config", str(self.config), "--name", process.name]
        if process.kind == "webhook":
            return [*leash, "-m", "turnstile", "webhook", *node]
        return [*leash, str(FOLDER / PROGRAMS[process.kind]), *node, "--log-level", self.log_level]

    async def _start(self, kept: _Kept) -> None:
        await self._arbiter.start_watchers(watcher_iter_func=lambda **_: [kept.watcher])

    async def _stop(self, names: Sequence[str]) -> None:
        """Ask nodes to stop, all at once, and return when they have."""
        kept = [self._kept[name] for name in names]
        for one in kept:
            if one.state not in ("ended", "given up"):
                one.state = "stopped"
        await self._arbiter.stop_watchers(watcher_iter_func=lambda **_: [one.watcher for one in kept])

    async def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            await self._arbiter.rm_watcher(name)
            del self._kept[name]

    async def _stop_all(self) -> None:
        """Stop kind after kind: what sees first, what records last."""
        self._stopping = True
        async with self._turn:
            for kind in reversed(START_ORDER):
                names = [name for name, one in self._kept.items() if one.process.kind == kind]
                running = [name for name in names if self._kept[name].watcher.processes]
                if running:
                    log.info("stopping %s", ", ".join(running))
                await self._stop(names)

    async def _reap(self) -> None:
        """Notice processes that have ended."""
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            self._arbiter.reap_processes()

    def _spawned(self, *, watcher: Watcher, **_: object) -> bool:
        kept = self._kept[watcher.name]
        kept.state, kept.began_s = "running", time.monotonic()
        return True

    def _read_the_rest(self, *, watcher: Watcher, process_pid: int, **_: object) -> None:
        """Read a dead process's last words before circus closes the pipes."""
        lines, process = self._kept[watcher.name].lines, watcher.processes[process_pid]
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            with suppress(OSError, ValueError):  # nothing more, or closed already
                os.set_blocking(pipe.fileno(), False)
                while data := os.read(pipe.fileno(), 65536):
                    lines({"name": name, "data": data})
        lines.finish()

    def _reaped(self, *, watcher: Watcher, exit_code: int | None, **_: object) -> None:
        kept = self._kept[watcher.name]
        if self._stopping or kept.state == "stopped":
            return
        ran_s = time.monotonic() - kept.began_s
        outcome = kept.restarts.ended(1 if exit_code is None else exit_code, ran_s=ran_s)
        level = logging.ERROR if outcome.given_up else logging.WARNING if exit_code else logging.INFO
        log.log(level, "%s %s", watcher.name, outcome.words)
        if outcome.delay_s is None:
            kept.state = "given up" if outcome.given_up else "ended"
            self._end_when_nothing_is_left()
        else:
            kept.state = "waiting"
            asyncio.get_running_loop().call_later(outcome.delay_s, self._start_again, watcher.name, kept)

    def _start_again(self, name: str, kept: _Kept) -> None:
        async def start() -> None:
            async with self._turn:
                if kept.state == "waiting" and self._kept.get(name) is kept and not self._stopping:
                    await self._start(kept)

        self._keep(asyncio.ensure_future(start()))

    def _end_when_nothing_is_left(self) -> None:
        if all(one.state in ("ended", "given up") for one in self._kept.values()):
            log.info("nothing is left to run")
            self._enough.set()

    def _on_signal(self) -> None:
        """Stop in order; at a second signal at once."""
        if self._enough.is_set():
            log.warning("killing what still runs")
            for one in self._kept.values():
                for pid in one.watcher.processes:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self._enough.set()

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        """Hold on to a task until it is done, or it could be collected half-way."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True)
class _Command:
    """A command as circus's controller calls it."""

    supervisor: Supervisor
    check: Callable[[Mapping[str, Any]], None]
    carry_out: Callable[[Mapping[str, Any]], Coroutine[Any, Any, dict[str, Any]]]

    def validate(self, properties: Mapping[str, Any]) -> None:
        """Raise a `MessageError` whose text is the answer, if the command cannot be carried out."""
        self.check(properties)

    def execute(self, _arbiter: Arbiter, properties: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        """Begin to carry it out; the answer goes out when that is done."""

        async def in_turn() -> dict[str, Any]:
            async with self.supervisor._turn:  # noqa: SLF001 - a part of it
                self.check(properties)
                return await self.carry_out(properties)

        task = asyncio.ensure_future(in_turn())
        self.supervisor._keep(task)  # noqa: SLF001
        return task
