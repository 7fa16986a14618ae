"""What people who are signed in want of a running site: each wish is asked, and its effect is seen."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.asking import AskingWeb
from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA
from turnstile.commands.cli import main
from turnstile.commands.demo import samples
from turnstile.requests.answers import (
    AnyAnswer,
    Done,
    PeopleFound,
    PictureFound,
    PictureJudged,
    RefusedWish,
    RulesFound,
    UnknownsFound,
    VisitsFound,
)
from turnstile.requests.wishes import (
    AddAnchor,
    BlockPerson,
    DiscardUnknowns,
    EnrolPicture,
    ErasePerson,
    FindVisits,
    IgnoreUnknowns,
    JudgePicture,
    NameUnknowns,
    ReadPeople,
    ReadPicture,
    ReadRules,
    ReadUnknowns,
    RecordAct,
    RemovePicture,
    RenamePerson,
    ReplaceRules,
    SeenVisit,
    SetValidity,
    UndoAnchor,
    UndoRules,
    UnlockDoor,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def a_picture_of(who: str) -> bytes:
    """Return a sample picture."""
    return (samples.folder() / who).read_bytes()


@contextmanager
def a_site(folder: Path) -> Iterator[RealSite]:
    """Give a running site with nobody enrolled."""
    with RealSite(folder, sections={"displays": {}}) as site:
        site.start_all()
        yield site


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a site of a test's own."""
    with a_site(folder) as site:
        yield site


@pytest.fixture
def web(site: RealSite) -> Iterator[AskingWeb]:
    """Give somebody signed in there."""
    with closing(AskingWeb(site.site.broker)) as web:
        yield web


@pytest.fixture(scope="module")
def refusing(shared_folder: Path) -> Iterator[tuple[RealSite, AskingWeb]]:
    """Give a site that tests share, where nothing is ever changed, and somebody signed in there."""
    with a_site(shared_folder) as site, closing(AskingWeb(site.site.broker)) as web:
        yield site, web


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
    refusing: tuple[RealSite, AskingWeb], data: bytes
) -> None:
    """And nothing is written."""
    site, web = refusing
    refusal = web.ask(EnrolPicture(person="Joe Biden", data=data, anyway=True), role="clerk")
    assert isinstance(refusal, RefusedWish)
    assert not refusal.may_anyway
    assert not list(site.faces.iterdir())


def test_a_viewer_enrols_nobody_and_no_path_leads_out(refusing: tuple[RealSite, AskingWeb]) -> None:
    """Each refusal says why."""
    site, web = refusing
    refusal = web.ask(EnrolPicture(person="Joe Biden", data=a_picture_of(BIDEN)), role="viewer")
    assert isinstance(refusal, RefusedWish)
    assert refusal.forbidden
    for file in ("../site.yaml", "/etc/passwd", "nobody.jpg"):
        assert isinstance(web.ask(ReadPicture(file=file)), RefusedWish)
        assert isinstance(web.ask(RemovePicture(file=file)), RefusedWish)
    assert site.nodes.site_file.exists()


def test_without_a_recognizer_a_picture_is_refused_at_once(refusing: tuple[RealSite, AskingWeb]) -> None:
    """It says what is missing."""
    site, web = refusing
    site.stop("recognizer-1")
    refusal = web.ask_until(JudgePicture(data=a_picture_of(BIDEN)), lambda one: isinstance(one, RefusedWish))
    assert isinstance(refusal, RefusedWish)
    assert "no recognizer" in refusal.problem
    site.start("recognizer-1")
    site.wait_for_beats("recognizer-1")


