"""`turnstile replay`: the visits that other settings would decide otherwise, in words."""

import datetime as dt
from pathlib import Path

import pytest

from tests.support.builders import START_NS, a_result
from tests.support.crowd import ANN, SETTINGS, STEP_NS, encoding_of, seen
from turnstile.access.decider import Decider, Now
from turnstile.access.replay import taken, told
from turnstile.commands.cli import main
from turnstile.io.access.recording import ResultFile
from turnstile.io.people.anchors import open_anchors
from turnstile.io.site.file import load
from turnstile.protocol.messages import Access

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site file beside a recording of Ann, who was granted."""
    recording = ResultFile(tmp_path / "results")
    decider = Decider(settings=SETTINGS, encoding="")
    for seq in range(1, 12):
        at_ns = START_NS + seq * STEP_NS
        result = a_result(seen(ANN, distance=0.42), seq=seq, captured_ns=at_ns)
        recording.write(taken(result, came_ns=at_ns, age_s=0.1, at_ns=at_ns))
        now = Now(at_ns, at_ns, NOW)
        for event in decider.decide(result, came_ns=at_ns, age_s=0.1, now=now):
            recording.write(told(event))
    recording.close()
    return write_site(tmp_path, "max_distance: 0.45")


def write_site(folder: Path, settings: str) -> Path:
    """Write a site file with settings to try."""
    path = folder / "site.yaml"
    path.write_text(
        f"site: here\ncameras: {{front_door: {{source: 0}}}}\n"
        f"decision: {{record: results, rules: rules.yaml, {settings}}}\n"
    )
    return path


def test_the_same_settings_change_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says so."""
    assert main(["replay", "--config", str(site)]) == 0
    assert capsys.readouterr().out == "1 verdict then, 1 now: no difference\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing is recorded in it yet"),
        (b"a letter to somebody else\n", "something that is no recording"),
    ],
)
def test_what_is_no_recording_is_refused(
    site: Path, capsys: pytest.CaptureFixture[str], data: bytes, words: str
) -> None:
    """An empty one would look like a day on which nothing changes."""
    (site.parent / "results").write_bytes(data)
    assert main(["replay", "--config", str(site)]) == 78
    assert words in capsys.readouterr().err


def test_a_recording_of_another_version_is_refused_by_its_version(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do about it."""
    recording = site.parent / "results"
    ours = Access.__struct_config__.tag
    recording.write_bytes(recording.read_bytes().replace(f"{ours}".encode(), b"access/2"))
    assert main(["replay", "--config", str(site)]) == 78
    assert capsys.readouterr().err == (
        f"error: {recording}: recorded by another version of Turnstile: it holds access/2, and this version "
        f"reads {ours}; replay it with that version, or move it away to begin a new one\n"
    )


def test_a_stricter_distance_is_shown_with_both_verdicts(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many there are."""
    write_site(site.parent, "max_distance: 0.40")
    assert main(["replay", "--config", str(site)]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert "granted Ann Lee, 0.420  →  denied unknown, not recognised, 0.420" in line
    assert total == "1 verdict then, 1 now: 1 other verdict"


def test_rules_are_tried_too(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the site file names."""
    (site.parent / "rules.yaml").write_text(f"blocked: [{ANN}]")
    assert main(["replay", "--config", str(site)]) == 0
    assert "denied Ann Lee, blocked" in capsys.readouterr().out


def test_since_leaves_out_what_was_before(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recording is three years old."""
    assert main(["replay", "--config", str(site), "--since", "2h"]) == 0
    assert capsys.readouterr().out == "0 verdicts then, 0 now: no difference\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--recording", "nowhere"], 78, "there is no recording"),
        (["--since", "yesterday"], 1, "the time 'yesterday'"),
    ],
)
def test_what_cannot_be_replayed_is_said(
    site: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """On the error output."""
    assert main(["replay", "--config", str(site), *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_face_that_was_anchored_since_is_denied(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`turnstile not` said that it was not hers."""
    settings = load(site)
    anchors = open_anchors(settings.gallery, settings.recognition.encoding)
    anchors.add(ANN, "9f:17", encoding_of(ANN))
    assert main(["replay", "--config", str(site)]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert "granted Ann Lee, 0.420  →  denied unknown, not recognised" in line
    assert total == "1 verdict then, 1 now: 1 other verdict"


def test_without_the_anchors_nobody_can_tell_who_would_be_denied(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged file is not taken for none."""
    settings = load(site)
    anchors = open_anchors(settings.gallery, settings.recognition.encoding)
    anchors.add(ANN, "9f:17", encoding_of(ANN))
    (file,) = Path(settings.gallery.anchors_folder).iterdir()
    file.write_bytes(b"damaged")
    assert main(["replay", "--config", str(site)]) == 1
    assert "its contents are not what was written" in capsys.readouterr().err
