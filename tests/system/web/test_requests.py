"""What people who are signed in want of a running site: each wish is asked, and its effect is seen."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.asking import AskingWeb
from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA
from turnstile.commands.cli import main
from turnstile.commands.demo import samples
from turnstile.requests.answers import (
    Done,
    PeopleFound,
    PictureFound,
    PictureJudged,
    RefusedWish,
    VisitsFound,
)
from turnstile.requests.wishes import (
    EnrolPicture,
    FindVisits,
    JudgePicture,
    ReadPeople,
    ReadPicture,
    RemovePicture,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def a_picture_of(who: str) -> bytes:
    """Return a sample picture."""
    return (samples.folder() / who).read_bytes()


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a running site with nobody enrolled."""
    with RealSite(folder) as site:
        site.start_all()
        yield site


@pytest.fixture
def web(site: RealSite) -> Iterator[AskingWeb]:
    """Give somebody signed in."""
    with closing(AskingWeb(site.site.broker)) as web:
        yield web


def test_a_clerk_enrols_somebody_who_is_granted_then(
    site: RealSite, web: AskingWeb, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture is judged first, shown small, and on record with who did it."""
    site.wait_for_visit(OBAMA, DENIED)
    picture = a_picture_of("obama.jpg")
    judged = web.ask(JudgePicture(person="Barack Obama", data=picture), role="clerk")
    assert isinstance(judged, PictureJudged)
    assert (judged.problem, judged.closest) == ("", None)
    assert judged.looks is not None
    done = web.ask(EnrolPicture(person="Barack Obama", data=picture), by="anna", role="clerk")
    assert isinstance(done, Done), done
    site.wait_for_visit(OBAMA, GRANTED)
    people = web.ask(ReadPeople(), role="clerk")
    assert isinstance(people, PeopleFound)
    (entry,) = people.people
    assert (entry.person, [one.file for one in entry.pictures]) == ("Barack Obama", ["barack_obama.jpg"])
    small = web.ask(ReadPicture(file="barack_obama.jpg"), role="clerk")
    assert isinstance(small, PictureFound)
    assert small.jpeg.startswith(b"\xff\xd8")
    again = web.ask(EnrolPicture(person="Joe Biden", data=picture), role="clerk")
    assert isinstance(again, RefusedWish)
    assert (again.may_anyway, "enrolled already" in again.problem) == (True, True)
    site.wait_for(lambda: len(site.logged) == 2)
    words = 'anna (clerk) enrolled "Barack Obama" (barack_obama.jpg)'
    visits = web.ask(FindVisits(), to="log")
    assert isinstance(visits, VisitsFound)
    assert [act.words.startswith(words) for act in visits.acts] == [True]
    for command in ("query", "verify"):
        assert main(["log", command, "--config", str(site.nodes.site_file)]) == 0
        assert words in capsys.readouterr().out
    gone = web.ask(RemovePicture(file="barack_obama.jpg"))
    assert isinstance(gone, Done), gone
    site.wait_until_enrolled(0)
    assert not list(site.faces.iterdir())


@pytest.mark.parametrize("data", [b"", b"no picture", a_picture_of("biden.jpg")[:2000]])
def test_what_shows_no_face_is_refused_whatever_the_clerk_says(
    site: RealSite, web: AskingWeb, data: bytes
) -> None:
    """And nothing is written."""
    refusal = web.ask(EnrolPicture(person="Joe Biden", data=data, anyway=True), role="clerk")
    assert isinstance(refusal, RefusedWish)
    assert not refusal.may_anyway
    assert not list(site.faces.iterdir())


def test_a_viewer_enrols_nobody_and_no_path_leads_out(site: RealSite, web: AskingWeb) -> None:
    """Each refusal says why."""
    refusal = web.ask(EnrolPicture(person="Joe Biden", data=a_picture_of(BIDEN)), role="viewer")
    assert isinstance(refusal, RefusedWish)
    assert refusal.forbidden
    for file in ("../site.yaml", "/etc/passwd", "nobody.jpg"):
        assert isinstance(web.ask(ReadPicture(file=file)), RefusedWish)
        assert isinstance(web.ask(RemovePicture(file=file)), RefusedWish)
    assert site.nodes.site_file.exists()


def test_without_a_recognizer_a_picture_is_refused_at_once(site: RealSite, web: AskingWeb) -> None:
    """It says what is missing."""
    site.stop("recognizer-1")
    refusal = web.ask_until(JudgePicture(data=a_picture_of(BIDEN)), lambda one: isinstance(one, RefusedWish))
    assert isinstance(refusal, RefusedWish)
    assert "no recognizer" in refusal.problem