def test_somebody_unknown_is_named_and_granted_then(site: RealSite, web: AskingWeb) -> None:
    """Two visits are one person; whoever is ignored stays so, and whoever is discarded is gone."""
    for who in (OBAMA, OBAMA, BIDEN):
        site.wait_for_visit(who, DENIED)
    unknowns = web.ask_until(ReadUnknowns(), lambda one: _visits_of(one) == [1, 2])
    assert isinstance(unknowns, UnknownsFound)
    biden, obama = unknowns.unknowns
    assert obama.cameras == ("door",)
    assert isinstance(web.ask(IgnoreUnknowns(unknowns=(biden.id,))), Done)
    site.wait_for_visit(BIDEN, DENIED)
    seen = web.ask_until(ReadUnknowns(ignored=True), lambda one: _visits_of(one) == [2, 2])
    assert isinstance(seen, UnknownsFound)
    assert [one.ignored for one in seen.unknowns] == [True, False]
    assert _visits_of(web.ask(ReadUnknowns())) == [2]
    named = web.ask(NameUnknowns(unknowns=(obama.id,), person="Barack Obama"), role="clerk")
    assert isinstance(named, Done), named
    site.wait_for_visit(OBAMA, GRANTED)
    assert _visits_of(web.ask(ReadUnknowns())) == []
    assert isinstance(web.ask(DiscardUnknowns(unknowns=(biden.id,))), Done)
    assert _visits_of(web.ask(ReadUnknowns(ignored=True))) == []


def _visits_of(answer: AnyAnswer) -> list[int]:
    """Return how many visits each unknown person made, the last seen first."""
    assert isinstance(answer, UnknownsFound), answer
    return [one.visits for one in answer.unknowns]


def test_rules_are_changed_with_their_comments_and_taken_back(site: RealSite, web: AskingWeb) -> None:
    """Blocked people are denied at once; what is not right is not written."""
    site.enrol("barack_obama.jpg")
    site.wait_until_enrolled(1)
    site.wait_for_visit(OBAMA, GRANTED)
    rules = web.ask(ReadRules())
    assert isinstance(rules, RulesFound)
    assert (rules.text, rules.may_undo) == ("", False)
    text = "# who may not come\nblocked:  # ever\n- Eve Poe  # banned\n"
    assert isinstance(web.ask(ReplaceRules(text=text, was=rules.version)), Done)
    refusal = web.ask(ReplaceRules(text=text, was=rules.version))
    assert isinstance(refusal, RefusedWish)
    assert "somebody else changed" in refusal.problem
    assert isinstance(web.ask(BlockPerson(person="barack obama", blocked=True)), Done)
    site.wait_for_visit(OBAMA, ("denied", "Barack Obama"))
    assert (site.folder / "rules.yaml").read_text() == f"{text}- Barack Obama\n"
    assert isinstance(web.ask(SetValidity(person="Barack Obama", until_day="2020-01-01")), Done)
    before = web.ask(ReadRules())
    assert isinstance(before, RulesFound)
    assert "until: 2020-01-01" in before.text
    wrong = web.ask(ReplaceRules(text="doors: {nowhere: {}}", was=before.version))
    assert isinstance(wrong, RefusedWish)
    assert "nowhere" in wrong.problem
    assert isinstance(web.ask(UndoRules(was=before.version)), Done)
    assert isinstance(web.ask(BlockPerson(person="Barack Obama", blocked=False)), Done)
    assert (site.folder / "rules.yaml").read_text() == text
    site.wait_for_visit(OBAMA, GRANTED)


