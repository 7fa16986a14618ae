"""A machine's nodes as systemd units, each held to what its role needs.

Every unit has a user, a /tmp and devices of its own. All files are read-only but for the folders that the
node writes. It has no capability, gets no new privilege, and may make only the system calls of ordinary
services. Its memory is bounded, and it dumps no core (there are faces in memory). systemd learns from the
node itself when it is ready, and ends it by SIGABRT when its loop has not turned for 30 s
(`turnstile.io.runner.watchdog`). What fails is started again, ever later; a bad site file (78) is not, nor is
a display without a screen (69).

Recognizers are instances of one template, so that ``systemctl start turnstile-recognizer@pool-5`` adds one.
Displays need somebody's screen: theirs are units of that person's session.

Pure: what holds for the machine is an argument, and contents go out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath as Path

from turnstile.errors import ConfigError
from turnstile.site.plan import PROGRAMS, START_ORDER, Process, ProcessKind, place_of
from turnstile.site.settings import CameraSettings, Site

MEMORY: dict[ProcessKind, str] = {
    "broker": "2G",
    "logger": "512M",
    "recognizer": "2G",
    "capture": "1G",
    "display": "1G",
    "web": "1G",
}
"""Several times what each was seen to take. A broker holds what slow displays have not taken yet."""

STEPS_SINCE = 254
"""The first systemd that starts a service again ever later."""

TARGET = "turnstile.target"

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - to tell who uses them

_NETWORK = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"

_HARDENED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
LimitCORE=0
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the units are to run."""

    python: str
    """The interpreter of the environment that Turnstile is set up in."""
    programs: str
    """The folder of the five programs."""
    site_file: str
    user: str
    reads: tuple[str, ...] = ()
    """What else is read, such as the interpreter that the environment was made from."""
    systemd: int = 0
    """Its version; 0 when it is not known."""


def units(site: Site, here: Sequence[Process], machine: Machine) -> dict[str, str]:
    """Return the files by their path under /etc: systemd's units, its users and its folders.

    Args:
        site: with absolute paths.
        here: the processes of this machine, and no others.
        machine: where.

    Raises:
        ConfigError: a node would have to write where the programs are.
    """
    for one in here:
        _refuse_to_write_programs(site, one, machine)
    services = {unit_of(one): _service(site, one, here, machine) for one in here if one.kind != "display"}
    hooks = site.webhooks if any(one.kind == "broker" for one in here) else {}
    services |= {f"turnstile-webhook-{name}.service": _webhook(site, name, machine) for name in hooks}
    displays = {unit_of(one): _display(one, machine) for one in here if one.kind == "display"}
    folders = dict.fromkeys(folder for one in here for folder in _writes(site, one))
    folders |= dict.fromkeys(_folder(site.webhooks[name].state_file) for name in hooks)
    files = {f"systemd/system/{_file_of(unit)}": text for unit, text in services.items()}
    files |= {f"systemd/user/{unit}": text for unit, text in displays.items()}
    if services:
        files[f"systemd/system/{TARGET}"] = _target(site, services)
        files["sysusers.d/turnstile.conf"] = f'u {machine.user} - "Turnstile" -\n'
        files["tmpfiles.d/turnstile.conf"] = "".join(
            f"d {_word(folder)} :0700 :{machine.user} :{machine.user} -\n" for folder in folders
        )
    return files


def _refuse_to_write_programs(site: Site, one: Process, machine: Machine) -> None:
    for folder in _writes(site, one):
        held = (("the programs are", machine.programs), ("the site file is", _folder(machine.site_file)))
        for what, kept in held:
            if Path(kept).is_relative_to(folder):
                raise ConfigError(
                    f"{place_of(one)}: it writes into {folder}, where {what}, and a unit may not "
                    f"change those; name files in a folder of their own, such as {folder}/var"
                )


def unit_of(process: Process) -> str:
    """Return the name of a process's unit."""
    if process.kind in ("broker", "web"):
        return f"turnstile-{process.kind}.service"
    at = "@" if process.kind == "recognizer" else "-"
    return f"turnstile-{process.kind}{at}{process.name}.service"


