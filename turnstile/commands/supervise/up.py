"""Start the nodes that belong on this machine and keep them running, until Ctrl-C."""

import argparse
import asyncio
import logging
import sys
from functools import partial

from turnstile.commands.options import add_config, add_host, number
from turnstile.io.runner.logs import log_to
from turnstile.io.site.changes import SiteFileWatch
from turnstile.io.site.file import load
from turnstile.io.supervise.control import claim
from turnstile.io.supervise.output import Output
from turnstile.io.supervise.plan import Plan, check_keys, plan_for
from turnstile.io.supervise.supervisor import Supervisor, command_line, parts
from turnstile.site.fields import MAX_COUNT
from turnstile.site.restarts import MAX_FAILURES
from turnstile.site.settings import Site

log = logging.getLogger("turnstile.up")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser, positional=True)
    add_host(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WHAT",
        help="broker, loggers, webhooks, recognizers, cameras, displays or a node; may be repeated",
    )
    parser.add_argument(
        "--count",
        type=number(1, MAX_COUNT),
        metavar="N",
        help="so many recognizers, whatever the site file says",
    )
    parser.add_argument(
        "--attempts",
        type=number(1, 1000),
        default=MAX_FAILURES,
        metavar="N",
        help=f"give a node up when it failed so often in a row ({MAX_FAILURES})",
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def run(options: argparse.Namespace) -> int:
    """Start nodes and keep them until a signal; return 0, or 1 if one was given up."""

    def planned(site: Site) -> Plan:
        plan = plan_for(site, host=options.host, only=options.only, count=options.count, webhooks=True)
        check_keys(site, plan.processes)
        return plan

    plan = planned(load(options.config))
    with claim(options.config, plan.host) as socket:
        output = Output(sys.stdout.fileno(), ["up", *(one.name for one in plan.processes)])
        log_to(_ToOutput(output), options.log_level)
        if plan.left_out:
            log.info("left out, because their keys are not here: %s", ", ".join(plan.left_out))
        log.info("starting %s", ", ".join(one.name for one in plan.processes))
        supervisor = Supervisor(
            command_line=partial(command_line, config=options.config.resolve(), log_level=options.log_level),
            socket=socket,
            output=output,
            plan=plan,
            read_plan=lambda: planned(load(options.config)),
            watch=SiteFileWatch(options.config, lambda site: parts(planned(site)), plan.site),
            max_failures=options.attempts,
        )
        try:
            return asyncio.run(supervisor.run())
        finally:
            output.close()


class _ToOutput(logging.Handler):
    """Log lines among the nodes' own."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.write("up", self.format(record).encode())
