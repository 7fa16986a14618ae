"""What still has a person's name once that was erased, or may have it: files to name to whoever erases."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from turnstile.errors import ConfigError, LogError
from turnstile.files.reading import is_absent
from turnstile.io.log.rewriting import log_files, read_lines
from turnstile.io.site import yaml_file
from turnstile.log.lines import person_of_line
from turnstile.protocol.names import bears, same_name
from turnstile.site.settings import Site

BESIDE_A_DATABASE = ("-journal", "-wal", "-shm", ".erase", ".erased")


def leftovers(site: Site, site_path: Path, person: str) -> Iterator[str]:
    """Say which files have the name or may have it, and what to do with them."""
    decision = site.decision
    for path in _written_by_people(site, site_path):
        yield from _in_values(path, person)
    for logger in site.loggers.values():
        with contextlib.suppress(LogError):
            for path in log_files(Path(logger.file)):
                yield from _lines_with_name(path, person)
    for recording in (decision.record, f"{decision.record}.1") if decision.record else ():
        if _may_be_there(Path(recording)):
            yield f"{recording} has recorded names and encodings: remove it"
    for path in _neighbours(site):
        yield from _may_have_name(path, person)


def _may_be_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:  # nobody can tell
        return True
    return True


def out_of_reach(site: Site) -> Iterator[str]:
    """Say what no command can erase from here."""
    if len(site.loggers) > 1 or site.hosts:
        yield "other machines of the site: run this there, too"
    if site.web is not None:
        yield "accounts of the pages: `turnstile web accounts` lists them"
    for name in site.webhooks:
        yield f"what webhook {name} has sent"
    for name in site.displays:
        yield f"videos and snapshots that display {name} was told to make"
    if any("://" in logger.store_address for logger in site.loggers.values()):
        yield "PostgreSQL's write-ahead log, archives and replicas"
    yield "backups, exports, and what programs printed (the system's journal)"


def in_comments(site: Site, site_path: Path, person: str) -> Iterator[str]:
    """Say in which comments of YAML files the name stands, where it may be an example."""
    for path in _written_by_people(site, site_path):
        with contextlib.suppress(OSError, ConfigError):
            if not is_absent(path) and not _holds(yaml_file.read(path, kind="a file").value, person):
                for number in _numbers_of_lines(path, person):
                    yield f"a comment in line {number} of {path} has the name: edit it if it is the person"


def _written_by_people(site: Site, site_path: Path) -> tuple[Path, Path]:
    return site_path, Path(site.decision.rules)


def _in_values(path: Path, person: str) -> Iterator[str]:
    """Name a YAML file's lines with the name; the file, if it has the name in escapes or cannot be read."""
    try:
        if is_absent(path) or not _holds(yaml_file.read(path, kind="a file").value, person):
            return
    except (OSError, ConfigError):
        yield f"{path} may hold the name, and cannot be read: look at it"
        return
    yield from list(_lines_with_name(path, person)) or [f"{path} has the name: edit it"]


def _holds(value: object, person: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(one, person) for pair in value.items() for one in pair)
    return any(_holds(one, person) for one in value) if isinstance(value, list) else bears(f"{value}", person)


def _lines_with_name(path: Path, person: str) -> Iterator[str]:
    """Name the lines that only people can change; entries of a log are rewritten."""
    for number in _numbers_of_lines(path, person):
        yield f"{path} has the name in line {number}: edit it"


def _numbers_of_lines(path: Path, person: str) -> Iterator[int]:
    with contextlib.suppress(LogError):
        for number, line in enumerate(read_lines(path), 1):
            named = person_of_line(line)
            if bears(line, person) and not (named is not None and same_name(named, person)):
                yield number


def _may_have_name(path: Path, person: str) -> Iterator[str]:
    try:
        if any(bears(line, person) for line in read_lines(path)):
            yield f"{path} has the name: edit or remove it"
    except LogError:
        yield f"{path} may hold the name, and cannot be read as text: look at it"


def _neighbours(site: Site) -> list[Path]:
    """Return what lies beside the journal and the logs under names like theirs, and is none of them."""
    ours = {Path(site.broker.journal)}
    for logger in site.loggers.values():
        ours |= {Path(logger.file)}
        if "://" not in logger.store_address:
            ours.add(Path(logger.store_address))
    known = {path.with_name(f"{path.name}{end}") for path in ours for end in ("", *BESIDE_A_DATABASE)}
    for logger in site.loggers.values():
        known |= {Path(logger.witness)} if logger.witness else set()
        with contextlib.suppress(LogError):
            known |= set(log_files(Path(logger.file)))
    found = set[Path]()
    for path in ours:
        with contextlib.suppress(OSError):
            found |= {one for one in path.parent.iterdir() if one.name.lstrip(".").startswith(path.stem)}
    return sorted(found - known)
