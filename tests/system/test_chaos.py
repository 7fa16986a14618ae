"""The short form of `benchmarks.chaos`: processes die and stop at random, and no visit is lost or doubled."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTES, FAULTS_EVERY_S = 0.5, 2.5
MIN_FAULTS = 5

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_every_visit_is_in_the_log_once_whatever_is_killed_and_stopped(tmp_path: Path) -> None:
    """Each visit that was complete and seen; the chain verifies, also against the heads noted meanwhile."""
    report = tmp_path / "report.json"
    options = [f"--minutes={MINUTES}", f"--faults-every={FAULTS_EVERY_S}", f"--json={report}"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    faults, visits = json.loads(report.read_text())["tables"]
    assert sum(row[1] for row in faults["rows"]) >= MIN_FAULTS
    assert dict(zip(visits["columns"], visits["rows"][0], strict=True))["visits"] >= 1
