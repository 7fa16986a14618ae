"""What an admin does on the page of the site's health goes to the broker and to this machine's supervisor."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.answering import AnsweringBus
from tests.support.web_pages import SignedIn, a_client, a_site
from turnstile.io.web.accounts.devices import Devices
from turnstile.io.web.accounts.sign_in import Accounts
from turnstile.io.web.accounts.store import open_accounts
from turnstile.requests.answers import ChainFound, Done, RefusedWish
from turnstile.requests.wishes import ReadChain, RecordAct, UnlockDoor
from turnstile.site.settings import CameraSettings, LoggerSettings, Site

SITE = Site(
    site="test", cameras={"door": CameraSettings(source="door.jpg")}, loggers={"log1": LoggerSettings()}
)


def test_a_lockout_is_ended_by_the_broker() -> None:
    """And the next page says so."""
    bus = AnsweringBus()
    bus.answers[UnlockDoor] = Done(words="unlocked")
    client = a_client(site=SITE, link=bus.link)
    client.post("/health/unlock", data={"camera": "door"})
    assert bus.wishes(UnlockDoor) == [UnlockDoor(camera="door")]
    assert "door is unlocked." in client.get("/health").text


def test_an_admin_of_one_door_starts_nothing_that_all_doors_need() -> None:
    """Nor is anything told of nodes and doors besides."""
    bus = AnsweringBus()
    bus.answers[RecordAct] = Done(words="on record")
    client = a_client(SignedIn("admin", ("door",)), site=a_site("door", "gate"), link=bus.link)
    assert client.post("/health/scale", data={"count": "0"}).status_code == 403
    assert client.post("/health/restart", data={"name": "broker"}).status_code == 403
    client.post("/health/unlock", data={"camera": "gate"})
    assert not bus.asked
    page = client.get("/health").text
    assert "Recognizers" not in page
    assert "Nothing can be started" not in page
    assert "recognizer" not in page.partition('id="health-alerts"')[2].partition("</div>")[0]


@pytest.mark.parametrize("count", ["", "-1", "9" * 5000, "three"])
def test_what_is_no_number_of_recognizers_is_refused(count: str) -> None:
    """However long it is."""
    client = a_client()
    assert client.post("/health/scale", data={"count": count}).status_code == 303
    assert "is no number" in client.get("/health").text


def test_no_other_door_is_unlocked() -> None:
    """What is no door reaches nobody."""
    bus = AnsweringBus()
    client = a_client(site=SITE, link=bus.link)
    client.post("/health/unlock", data={"camera": "../door"})
    assert not bus.asked
    assert "no door is named" in client.get("/health").text


@pytest.mark.parametrize(
    ("path", "form", "asked"),
    [
        ("scale", {"count": "3"}, "asked to have 3 recognizers run here"),
        ("restart", {"name": "door"}, "asked to start door again"),
    ],
)
def test_what_is_asked_goes_on_record_before_what_came_of_it(
    path: str, form: dict[str, str], asked: str, tmp_path: Path
) -> None:
    """Where no supervisor runs, the record says that it failed, and the page how it would not."""
    bus, store = AnsweringBus(), open_accounts(tmp_path / "web")
    bus.answers[RecordAct] = Done(words="on record")
    with closing(store):
        accounts = Accounts(store=store, devices=Devices(store=store, idle_s=3600))
        client = a_client(site=SITE, link=bus.link, accounts=accounts)
        client.post(f"/health/{path}", data=form)
        assert [act.words for act in bus.wishes(RecordAct)] == [asked]
        later = store.next_act()
    failed = "nothing runs here that was started with"
    assert later is not None
    assert (later.name, later.words.startswith(f"{asked}, which failed: "), failed in later.words) == (
        *("Ada", True, True),
    )
    assert failed in client.get("/health").text


def test_what_may_not_go_on_record_is_not_done() -> None:
    """The broker's refusal is the answer."""
    bus = AnsweringBus()
    bus.answers[RecordAct] = RefusedWish(problem="Ada is a viewer", forbidden=True)
    answer = a_client(site=SITE, link=bus.link).post("/health/scale", data={"count": "3"})
    assert answer.status_code == 403


def test_the_last_verification_of_each_log_is_told() -> None:
    """With what was found; a logger that does not answer is named."""
    bus = AnsweringBus()
    found = ChainFound(
        logger="log1", head_number=17, head_hash="ab" * 32, verified_ns=1, problems=("entry 3 was changed",)
    )
    bus.answers[ReadChain] = found
    page = a_client(site=SITE, link=bus.link).get("/health").text
    assert "entry 3 was changed" in page
    assert "17" in page
    bus.answers[ReadChain] = RefusedWish(problem="no")
    assert "does not answer" in a_client(site=SITE, link=bus.link).get("/health").text


def test_a_site_without_a_logger_says_so() -> None:
    """Instead of an empty place."""
    assert "names no logger" in a_client(site=a_site("door")).get("/health").text
