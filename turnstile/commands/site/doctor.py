"""Look at this machine: what is there, what is wrong, and what to do about it."""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from turnstile.commands.site import examination
from turnstile.commands.site.examination import Level, ReportLine
from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.site.file import load
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import Site

STYLES: Mapping[Level, str] = {"ok": "green", "note": "yellow", "problem": "bold red"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="a site file, to look for its broker too")


def run(options: argparse.Namespace) -> int:
    """Print what is found; return 0, or 1 when something that is needed is missing."""
    findings = list(examine(options.config))
    report(findings, console=Console(highlight=False))
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def examine(config_path: Path | None) -> Iterator[ReportLine]:
    """Yield everything found, in the order of the report."""
    yield from examination.python()
    yield from guarded("packages", examination.packages)
    yield from guarded("OpenCV", examination.opencv)
    yield from guarded("models", examination.models)
    yield from examination.cameras(Path("/dev"))
    yield from examination.screen(os.environ)
    site = None
    if config_path is not None:
        site, finding = _site(config_path)
        yield finding
    recognition = RecognitionSettings() if site is None else site.recognition
    yield from guarded("recognition", lambda: examination.encoding(recognition))
    if site is not None:
        its = site
        yield from guarded("liveness", lambda: examination.liveness(its.decision))
        yield from guarded("broker", lambda: examination.site_broker(its))


def guarded(subject: str, look: Callable[[], Iterator[ReportLine]]) -> Iterator[ReportLine]:
    """Yield what `look` finds; an error is a finding, too."""
    try:
        yield from look()
    except TurnstileError as error:
        yield ReportLine(level="problem", subject=subject, found=str(error))
    except ImportError as error:
        yield ReportLine(level="problem", subject=subject, found=str(error), advice=examination.INSTALL_ANEW)


def report(findings: Sequence[ReportLine], *, console: Console) -> None:
    """Print the findings as a table, and after it what there is to do."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        table.add_row(Text(finding.level, STYLES[finding.level]), Text(finding.subject), Text(finding.found))
    console.print(table)
    for finding in findings:
        if finding.advice:
            console.print(
                Text(f"{finding.level}: {finding.subject}: {finding.advice}", STYLES[finding.level])
            )
    problems = sum(finding.level == "problem" for finding in findings)
    console.print(f"problems: {problems}" if problems else "everything that is needed is here")


def _site(config_path: Path) -> tuple[Site | None, ReportLine]:
    try:
        site = load(config_path)
    except ConfigError as error:
        return None, ReportLine(level="problem", subject="site file", found=str(error), advice="correct it")
    return site, ReportLine(subject="site file", found=f"{config_path}: valid, site {site.site}")
