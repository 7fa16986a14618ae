"""The `turnstile` command: what concerns a whole site. The five programs are started by themselves.

Commands are imported when they are called, because the doctor must run where a package is missing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from turnstile import __version__
from turnstile.io.site.terminal import give_up_output


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _command_line().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_output()
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _check(options: argparse.Namespace) -> int:
    from turnstile.commands.site import check  # noqa: PLC0415 - needs OpenCV

    return check.run(config_path=options.config)


def _doctor(options: argparse.Namespace) -> int:
    from turnstile.commands.site import doctor  # noqa: PLC0415 - needs packages that it reports missing

    return doctor.run(config_path=options.config)


def _demo(options: argparse.Namespace) -> int:
    from turnstile.commands.demo import demo  # noqa: PLC0415 - needs OpenCV

    return demo.run(folder=options.folder)


def _calibrate(options: argparse.Namespace) -> int:
    from turnstile.commands.people import calibrate  # noqa: PLC0415 - loads models

    return calibrate.run(config_path=options.config, strangers=options.strangers, rate=options.rate)


def _on_access(options: argparse.Namespace) -> int:
    from turnstile.io.integrations import on_access as door  # noqa: PLC0415 - needs ZeroMQ

    return door.run(options)


def _webhook(options: argparse.Namespace) -> int:
    from turnstile.io.integrations import webhook  # noqa: PLC0415 - needs ZeroMQ

    return webhook.run(options)


def _keys(options: argparse.Namespace) -> int:
    from turnstile.commands.site import keys as keys_command  # noqa: PLC0415 - needs ZeroMQ

    return keys_command.main(options.arguments)


def _up(options: argparse.Namespace) -> int:
    from turnstile.commands.supervise import up  # noqa: PLC0415 - needs ZeroMQ

    return up.up(options)


def _scale(options: argparse.Namespace) -> int:
    from turnstile.commands.supervise import up  # noqa: PLC0415 - needs ZeroMQ

    return up.scale(options)


def _stop(options: argparse.Namespace) -> int:
    from turnstile.commands.supervise import up  # noqa: PLC0415 - needs ZeroMQ

    return up.stop(options)


def _start(options: argparse.Namespace) -> int:
    from turnstile.commands.supervise import up  # noqa: PLC0415 - needs ZeroMQ

    return up.start(options)


def _units(options: argparse.Namespace) -> int:
    from turnstile.commands.site import units as units_command  # noqa: PLC0415 - needs ZeroMQ

    return units_command.run(options)


def _status(options: argparse.Namespace) -> int:
    from turnstile.commands.health import status  # noqa: PLC0415 - needs ZeroMQ

    return status.run(config_path=options.config, as_json=options.json)


def _top(options: argparse.Namespace) -> int:
    from turnstile.commands.health import top  # noqa: PLC0415 - needs ZeroMQ

    return top.run(config_path=options.config, once=options.once)


def _log_head(options: argparse.Namespace) -> int:
    from turnstile.commands.log import reading  # noqa: PLC0415 - needs SQLAlchemy

    return reading.head(options.config, options.name)


def _erase(options: argparse.Namespace) -> int:
    from turnstile.commands.log import erase as erasing  # noqa: PLC0415 - needs SQLAlchemy

    return erasing.run(config_path=options.config, person=options.person)


def _replay(options: argparse.Namespace) -> int:
    from turnstile.commands.access import replay as replaying  # noqa: PLC0415 - needs PyYAML

    return replaying.run(config_path=options.config, since=options.since, recording=options.recording)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="turnstile", description="Face-recognition access control.")
    parser.add_argument("--version", action="version", version=f"turnstile {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = _add(commands, "demo", _demo, "run the five programs on real faces for about 90 seconds")
    demo.add_argument("--folder", type=Path, metavar="FOLDER", help="where its files go (default: var/demo)")

    check = _add(commands, "check", _check, "check a site file and say what the site has")
    check.add_argument("config", type=Path, metavar="CONFIG", help="the site file")

    doctor = _add(commands, "doctor", _doctor, "look at this machine: what is missing, and what to do")
    doctor.add_argument("--config", type=Path, metavar="FILE", help="a site file, to look for its broker too")

    _add_launching(commands)

    keys = commands.add_parser("keys", help="make, revoke and hand over the keys of nodes", add_help=False)
    keys.set_defaults(command=_keys)
    keys.add_argument("arguments", nargs=argparse.REMAINDER)

    status = _add(commands, "status", _status, "show what every node said last")
    status.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    status.add_argument("--json", action="store_true", help="print it for programs")

    top = _add(commands, "top", _top, "watch rates, ages, drops and busy shares of every node and camera")
    top.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    top.add_argument("--once", action="store_true", help="print it once and end")

    calibrate = _add(commands, "calibrate", _calibrate, "say how well the enrolled people are told apart")
    calibrate.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    calibrate.add_argument("--strangers", type=Path, metavar="FOLDER", help="pictures of people not enrolled")
    calibrate.add_argument(
        "--rate",
        type=_share,
        default=0.001,
        metavar="SHARE",
        help="wanted share of strangers (0.001)",
    )

    door = _add(commands, "on-access", _on_access, "run a command for each access event of a camera")
    door.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    door.add_argument("--camera", required=True, metavar="NAME", help="whose events")
    door.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="kill the command after this (10)"
    )
    door.add_argument(
        "command_line", nargs="*", metavar="COMMAND", help="gets the event as JSON on its input"
    )

    webhook = _add(commands, "webhook", _webhook, "send each access event to a web address of the site file")
    webhook.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    webhook.add_argument("--name", metavar="WEBHOOK", help="which one; needed if there are several")

    log = commands.add_parser("log", help="the access log's chain", description="The access log's chain.")
    log_commands = log.add_subparsers(title="commands", metavar="COMMAND", required=True)
    head = _add(
        log_commands, "head", _log_head, "print the newest entry's number and hash, to keep elsewhere"
    )
    head.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    head.add_argument("--name", metavar="LOGGER", help="whose log; needed if there are several loggers")

    erase = _add(commands, "erase", _erase, "remove a person's pictures, encodings and name for ever")
    erase.add_argument("person", metavar="PERSON", help="the name as the log has it: 'Barack Obama'")
    erase.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")

    replay = _add(commands, "replay", _replay, "decide recorded results again with other settings")
    replay.add_argument("--config", type=Path, required=True, metavar="FILE", help="site file to try")
    replay.add_argument("--since", metavar="WHEN", help="2h, 2026-11-22 or 2026-11-22T09:30")
    replay.add_argument("--recording", type=Path, metavar="FILE", help="default: the site's decision.record")
    return parser


def _add_launching(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = _add(commands, "up", _up, "start this machine's nodes of a site, and keep them running")
    up.add_argument("config", type=Path, metavar="CONFIG", help="the site file")
    up.add_argument(
        "--host", metavar="HOST", help="which of the site's hosts this is (found by name or address)"
    )
    up.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WHAT",
        help="broker, loggers, webhooks, recognizers, cameras, displays or a node; may be repeated",
    )
    up.add_argument(
        "--count", type=_count, metavar="N", help="so many recognizers, whatever the site file says"
    )
    up.add_argument(
        "--attempts",
        type=_count,
        default=10,
        metavar="N",
        help="give a node up when it failed so often in a row (10)",
    )
    up.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))

    scale = _add(commands, "scale", _scale, "change how many recognizers run here, under `turnstile up`")
    scale.add_argument("count", type=_count, metavar="N")
    stop = _add(commands, "stop", _stop, "stop a node that runs here, under `turnstile up`")
    start = _add(commands, "start", _start, "start a node again that was stopped or given up")
    for one in (stop, start):
        one.add_argument("node", metavar="NODE")
    for one in (scale, stop, start):
        one.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
        one.add_argument(
            "--host", metavar="HOST", help="which host, if this machine runs several of the site's"
        )

    units = _add(commands, "units", _units, "write systemd units for this machine's nodes of a site")
    units.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    units.add_argument("--host", metavar="HOST", help="which of the site's hosts this is")
    units.add_argument("--user", default="turnstile", metavar="USER", help="whom they run as (turnstile)")
    units.add_argument(
        "--to", type=Path, default=Path("units"), metavar="FOLDER", help="where they are written (units)"
    )


def _count(text: str) -> int:
    """Return a number of processes."""
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text}: 0 or more are valid")
    return count


def _share(text: str) -> float:
    """Return a share of at least one in a million and under one."""
    share = float(text)
    if not 1e-6 <= share < 1:
        raise argparse.ArgumentTypeError(f"{text}: a share is from 0.000001 to under 1")
    return share


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(command=run)
    return parser