def _file_of(unit: str) -> str:
    """Return the file that a unit is described in: an instance's is its template's."""
    return "turnstile-recognizer@.service" if "@" in unit else unit


def _target(site: Site, services: Iterable[str]) -> str:
    wants = "".join(f"Wants={unit}\n" for unit in services)
    return (
        f"[Unit]\nDescription=Turnstile, site {site.site}: this machine's nodes\n{wants}"
        "\n[Install]\nWantedBy=multi-user.target\n"
    )


def _service(site: Site, one: Process, here: Sequence[Process], machine: Machine) -> str:
    name = "%i" if one.kind == "recognizer" else one.name
    before = [
        unit_of(other)
        for other in here
        if other.kind != "display" and START_ORDER.index(other.kind) < START_ORDER.index(one.kind)
    ]
    named = [] if one.kind in ("broker", "web") else ["--name", name]
    program = PROGRAMS.get(one.kind)
    started = [f"{machine.programs}/{program}"] if program else ["-m", "turnstile", one.kind]
    command = [machine.python, *started, "--config", machine.site_file]
    paths = [*_reads(site, one), *_writes(site, one)]
    return "".join(
        (
            _unit(" ".join(["Turnstile", one.kind, *named[1:]]), before),
            _what_runs([*command, *named], machine, start_s=300 if one.kind == "recognizer" else 90),
            *(f"{line}\n" for line in _of_its_own(site, one)),
            _sandbox(machine, paths, writes=_writes(site, one), memory=MEMORY[one.kind]),
        )
    )


def _webhook(site: Site, name: str, machine: Machine) -> str:
    hook = site.webhooks[name]
    command = [machine.python, "-m", "turnstile", "webhook", "--config", machine.site_file, "--name", name]
    writes = [_folder(hook.state_file)]
    return "".join(
        (
            _unit(f"Turnstile webhook {name}", ["turnstile-broker.service"]),
            _what_runs(command, machine, start_s=90),
            f"PrivateDevices=yes\nPrivateUsers=yes\nMemoryDenyWriteExecute=yes\n{_NETWORK}\n",
            _sandbox(machine, [hook.secret_file, *writes], writes=writes, memory="256M"),
        )
    )


def _display(one: Process, machine: Machine) -> str:
    command = [machine.python, f"{machine.programs}/{PROGRAMS[one.kind]}", "--config", machine.site_file]
    return (
        f"[Unit]\nDescription=Turnstile display {one.name}\n"
        "PartOf=graphical-session.target\nAfter=graphical-session.target\nStartLimitIntervalSec=0\n"
        + _what_runs([*command, "--name", one.name], machine, start_s=90, user="")
        + f"NoNewPrivileges=yes\nUMask=0077\nLimitCORE=0\nMemoryMax={MEMORY[one.kind]}\n"
        "\n[Install]\nWantedBy=graphical-session.target\n"
    )


def _unit(description: str, before: Iterable[str]) -> str:
    return (
        f"[Unit]\nDescription={description}\nPartOf={TARGET}\nWants=network-online.target\n"
        f"After={' '.join(['network-online.target', *before])}\nStartLimitIntervalSec=0\n"
    )


def _what_runs(command: Sequence[str], machine: Machine, *, start_s: int, user: str | None = None) -> str:
    user = machine.user if user is None else user
    later = "RestartSteps=6\nRestartMaxDelaySec=60\n" if machine.systemd >= STEPS_SINCE else ""
    return (
        f"\n[Service]\nType=notify\nExecStart={' '.join(_argument(word) for word in command)}\n"
        f"WorkingDirectory={_specifier(machine.programs)}\n"
        + (f"User={user}\nGroup={user}\n" if user else "")
        + f"TimeoutStartSec={start_s}\nTimeoutStopSec=10\nWatchdogSec=30\n"
        f"Restart=on-failure\nRestartSec={1 if later else 5}\n{later}RestartPreventExitStatus=69 78\n"
    )


