"""`turnstile calibrate` on real faces: who is close to whom, which picture disagrees, what is admitted."""

import shutil
from pathlib import Path

import pytest

from tests.support.builders import write_site
from turnstile.commands.cli import main
from turnstile.commands.demo import samples


def enrol(folder: Path, **pictures: str) -> None:
    """Put sample pictures into the faces folder under other names."""
    (folder / "faces").mkdir(exist_ok=True)
    for name, sample in pictures.items():
        shutil.copy(samples.folder() / f"{sample}.jpg", folder / "faces" / f"{name}.jpg")


def test_a_picture_under_a_wrong_name_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two people close together, a picture that lies with the other person, and the rate."""
    enrol(folder, barack_obama="obama", barack_obama_2="biden", joe_biden="obama2")
    (folder / "faces" / "no_picture.jpg").write_text("hello")
    assert main(["calibrate", "--config", str(write_site(folder)), "--rate", "0.5"]) == 0
    said = capsys.readouterr()
    assert "2 people, 3 pictures" in said.out
    assert "barack_obama.jpg joe_biden.jpg" in said.out
    assert "disagrees: barack_obama_2.jpg" in said.out
    words = " ".join(said.out.split())
    assert "The two closest people, Barack Obama and Joe Biden, are 0." in words
    assert "A stricter limit holds for who looks like another: " in words
    assert "For a rate of 50.000%: decision.stranger_rate: 0.5" in words
    assert "no_picture.jpg is left out" in said.err


def test_strangers_are_tried(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody takes Biden for Obama; one trial is too few for a rate of one in a thousand."""
    enrol(folder, barack_obama="obama")
    strangers = folder / "strangers"
    strangers.mkdir()
    shutil.copy(samples.folder() / "biden.jpg", strangers)
    arguments = ("--config", str(write_site(folder)), "--strangers", str(strangers))
    assert main(["calibrate", *arguments]) == 0
    said = capsys.readouterr().out
    assert "0 of 1 strangers' pictures" in said
    assert "at least 1000 trials are needed" in said


def test_with_one_person_no_rate_is_made_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody was tried; it says what is needed, and what was compared."""
    enrol(folder, barack_obama="obama")
    config = str(write_site(folder))
    assert main(["calibrate", "--config", config]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("1 person, 1 picture; ")
    assert "cannot be measured with 1 person: enrol two or more, or name pictures of others" in said
    assert "people are recognised up to a distance of 0.320" in said.replace("People", "people")
    assert "Taken for somebody" not in said
    (folder / "nobody").mkdir()
    assert main(["calibrate", "--config", config, "--strangers", str(folder / "nobody")]) == 0
    assert "No picture in --strangers can be used" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("share", ["x", "2", "nan"])
def test_a_share_that_is_none_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    """With what would be valid."""
    with pytest.raises(SystemExit):
        main(["calibrate", "--config", str(write_site(folder)), "--rate", share])
    assert f"'{share}': a share is a number from 0.000001 to under 1" in capsys.readouterr().err


def test_an_empty_folder_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to say."""
    assert main(["calibrate", "--config", str(write_site(folder))]) == 1
    assert "nobody is enrolled" in capsys.readouterr().err
