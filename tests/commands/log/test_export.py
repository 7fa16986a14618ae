"""Export: every field of the entries, and their pictures."""

import json
from collections.abc import Callable
from pathlib import Path

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