def test_not_her_is_denied_the_next_time_and_a_person_is_renamed(site: RealSite, web: AskingWeb) -> None:
    """With pictures, anchors and rules."""
    site.enrol("barack_obama.jpg")
    site.wait_until_enrolled(1)
    site.wait_for_visit(OBAMA, GRANTED)
    found = web.ask_until(FindVisits(), lambda one: isinstance(one, VisitsFound) and one.visits, to="log")
    assert isinstance(found, VisitsFound)
    (visit,) = found.visits
    anchor = AddAnchor(person="Barack Obama", event=visit.event, picture=visit.picture)
    assert isinstance(web.ask(anchor, role="clerk"), Done)
    site.wait_for_visit(OBAMA, DENIED)
    seen = SeenVisit(event=visit.event, person=visit.person)
    refusal = web.ask(EnrolPicture(person="Barack Obama", data=visit.picture, visit=seen, anyway=True))
    assert isinstance(refusal, RefusedWish)
    assert isinstance(web.ask(BlockPerson(person="Barack Obama", blocked=True)), Done)
    assert isinstance(web.ask(RenamePerson(person="Barack Obama", to="Barry O'Bama")), Done)
    people = web.ask_until(
        ReadPeople(), lambda one: isinstance(one, PeopleFound) and one.people[0].person == "Barry O'Bama"
    )
    assert isinstance(people, PeopleFound)
    (entry,) = people.people
    assert (entry.anchors, entry.blocked) == ((visit.event,), True)
    assert [path.name for path in site.faces.iterdir()] == ["Barry_O'Bama.jpg"]
    assert isinstance(web.ask(UndoAnchor(person="Barry O'Bama", event=visit.event)), Done)
    site.wait_for_visit(OBAMA, ("denied", "Barry O'Bama"))


def test_what_the_web_node_did_is_on_record(refusing: tuple[RealSite, AskingWeb]) -> None:
    """In words; a door that is not locked out is not unlocked."""
    _, web = refusing
    assert isinstance(web.ask(RecordAct(words='signed in as "anna"'), role="viewer"), Done)
    refusal = web.ask(UnlockDoor(camera="door"))
    assert isinstance(refusal, RefusedWish)
    assert "is not locked out" in refusal.problem
    found = web.ask_until(FindVisits(), lambda one: isinstance(one, VisitsFound) and one.acts, to="log")
    assert isinstance(found, VisitsFound)
    assert found.acts[0].words.startswith("anna (viewer) signed in as 'anna'")


def _read(path: Path) -> bytes:
    """Return what a file holds; nothing if it is none, or was there for a moment only."""
    with suppress(FileNotFoundError):
        return path.read_bytes() if path.is_file() else b""
    return b""


def test_an_erased_person_is_nowhere(site: RealSite, web: AskingWeb) -> None:
    """Neither in pictures, rules, logs nor among unknown people; first it is said what would go."""
    picture = a_picture_of("obama.jpg")
    assert isinstance(web.ask(EnrolPicture(person="Barack Obama", data=picture)), Done)
    site.wait_for_visit(OBAMA, GRANTED)
    site.wait_for_visit(BIDEN, DENIED)
    for blocked in (True, False, True):
        assert isinstance(web.ask(BlockPerson(person="Barack Obama", blocked=blocked)), Done)
    web.ask_until(ReadUnknowns(), lambda one: _visits_of(one) == [1])
    site.wait_for(lambda: len(site.logged) == 2)
    shown = web.ask(ErasePerson(person="barack obama", dry_run=True))
    assert isinstance(shown, Done), shown
    assert "would be removed" in shown.words
    assert (site.faces / "barack_obama.jpg").exists()
    done = web.ask(ErasePerson(person="barack obama"))
    assert isinstance(done, Done), done
    assert "look at this" not in done.words
    site.wait_until_enrolled(0)
    web.ask_until(
        FindVisits(), lambda one: isinstance(one, VisitsFound) and "erased a" in one.acts[0].words, to="log"
    )
    assert _visits_of(web.ask(ReadUnknowns(ignored=True))) == []
    site.wait_for_visit(OBAMA, DENIED)
    logs = {site.folder / f"{name}.log" for name in site.names}
    files = set(site.folder.rglob("*")) - logs
    assert [path for path in files if b"Obama" in _read(path)] == []
    assert main(["log", "verify", "--config", str(site.nodes.site_file)]) == 0
    refusal = web.ask(ErasePerson(person="Zoe"))
    assert isinstance(refusal, RefusedWish)
    assert "nobody called 'Zoe'" in refusal.problem