def _of_its_own(site: Site, one: Process) -> Iterator[str]:
    """Give what only this kind of node needs, or can do without."""
    # libzmq asks the kernel by netlink which interfaces there are before it binds, and aborts when it may not
    yield f"{_NETWORK} AF_NETLINK" if one.kind == "broker" else _NETWORK
    if one.kind == "capture" and is_device(site.cameras[one.key]):
        yield from ("DevicePolicy=closed", "DeviceAllow=char-video4linux rw", "SupplementaryGroups=video")
    else:
        yield from ("PrivateDevices=yes", "PrivateUsers=yes")
    if one.kind == "recognizer":
        # its networks are compiled once; the model runtime makes code and reads /proc/cpuinfo
        yield from ("CacheDirectory=turnstile", "CacheDirectoryMode=0700", "Environment=XDG_CACHE_HOME=%C")
    else:
        yield "MemoryDenyWriteExecute=yes"
        yield "ProcSubset=pid"


def _sandbox(machine: Machine, paths: Iterable[str], *, writes: Sequence[str], memory: str) -> str:
    used = [machine.python, machine.programs, machine.site_file, *machine.reads, *paths]
    writable = "".join(f"ReadWritePaths={_argument(folder)}\n" for folder in dict.fromkeys(writes))
    return (
        f"{_HARDENED}ProtectHome={'read-only' if _any_under(_HOMES, used) else 'yes'}\n"
        f"PrivateTmp={'no' if _any_under(_TEMPORARY, used) else 'yes'}\n"
        f"{writable}MemoryMax={memory}\n"
    )


def is_device(camera: CameraSettings) -> bool:
    """Tell whether a camera is a device of this machine."""
    source = camera.source
    return isinstance(source, int) or (isinstance(source, str) and source.startswith("/dev/"))


def _reads(site: Site, one: Process) -> Iterator[str]:
    """Give what a node reads besides its program and the site file."""
    if site.keys is not None:
        yield site.keys.folder
    if one.kind == "broker":
        yield from (site.gallery.faces, site.gallery.anchors_folder, site.decision.rules)
    if one.kind == "recognizer" and site.decision.liveness_network:
        yield site.decision.liveness_network
    if site.web is not None and one.kind == "web":
        yield from (site.web.tls.certificate, site.web.tls.key) if site.web.tls else ()
        yield from (site.web.proxy.secret_file,) if site.web.proxy else ()
    if one.kind == "capture":
        source = site.cameras[one.key].source
        yield from (source,) if isinstance(source, str) else source if isinstance(source, tuple) else ()


def _writes(site: Site, one: Process) -> list[str]:
    """Return the folders that a node writes."""
    if one.kind == "broker":
        sockets = [at.removeprefix("ipc://") for at in (site.broker.ingress, site.broker.egress)]
        files = [site.broker.journal, *(at for at in sockets if at.startswith("/"))]
        files += [site.decision.record] if site.decision.record else []
        pages = [site.gallery.faces, site.gallery.anchors_folder] if site.web is not None else []
        return list(dict.fromkeys([site.gallery.cache, *pages, *map(_folder, files)]))
    if one.kind == "logger":
        logger = site.loggers[one.key]
        files = [logger.file, *([logger.witness] if logger.witness else [])]
        files += [] if "://" in logger.store_address else [logger.store_address]
        return list(dict.fromkeys(map(_folder, files)))
    if one.kind == "web" and site.web is not None:
        return [site.web.folder]
    return []


def _folder(file: str) -> str:
    return str(Path(file).parent)


def _any_under(folders: Iterable[str], paths: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for path in paths for folder in folders)


def _specifier(text: str) -> str:
    """Return a text in which no ``%`` means anything."""
    return text.replace("%", "%%")


def _argument(text: str) -> str:
    """Return one word of a command line or list, as systemd reads it; ``%i`` alone is the instance's name."""
    if text == "%i":
        return text
    text = _specifier(text).replace("$", "$$")
    return _quoted(text) if any(char in text for char in " \t\"'\\;") else text


def _word(text: str) -> str:
    """Return one word of a line of tmpfiles.d."""
    text = _specifier(text)
    return _quoted(text) if any(char in text for char in " \t\"'\\") else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
