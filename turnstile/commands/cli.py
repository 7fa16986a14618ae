"""Face-recognition access control: what people type, beside the five programs.

`GROUPS` is the table of commands. A command is a module with `add(parser)`, which adds its options, and
`run(options)`, which returns its exit code. Only the module of the command that was typed is imported: the
doctor must run where a package is missing, and `--help` must be quick.

Commands raise errors, and `main` prints them. Exit codes are 0, 1 for an error, 2 for a wrong command line,
and 78 for a wrong site file.

Libraries not taken: click and typer. Lazy loading in click is a recipe to copy (`LazyGroup`), and its
`--help` imports every command for its summary. typer is built on click. The five programs use argparse, too.
"""

import argparse
import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from turnstile import __version__
from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.site.terminal import give_up_output
from turnstile.site.restarts import EXIT_CONFIG, EXIT_CRASHED, EXIT_STOPPED

EXIT_INTERRUPTED = 130
"""As a shell says that SIGINT ended a program."""


class CommandModule(NamedTuple):
    """One line of the table."""

    module: str
    """Below `turnstile.commands`."""
    summary: str


GROUPS: Mapping[str, Mapping[str, CommandModule]] = {
    "first steps": {
        "demo": CommandModule("demo.demo", "run the five programs on real faces for about 90 seconds"),
        "doctor": CommandModule("site.doctor", "look at this machine: what is missing, and what to do"),
        "check": CommandModule("site.check", "check a site file and say what the site has"),
        "config": CommandModule("site.config", "explain the keys of a site file"),
    },
    "run a site": {
        "up": CommandModule("supervise.up", "start this machine's nodes and keep them running"),
        "reload": CommandModule("supervise.reload", "apply a site file that was edited, where it differs"),
        "scale": CommandModule("supervise.scale", "change how many recognizers run here"),
        "stop": CommandModule("supervise.stop", "stop a node that runs here"),
        "start": CommandModule("supervise.start", "start a node again that was stopped or given up"),
        "units": CommandModule("site.units", "write systemd units, to start at boot"),
        "keys": CommandModule("site.keys", "make, revoke and hand over the keys of nodes"),
    },
    "see how it is": {
        "status": CommandModule("health.status", "show the last beat of every node"),
        "top": CommandModule("health.top", "watch rates, ages, drops and busy shares of nodes and cameras"),
    },
    "people and decisions": {
        "people": CommandModule("people.everybody", "list who is enrolled: pictures, limits, last visits"),
        "enrol": CommandModule("people.enrol", "judge pictures and enrol a person by them, or by a visit"),
        "calibrate": CommandModule("people.calibrate", "say how well the enrolled people are told apart"),
        "not": CommandModule("people.mistaken", "say that a visit was not of the person it was granted to"),
        "unlock": CommandModule("access.unlock", "end a lockout, or say that the broker's clock is right"),
        "replay": CommandModule("access.replay", "decide recorded results again with other settings"),
        "erase": CommandModule("log.erase", "remove a person's pictures, encodings and name for ever"),
    },
    "the access log": {
        "log tail": CommandModule("log.tail", "show the newest entries, from any machine, and follow"),
        "log query": CommandModule("log.query", "show entries by person, camera, verdict, reason or time"),
        "log export": CommandModule("log.export", "write entries for other programs, as CSV or JSON lines"),
        "log verify": CommandModule("log.verify", "look for changed, removed or reordered entries"),
        "log head": CommandModule("log.head", "print the newest entry's number and hash, to keep elsewhere"),
    },
    "the site in a browser": {
        "web": CommandModule("web.serve", "serve the site's pages to whoever is signed in"),
    },
    "doors and other programs": {
        "on-access": CommandModule(
            "integrations.on_access", "run a program when a camera's visitor is granted or denied"
        ),
        "webhook": CommandModule("integrations.webhook", "send each access event to a web address"),
    },
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = command_line(words).parse_args(words)
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_output()
        return EXIT_STOPPED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ModuleNotFoundError as error:
        if f"{error.name}.".startswith("turnstile."):
            raise
        sys.stderr.write(f"error: the package {error.name} is missing: run `make distclean setup`\n")
        return EXIT_CRASHED
    except TurnstileError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_CRASHED
    return code


def command_line(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of a command line that begins with these words.

    It knows the names of all commands, and the options of the one that the words name.
    """
    parser = _parser(argparse.ArgumentParser(prog="turnstile"), "Face-recognition access control.")
    parser.epilog = overview()
    parser.add_argument("--version", action="version", version=f"turnstile {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    of_the_log = commands.add_parser("log", description="Read the access log.")
    log_commands = of_the_log.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in all_commands().items():
        *before, last = name.split()
        place = log_commands if before else commands
        one = place.add_parser(last, help=command.summary) if before else place.add_parser(last)
        if list(words[: len(before) + 1]) == [*before, last]:
            module = importlib.import_module(f"turnstile.commands.{command.module}")
            module.add(_parser(one, module.__doc__))
            one.set_defaults(run=module.run)
    return parser


def all_commands() -> dict[str, CommandModule]:
    """Return the table without its groups."""
    return {name: command for group in GROUPS.values() for name, command in group.items()}


def overview() -> str:
    """Return the commands by group, one a line."""
    lines = []
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:<12}{one.summary}" for name, one in commands.items())]
    return "\n".join([*lines, "", "turnstile COMMAND --help lists the options of a command."]).lstrip()


def _parser(parser: argparse.ArgumentParser, doc: str | None) -> argparse.ArgumentParser:
    """Let a parser's help open with a text as it is."""
    parser.description, parser.formatter_class = doc, argparse.RawDescriptionHelpFormatter
    return parser
