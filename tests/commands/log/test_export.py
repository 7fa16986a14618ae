"""Export: every field of the entries, and their pictures."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.builders import an_act
from tests.support.logs import write_log

Run = Callable[..., tuple[int, str]]


def test_an_export_has_every_field_and_the_pictures(run: Run, tmp_path: Path) -> None:
    """The pictures go into files of their own."""
    code, said = run("export", "--thumbnails", str(tmp_path / "pictures"), "--person", "Ann")
    assert code == 0
    rows = [json.loads(line) for line in said.splitlines()]
    assert [(row["number"], row["person"]) for row in rows] == [(1, "Ann"), (4, "Ann")]
    assert Path(rows[0]["thumbnail"]).read_bytes() == b"jpeg"
    assert rows[1]["thumbnail"] is None
    code, said = run("export", "--format", "csv")
    assert len(said.splitlines()) == 5


def test_an_export_has_what_the_operator_did(run: Run, config: Path) -> None:
    """As a row between the entries, by door and time as they are; not when people are asked for."""
    write_log(config, an_act(5), an_act(6, camera=None)).close()
    rows = [json.loads(line) for line in run("export")[1].splitlines()]
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["verdict"] for row in rows[4:]] == ["note", "note"]
    assert rows[4]["reason"].startswith("operator-1 unlocked front_door at 2023-11-14 22:13:20 UTC")
    assert run("export", "--format", "csv")[1].count(",note,") == 2
    assert len(run("export", "--camera", "front_door")[1].splitlines()) == 4
    assert len(run("export", "--person", "Ann")[1].splitlines()) == 2
