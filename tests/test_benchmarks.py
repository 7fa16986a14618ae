"""The benchmarks run, print their tables and clean up; what they measure is not judged here."""

import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import msgspec
import pytest

from benchmarks import visits
from benchmarks.pictures import SIZE_PX, STAMP_BYTES, a_jpeg, stamp_of, stamped
from benchmarks.report import Goal, Report, layout, percentiles
from benchmarks.visits import Look, Material
from tests.support.builders import a_box, an_encoding
from turnstile.protocol.jpeg import check_jpeg

ROOT = Path(__file__).resolve().parent.parent

TABLES = {
    "dispatch": ["even recognizers of 50 and 50 ms", "uneven recognizers of 30 and 200 ms"],
    "latency": ["A recognizer that only replies", "engine (the default)"],
    "decisions": ["From a result said"],
    "store": ["Batches of 1,", "Batches of 100,"],
    "broker": ["there and answered", "Cores used by each process", "Flooded"],
}


@pytest.mark.system
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", TABLES)
def test_a_quick_run_prints_its_tables_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    """`--quick` shows every table with figures in it, on the screen and in the JSON file."""
    files = tmp_path / "files"
    files.mkdir()
    report = tmp_path / "report.json"
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json", str(report)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(files)},
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(report.read_text("utf-8"))
    for part, table in zip(TABLES[name], said["tables"], strict=True):
        assert part in table["title"]
        assert table["title"] in run.stdout
        assert all(isinstance(figure, int | float) for figure in table["rows"][0][1:3])
    assert said["environment"]["packages"] in run.stdout
    assert not list(files.iterdir())


@pytest.mark.parametrize("size_bytes", [20_000, 50_000])
def test_a_picture_has_the_size_asked_for_and_passes_the_broker(size_bytes: int) -> None:
    """Pictures for load are what the broker lets through, to the byte as large as asked."""
    jpeg = a_jpeg(size_bytes)
    assert len(jpeg) == size_bytes
    assert check_jpeg(jpeg, max_bytes=size_bytes, max_px=SIZE_PX[0] * SIZE_PX[1]) == SIZE_PX


def test_a_stamped_picture_tells_when_it_was_taken() -> None:
    """The stamp is a comment: the picture stays a baseline JPEG."""
    jpeg = a_jpeg(20_000)
    taken = stamped(jpeg, camera=3, captured_ns=2**60 + 1)
    assert stamp_of(taken) == (3, 2**60 + 1)
    assert len(taken) == len(jpeg) + STAMP_BYTES
    assert check_jpeg(taken, max_bytes=30_000, max_px=SIZE_PX[0] * SIZE_PX[1]) == SIZE_PX


@pytest.mark.parametrize(
    ("measured", "reached"), [(10.0, True), (10.1, False), (0.9, False), (float("nan"), False)]
)
def test_a_goal_is_reached_within_its_bounds(measured: float, *, reached: bool) -> None:
    """The bounds belong to the goal; what could not be measured reaches nothing."""
    assert Goal(what="age", unit="ms", measured=measured, at_least=1, at_most=10).reached is reached


def test_a_table_is_markdown_with_its_columns_in_line() -> None:
    """The first column is words, the others are figures; what was not measured is a dash."""
    text = layout(("way", "ms"), [("long one", 1234.5), ("b", None), ("c", 0.125)])
    assert text.splitlines() == [
        "| way      |    ms |",
        "|----------|------:|",
        "| long one | 1,234 |",
        "| b        |     - |",
        "| c        | 0.125 |",
    ]


def test_percentiles_of_nothing_are_not_a_number() -> None:
    """A run without figures shows dashes instead of failing."""
    assert all(math.isnan(one) for one in percentiles([], (50, 95)))


def test_a_report_keeps_what_it_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON file holds the tables, notes and goals of the screen."""
    file = tmp_path / "report.json"
    report = Report("trial", Namespace(quick=True, json=file))
    report.table("Ages", ("way", "ms"), [("credits", 18.0)])
    report.note("On one machine.")
    report.goal(Goal(what="age", unit="ms", measured=18.0, at_most=25))
    assert report.finish() == 0
    kept = json.loads(file.read_text("utf-8"))
    assert kept["tables"] == [{"title": "Ages", "columns": ["way", "ms"], "rows": [["credits", 18.0]]}]
    assert kept["notes"] == ["On one machine."]
    assert kept["goals"][0]["reached"]
    assert "reached: age 18 ms (goal: at most 25 ms)" in capsys.readouterr().out


def test_visits_on_clips_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Encodings that were kept are played without a model: two people in two clips each, and strangers."""
    people = {"ann_1.mkv": 1, "ann_2.mkv": 1, "bob_1.mkv": 2, "bob_2.mkv": 2}
    rows = "".join(f"{clip},{person}\n" for clip, person in people.items())
    (tmp_path / "labels.csv").write_text(f"clip,person\n{rows}")
    looks = {
        clip: tuple(
            Look(at_s=at / 30, boxes_px=(a_box(),), encodings=(an_encoding(person),), sharpness=(100.0,))
            for at in range(60)
        )
        for clip, person in people.items()
    }
    portraits = {f"stranger {seed}": an_encoding(seed) for seed in range(10, 20)}
    kept, report = tmp_path / "kept", tmp_path / "report.json"
    kept.write_bytes(
        msgspec.msgpack.encode(Material(encoding="dlib-resnet-v1/raw", clips=looks, portraits=portraits))
    )
    folders = ["--clips", str(tmp_path), "--portraits", str(tmp_path), "--keep", str(kept)]
    assert visits.main([*folders, "--engine", "reference", "--json", str(report)]) == 0
    assert "Two people" in capsys.readouterr().out
    goals = {goal["what"]: goal["measured"] for goal in json.loads(report.read_text("utf-8"))["goals"]}
    assert (goals["wrong visits"], goals["false grants"], goals["wrong scenes of two people"]) == (0, 0, 0)
    assert goals["time from first face to verdict p50"] <= 0.7


def test_visits_without_clips_measure_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The clips are no part of the project."""
    assert visits.main([]) == 0
    assert "needs --clips" in capsys.readouterr().out
