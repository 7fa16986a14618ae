"""`turnstile enrol` and `turnstile people` on real faces."""

import io
import json
import stat
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from tests.support.builders import an_access, write_site
from tests.support.logs import LOGGER, write_log
from turnstile.commands.cli import main
from turnstile.commands.demo import samples
from turnstile.protocol.messages import Access
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.encode.thumbnails import thumbnail
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import checked, decode_frame

Run = Callable[..., tuple[int, str]]


def sample(name: str) -> str:
    """Return the path of a sample picture."""
    return str(samples.folder() / f"{name}.jpg")


@pytest.fixture
def config(folder: Path) -> Path:
    """Give a site where nobody is enrolled and nobody has come."""
    (folder / "faces").mkdir(mode=0o750)
    return write_site(folder, LOGGER)


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give what runs a command and returns its exit code and all that it says."""

    def run_command(*words: str) -> tuple[int, str]:
        code = main([*words, "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_command


def enrolled(config: Path) -> list[str]:
    """Return the names of the files in the faces folder."""
    return sorted(path.name for path in (config.parent / "faces").iterdir())


@cache
def engine() -> Engine:
    """Return what finds faces, loaded once."""
    return make_engine(RecognitionSettings())


def visit_of(person: str | None, name: str, seq: int) -> Access:
    """Return a visit of the person in a sample picture, with the picture that a recognizer would send."""
    picture = Path(sample(name)).read_bytes()
    frame = decode_frame(checked(picture))
    (box,) = engine().analyse(picture).boxes_px
    access = an_access(seq, person=person, decided_ns=time.time_ns(), thumbnail=thumbnail(frame, box))
    return access if person else msgspec.structs.replace(access, verdict="denied")


def test_pictures_are_judged_and_kept_under_the_persons_name(run: Run, config: Path) -> None:
    """By the rule for names, as private as the folder; the next one has a number."""
    code, said = run("enrol", "Barack Obama", sample("obama"))
    assert code == 0, said
    assert f"{sample('obama')}: good\n" in said
    assert run("enrol", "barack  obama", sample("obama2"))[0] == 0
    assert enrolled(config) == ["barack_obama.jpg", "barack_obama_2.jpg"]
    mode = (config.parent / "faces" / "barack_obama.jpg").stat().st_mode
    assert stat.S_IMODE(mode) == 0o640


def test_a_picture_of_another_face_is_refused(run: Run, config: Path) -> None:
    """Or one that is there already; `--anyway` keeps it."""
    assert run("enrol", "Barack Obama", sample("obama"), sample("obama2"))[0] == 0
    for person, name, words in (
        ("Barack Obama", "obama", "enrolled already, as barack_obama.jpg"),
        ("Barack Obama", "biden", "not the face of"),
    ):
        code, said = run("enrol", person, sample(name))
        assert code == 1
        assert words in said
    assert enrolled(config) == ["barack_obama.jpg", "barack_obama_2.jpg"]
    assert run("enrol", "Barack Obama", sample("biden"), "--anyway")[0] == 0


def test_a_picture_without_a_face_is_refused_with_all_the_others(
    run: Run, config: Path, tmp_path: Path
) -> None:
    """Nothing is kept by half."""
    empty = tmp_path / "empty.png"
    Image.new("RGB", (300, 300)).save(empty)
    code, said = run("enrol", "Joe Biden", sample("biden"), str(empty))
    assert (code, enrolled(config)) == (1, [])
    assert "no face found" in said


def test_a_weak_picture_is_kept_and_named(run: Run, tmp_path: Path) -> None:
    """And stands so in the list of people."""
    dark = io.BytesIO()
    Image.fromarray((decode_frame(checked(Path(sample("biden")).read_bytes())) * 0.15).astype(np.uint8)).save(
        dark, "PNG"
    )
    (tmp_path / "dark.png").write_bytes(dark.getvalue())
    code, said = run("enrol", "Joe Biden", str(tmp_path / "dark.png"))
    assert code == 0, said
    assert "weak, it is dark" in said
    code, said = run("people")
    assert "    joe_biden.png: weak: it is dark" in said


def test_a_picture_that_spoils_better_ones_is_refused(run: Run, tmp_path: Path) -> None:
    """While it is the only one it is kept."""
    bright = np.clip(decode_frame(checked(Path(sample("obama2")).read_bytes())) * 1.6 + 110, 0, 255)
    Image.fromarray(bright.astype(np.uint8)).save(tmp_path / "bright.png")
    assert run("enrol", "Barack Obama", sample("obama"))[0] == 0
    code, said = run("enrol", "Barack Obama", str(tmp_path / "bright.png"))
    assert code == 1
    assert "it is overexposed" in said


def test_a_visits_picture_enrols(run: Run, config: Path) -> None:
    """Whoever has few pictures is told which visits would help; one of somebody else is refused."""
    assert run("enrol", "Barack Obama", sample("obama"))[0] == 0
    write_log(config, visit_of("Barack Obama", "obama2", 1), visit_of("Joe Biden", "biden", 2)).close()
    code, said = run("people")
    assert (code, "    Barack Obama, 1: events aaaa:1" in said) == (0, True), said
    code, said = run("enrol", "Barack Obama", "--from-event", "2")
    assert code == 1
    assert "was of Joe Biden" in said
    code, said = run("enrol", "Barack Obama", "--from-event", "aaaa:1")
    assert code == 0, said
    assert enrolled(config) == ["barack_obama.jpg", "barack_obama_2.jpg"]
    assert run("enrol", "Barack Obama", "--from-event", "9")[0] == 1
    assert "Barack Obama, 2: no recent granted visit" in run("people")[1], "it is enrolled already"


def test_everybody_is_listed_as_json(run: Run, config: Path) -> None:
    """With what the log says of them."""
    assert run("enrol", "Barack Obama", sample("obama"))[0] == 0
    assert run("enrol", "Joe Biden", sample("biden"))[0] == 0
    write_log(config, visit_of("Barack Obama", "obama2", 1)).close()
    obama, biden = json.loads(run("people", "--json")[1])
    assert (obama["person"], obama["used"], obama["helpful_events"]) == ("Barack Obama", 1, ["aaaa:1"])
    assert obama["closest"]["person"] == "Joe Biden"
    assert obama["last_seen"] is not None
    assert biden["last_seen"] is None
    assert [one["state"] for one in biden["pictures"]] == ["good"]
    assert run("people", "nobody")[0] == 1


@pytest.mark.parametrize("person", ["unknown", "a/b", "___", "erased-12345678"])
def test_what_cannot_be_a_name_is_refused(run: Run, config: Path, person: str) -> None:
    """With one that can."""
    code, said = run("enrol", person, sample("obama"))
    assert (code, enrolled(config)) == (1, [])
    assert "cannot be a person's name" in said


def test_what_is_shown_before_an_anchor_is_kept(run: Run, config: Path) -> None:
    """Which of the person's grants would be denied; only a visit that was granted to the person counts."""
    assert run("enrol", "Barack Obama", sample("obama"))[0] == 0
    write_log(
        config,
        visit_of("Barack Obama", "biden", 1),
        visit_of("Barack Obama", "obama2", 2),
        visit_of(None, "biden", 3),
        an_access(4),
    ).close()
    code, said = run("not", "Barack Obama", "--event", "1", "--yes")
    assert code == 0, said
    assert "of Barack Obama's latest 2 grants with a picture, 1 would be denied" in said
    listed = run("people")[1]
    assert "1 visit was not of this person" in listed
    assert "    Barack Obama, 1: events aaaa:2" in listed, "the anchored one would bring the stranger in"
    code, said = run("enrol", "Barack Obama", "--from-event", "1", "--anyway")
    assert (code, "was not of Barack Obama, as somebody said" in said) == (1, True), said
    for number, words in (("3", "denied to unknown"), ("4", "has no picture any more"), ("9", "no event 9")):
        code, said = run("not", "Barack Obama", "--event", number)
        assert code == 1
        assert words in said
    assert "nobody called 'Barak Obama' is enrolled" in run("not", "Barak Obama", "--event", "1")[1]
    (file,) = (config.parent / "faces.anchors").iterdir()
    file.write_bytes(b"damage")
    assert "NOT LET IN: " in run("people")[1]
