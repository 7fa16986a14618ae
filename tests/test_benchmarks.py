"""The benchmarks run, print their tables and clean up; what they measure is not judged here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.support.browser import CHROMIUM
from tests.support.builders import a_box, an_encoding
from tests.support.processes import ROOT
from tests.support.pth import write_network
from turnstile.commands.demo import photograph, samples

TABLES = {
    "dispatch": ["even recognizers of 50 and 50 ms", "uneven recognizers of 30 and 200 ms"],
    "latency": ["A recognizer that only replies", "engine (the default)"],
    "decisions": ["From a result said"],
    "store": ["Batches of 1,", "Batches of 100,"],
    "encoder": ["The encoder's network alone"],
    "doors": ["One door by processor time", "Every frame looked at", "has it: 1", "has it: 2"],
    "broker": ["there and answered", "Cores used by each process", "Flooded"],
    "web": [
        "While no page is open",
        "From opening the wall",
        "From capture to pixels",
        "20 clients",
        "Bytes a camera",
        "Memory in MB",
        "Back by itself",
    ],
}

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


def run_benchmark(name: str, *options: str, files: Path) -> tuple[str, dict[str, Any]]:
    """Run a benchmark whose temporary files lie in a folder; return what it printed and its JSON file."""
    report = files.with_suffix(".json")
    files.mkdir()
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options, "--json", str(report)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(files)},
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not list(files.iterdir()), "nothing is left behind"
    return run.stdout, json.loads(report.read_text("utf-8"))


NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=NEEDS_CHROMIUM if name == "web" else ()) for name in TABLES]
)
def test_a_quick_run_prints_its_tables_and_leaves_nothing_behind(name: str, folder: Path) -> None:
    """`--quick` shows every table with figures in it, on the screen and in the JSON file."""
    printed, report = run_benchmark(name, "--quick", files=folder / "files")
    for part, table in zip(TABLES[name], report["tables"], strict=True):
        assert part in table["title"]
        assert table["title"] in printed
        assert all(isinstance(figure, int | float) for figure in table["rows"][0][1:3])
    assert report["environment"]["packages"] in printed
    assert all(note in printed for note in report["notes"])


def test_visits_on_clips_are_judged(tmp_path: Path) -> None:
    """Encodings that were kept are played without a model: two people in two clips each, and strangers."""
    people = {"ann_1.mkv": 1, "ann_2.mkv": 1, "bob_1.mkv": 2, "bob_2.mkv": 2}
    rows = "".join(f"{clip},{person}\n" for clip, person in people.items())
    (tmp_path / "labels.csv").write_text(f"clip,person\n{rows}")
    looks = {"boxes_px": [a_box()], "sharpness": [100.0], "turns": [0.0]}
    clips = {
        clip: [looks | {"at_s": at / 30, "encodings": [an_encoding(person)]} for at in range(60)]
        for clip, person in people.items()
    }
    portraits = {f"stranger {seed}": an_encoding(seed) for seed in range(10, 20)}
    material = {"encoding": "dlib-resnet-v1/raw", "clips": clips, "portraits": portraits}
    kept = tmp_path / "kept"
    kept.write_bytes(msgspec.msgpack.encode(material))
    options = ["--clips", str(tmp_path), "--portraits", str(tmp_path), "--keep", str(kept)]
    printed, report = run_benchmark("visits", *options, "--engine", "reference", files=tmp_path / "files")
    assert "\n| scene " in printed, "tables are Markdown"
    goals = {goal["what"]: goal for goal in report["goals"]}
    for what in ("wrong visits", "false grants", "wrong scenes of two people"):
        assert goals[what]["measured"] == 0
        assert goals[what]["reached"]
        assert f"reached: {what} 0" in printed
    assert goals["time from first face to verdict p50"]["measured"] <= 0.7
    assert goals["to a grant p50"]["measured"] <= 0.5


def test_look_alikes_are_judged(tmp_path: Path) -> None:
    """Encodings that were kept are played without a model: 80 people, half of whom may be enrolled."""
    random = np.random.default_rng(1)
    faces = random.normal(0, 1, (80, 1, 128)) + random.normal(0, 0.1, (80, 7, 128))
    unit = np.asarray(faces / np.linalg.norm(faces, axis=2, keepdims=True), np.float32)
    means, kept = unit[:, 0].copy(), tmp_path / "kept.npz"
    means[::2] = 0
    people = np.array([f"person {at}" for at in range(80)])
    np.savez(kept, people=people, visits=np.repeat(unit[:, 1:], 2, axis=1), means=means)
    options = ["--people", str(tmp_path), "--keep", str(kept), "--quick"]
    _, report = run_benchmark("look_alikes", *options, files=tmp_path / "files")
    visits, places = report["tables"]
    assert visits["rows"][0][2:] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert [row[1] == row[-1] for row in places["rows"]] == [True] * 4
    assert all(goal["reached"] for goal in report["goals"])


def test_look_alikes_without_people_measure_nothing(tmp_path: Path) -> None:
    """The pictures are no part of the project."""
    printed, report = run_benchmark("look_alikes", files=tmp_path / "files")
    assert "needs --people" in printed
    assert report["tables"] == []


def test_strangers_are_sorted_by_face(tmp_path: Path) -> None:
    """Encodings that were kept are sorted without a model: 40 people who are easily told apart."""
    random = np.random.default_rng(1)
    faces = random.normal(0, 1, (40, 1, 128)) + random.normal(0, 0.1, (40, 3, 128))
    rows = faces.reshape(-1, 128) / np.linalg.norm(faces.reshape(-1, 128), axis=1, keepdims=True)
    kept = tmp_path / "kept.npz"
    np.savez(kept, encodings=rows.astype(np.float32), owners=np.repeat(np.arange(40), 3))
    _, report = run_benchmark(
        "strangers", "--quick", "--people", str(tmp_path), "--keep", str(kept), files=tmp_path / "files"
    )
    (table,) = report["tables"]
    assert table["rows"][0][1:4] == ["1.0000 to 1.0000"] * 3


def test_people_are_halved_and_promises_judged(tmp_path: Path) -> None:
    """Encodings that were kept are judged without a model: 600 people who are easily told apart."""
    random = np.random.default_rng(1)
    faces = random.normal(0, 1, (600, 1, 128)) + random.normal(0, 0.1, (600, 4, 128))
    rows = faces.reshape(-1, 128) / np.linalg.norm(faces.reshape(-1, 128), axis=1, keepdims=True)
    encodings, kept = rows.astype(np.float32), tmp_path / "kept.npz"
    np.savez(kept, live=encodings, enrolled=encodings, owners=np.repeat(np.arange(600), 4))
    options = ["--keep", str(kept), "--quick"]
    _, report = run_benchmark("people", str(tmp_path), *options, files=tmp_path / "files")
    recognised, promised, each, alike, _ = report["tables"]
    assert recognised["rows"][0][1:] == ["1.000 (1.000 to 1.000)", "1.000 (1.000 to 1.000)", "+0.000"]
    assert {row[4] for row in [*promised["rows"]]} == {"0.000%"}
    assert [len(table["rows"]) for table in (promised, each, alike)] == [12, 6, 4]


def test_stills_that_are_moved_before_a_camera_are_judged_by_kind(tmp_path: Path) -> None:
    """With the exact interval of the rate; without living people there is no rate of theirs."""
    stills, clips = tmp_path / "stills", tmp_path / "clips"
    stills.mkdir()
    clips.mkdir()
    shutil.copy(samples.folder() / "obama.jpg", stills)
    options = [str(clips), "--stills", str(stills), "--quick"]
    _, report = run_benchmark("liveness", *options, files=tmp_path / "files")
    kinds, splits = report["tables"]
    assert kinds["columns"] == ["kind", "people", "by spread", "frames until alive, p50"]
    wrong = {row[0]: row[2] for row in kinds["rows"]}
    assert wrong.keys() == {"bend", "glare", "shake", "still", "tilt", "walk"}
    assert wrong["still"].startswith("0/1 (0.00 to 0.9")
    assert {row[4] for row in splits["rows"]} == {"-"}


def test_a_clip_that_is_shown_again_is_judged_by_the_network_too(tmp_path: Path) -> None:
    """A still stands for the living: whatever the network says of it is right by chance."""
    (tmp_path / "clips" / "live" / "obama").mkdir(parents=True)
    photograph.render(tmp_path / "clips" / "live" / "obama" / "clip.mp4", stills=samples.folder())
    write_network(tmp_path / "network.pth", alive=0.9)
    options = [str(tmp_path / "clips"), "--network", str(tmp_path / "network.pth"), "--replays", "--quick"]
    _, report = run_benchmark("liveness", *options, files=tmp_path / "files")
    kinds, _ = report["tables"]
    assert kinds["columns"][2:5] == ["by spread", "by the network", "by both"]
    live, replay = kinds["rows"]
    assert (live[0], replay[0]) == ("live", "replay")
    assert [live[3][0], live[4][0]] == ["0", live[2][0]]


def test_visits_without_clips_measure_nothing(tmp_path: Path) -> None:
    """The clips are no part of the project."""
    printed, report = run_benchmark("visits", files=tmp_path / "files")
    assert "needs --clips" in printed
    assert report["tables"] == []
