"""Invitations, passwords, codes, sessions: each against the pages themselves."""

import re
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyotp
import pytest
from starlette.testclient import TestClient

from tests.support.web_pages import AS_A_BROWSER, a_site
from tests.support.web_server import accounts_at_one_moment
from turnstile.io.web.accounts.devices import DEVICE_COOKIE, SESSION_COOKIE, Devices
from turnstile.io.web.accounts.file import FILE, AccountsError
from turnstile.io.web.accounts.passwords import PasswordChecks, make_code_secret
from turnstile.io.web.accounts.sign_in import WRONG
from turnstile.io.web.accounts.store import AccountStore, Credentials, open_accounts
from turnstile.io.web.link import BusLink
from turnstile.io.web.serving.app import make_app
from turnstile.protocol.requests import AccountRole
from turnstile.web.doorway import Doorway

PASSWORD = "four quite ordinary words"
HOUR_NS = 3600 * 10**9


class PagesWithAccounts:
    """The pages and their accounts, with a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_accounts(folder)
        self.now_ns = time.time_ns()
        self.devices = Devices(store=self.store, idle_s=24 * 3600, now_ns=lambda: self.now_ns)
        link = BusLink(instance="web-1", wake=lambda: None)
        self.accounts = accounts_at_one_moment(self.store, self.devices)
        self.app = make_app(
            a_site("door", "gate"),
            link,
            self.devices,
            config=folder / "site.yaml",
            accounts=self.accounts,
            doorway=Doorway("https", ("testserver",)),
        )

    def browser(self, address: str = "192.0.2.1") -> TestClient:
        """Return a browser of its own; by HTTPS, as only then httpx sends such cookies."""
        return TestClient(
            self.app,
            base_url="https://testserver",
            headers={**AS_A_BROWSER, "Origin": "https://testserver"},
            follow_redirects=False,
            client=(address, 50000),
        )

    def invite(self, name: str = "Ada", role: AccountRole = "admin", *doors: str) -> str:
        """Return the path of an invitation."""
        return f"/invited/{self.store.invite(name, role, doors, until_ns=self.now_ns + HOUR_NS)}"

    def signed_up(self, name: str = "Ada", role: AccountRole = "admin") -> TestClient:
        """Return a browser in which an invitation was just used."""
        browser = self.browser()
        form = {"password": PASSWORD, "again": PASSWORD}
        assert browser.post(self.invite(name, role), data=form).status_code == 303
        return browser


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[PagesWithAccounts]:
    """Give the pages of a site without accounts."""
    found = PagesWithAccounts(tmp_path / "web")
    yield found
    found.store.close()


def sign_in(browser: TestClient, name: str = "Ada", password: str = PASSWORD, **fields: str) -> int:
    """Send the form of the sign-in page, and return the status."""
    form = {"name": name, "password": password, **fields}
    return int(browser.post("/sign-in", data=form).status_code)


def is_in(browser: TestClient) -> bool:
    """Tell whether a browser sees the wall."""
    return bool(browser.get("/").status_code == 200)


def words_on_record(store: AccountStore) -> list[str]:
    """Return what waits to be put on record, and keep it no longer."""
    found = []
    while (act := store.next_act()) is not None:
        found.append(f"{act.name} {act.words}")
        store.forget_act(act.number)
    return found


def test_an_invitation_lets_in_once(pages: PagesWithAccounts) -> None:
    """Looking at it uses nothing up; the password makes the account and signs in."""
    path, browser = pages.invite("Ada", "clerk", "gate"), pages.browser()
    assert "Welcome, Ada" in browser.get(path).text
    assert "clerk, for gate" in browser.get(path).text
    form = {"password": PASSWORD, "again": PASSWORD}
    assert browser.post(path, data=form).headers["location"] == "/"
    assert is_in(browser)
    assert browser.get(path).status_code == 404
    assert pages.browser().post(path, data=form).status_code == 404
    found = pages.store.accounts()
    assert [(one.name, one.role, one.doors) for one in found] == [("Ada", "clerk", ("gate",))]


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("short", "short", "At least 10"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "guessed first"),
        ("Ada Lovelace", "Ada Lovelace", "guessed first"),
        (PASSWORD, "another one of these", "not the same"),
        ("x1y2" * 100, "x1y2" * 100, "At most"),
    ],
)
def test_a_password_that_will_not_do_leaves_the_invitation(
    pages: PagesWithAccounts, password: str, again: str, words: str
) -> None:
    """The page says why."""
    path, browser = pages.invite("ada lovelace"), pages.browser()
    answer = browser.post(path, data={"password": password, "again": again})
    assert answer.status_code == 400
    assert words in answer.text
    assert browser.get(path).status_code == 200


def test_an_invitation_expires(pages: PagesWithAccounts) -> None:
    """After its hours it is as if it had never been."""
    path = pages.invite()
    pages.now_ns += 2 * HOUR_NS
    assert pages.browser().get(path).status_code == 404
    unknown = pages.browser().get("/invited/guessed")
    assert unknown.status_code == 404
    assert "Sign in</a>" in unknown.text


def test_a_second_invitation_resets_the_password_and_ends_sessions(pages: PagesWithAccounts) -> None:
    """Whoever forgot the password, or lost a phone, asks for another."""
    old, path = pages.signed_up(), pages.invite("ADA", "viewer")
    assert is_in(old)
    other = "another password altogether"
    new = pages.browser()
    new.post(path, data={"password": other, "again": other})
    assert is_in(new)
    assert not is_in(old)
    assert sign_in(pages.browser()) == 403
    assert sign_in(pages.browser(), "ada", other) == 303
    assert pages.store.accounts()[0].role == "viewer"


def test_nobody_learns_whether_there_is_such_an_account(pages: PagesWithAccounts) -> None:
    """A wrong name and a wrong password get the same answer."""
    pages.signed_up()
    answers = [
        pages.browser().post("/sign-in", data={"name": name, "password": "wrong password"})
        for name in ("Ada", "Ida")
    ]
    texts = [re.sub("A[d]a|I[d]a", "", answer.text) for answer in answers]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert texts[0] == texts[1]
    assert WRONG in texts[0]


def test_a_name_is_escaped(pages: PagesWithAccounts) -> None:
    """Markup in a name is shown, not run."""
    name = "<script>alert(1)</script>"
    browser = pages.signed_up(name)
    for page in ("/account", "/"):
        assert "&lt;script&gt;" in browser.get(page).text
        assert "<script>alert" not in browser.get(page).text
    refused = pages.browser().post("/sign-in", data={"name": f'"{name}', "password": "wrong"})
    assert "<script>alert" not in refused.text


def test_the_cookie_is_of_this_host_only_and_no_script_reads_it(pages: PagesWithAccounts) -> None:
    """Its name, too, keeps other hosts of a domain from setting it."""
    pages.signed_up()
    answer = pages.browser().post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith(f"{SESSION_COOKIE}="))
    assert SESSION_COOKIE.startswith("__Host-")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(session.split("; "))


def test_signing_in_gives_a_new_token(pages: PagesWithAccounts) -> None:
    """A token that an attacker put there (fixation), or knew before, is of no use afterwards."""
    browser = pages.signed_up()
    planted = browser.cookies[SESSION_COOKIE]
    assert sign_in(browser) == 303
    assert browser.cookies[SESSION_COOKIE] != planted
    thief = pages.browser()
    thief.cookies.set(SESSION_COOKIE, planted, domain="testserver.local")
    assert not is_in(thief)
    invented = pages.browser()
    invented.cookies.set(SESSION_COOKIE, "invented", domain="testserver.local")
    assert sign_in(invented) == 303
    assert "invented" not in [one.value for one in invented.cookies.jar if one.domain != "testserver.local"]


def test_a_stolen_token_is_of_no_use_after_sign_out(pages: PagesWithAccounts) -> None:
    """The server forgets it, not only the browser."""
    browser, thief = pages.signed_up(), pages.browser()
    thief.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE], domain="testserver.local")
    assert is_in(thief)
    assert browser.post("/sign-out").status_code == 303
    assert not is_in(thief)


def test_tokens_and_passwords_are_not_in_the_file(pages: PagesWithAccounts) -> None:
    """A copy of it signs nobody in."""
    path = pages.invite("Ida")
    token = pages.signed_up().cookies[SESSION_COOKIE]
    kept = b"".join(file.read_bytes() for file in pages.folder.iterdir())
    for secret in (token, PASSWORD, path.rpartition("/")[2]):
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept


def test_the_file_is_its_owners_alone(pages: PagesWithAccounts) -> None:
    """The folder and each file in it."""
    pages.signed_up()
    assert stat.S_IMODE(pages.folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in pages.folder.glob(f"{FILE}*")}
    assert modes == {0o600}


def test_a_session_ends_when_nobody_comes_back(pages: PagesWithAccounts) -> None:
    """Each use prolongs it."""
    browser = pages.signed_up()
    for _ in range(3):
        pages.now_ns += 23 * HOUR_NS
        assert is_in(browser)
    pages.now_ns += 25 * HOUR_NS
    assert not is_in(browser)


def test_devices_are_listed_and_signed_out_one_by_one(pages: PagesWithAccounts) -> None:
    """From any of them."""
    here = pages.signed_up()
    there = pages.browser("198.51.100.7")
    there.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 15) Chrome/140.0"
    assert sign_in(there) == 303
    page = here.get("/account").text
    assert "Chrome on Android" in page
    assert "198.51.100.7" in page
    path = re.search(r"/account/devices/[0-9a-f]{16}/sign-out", page)
    assert path
    assert here.post(path[0]).headers["location"] == "/account"
    assert "The device is signed out." in here.get("/account").text
    assert not is_in(there)
    assert is_in(here)


def test_a_device_of_somebody_else_is_not_signed_out(pages: PagesWithAccounts) -> None:
    """Not even by an admin who knows what it is called."""
    ida = pages.signed_up("Ida", "viewer")
    session = pages.store.sessions("Ida", now_ns=pages.now_ns, idle_ns=HOUR_NS)[0].id
    pages.signed_up("Ada").post(f"/account/devices/{session}/sign-out")
    assert is_in(ida)


def test_sign_out_everywhere(pages: PagesWithAccounts) -> None:
    """Also here."""
    browsers = [pages.signed_up(), pages.browser()]
    sign_in(browsers[1])
    assert browsers[0].post("/account/sign-out-everywhere").headers["location"] == "/sign-in"
    assert not any(map(is_in, browsers))


def test_another_password_needs_the_present_one_and_ends_other_sessions(pages: PagesWithAccounts) -> None:
    """Whoever finds a device signed in cannot take over the account."""
    here, there = pages.signed_up(), pages.browser()
    sign_in(there)
    new = "quite another password"
    here.post("/account/password", data={"password": "a wrong password", "new": new})
    assert "present password is wrong" in here.get("/account").text
    here.post("/account/password", data={"password": PASSWORD, "new": "short"})
    assert "At least 10" in here.get("/account").text
    here.post("/account/password", data={"password": PASSWORD, "new": new})
    assert is_in(here)
    assert not is_in(there)
    assert sign_in(pages.browser(), password=PASSWORD) == 403
    assert sign_in(pages.browser(), password=new) == 303


def test_a_found_device_cannot_be_used_to_guess_the_password(pages: PagesWithAccounts) -> None:
    """Guesses at the present password are counted, too."""
    here = pages.signed_up()
    for _ in range(6):
        here.post("/account/password", data={"password": "guessed wrongly", "new": "quite another password"})
    here.get("/account")
    here.post("/account/password", data={"password": PASSWORD, "new": "quite another password"})
    assert "Too many wrong passwords" in here.get("/account").text


def test_a_code_is_asked_once_it_is_set_up(pages: PagesWithAccounts) -> None:
    """Without it, with a wrong one, or with one that was used, nobody is let in."""
    here = pages.signed_up()
    page = here.get("/account/code").text
    secret = re.search(r'name="secret" value="([A-Z2-7]+)"', page)
    assert secret
    assert "otpauth://totp/" in page
    shown = pyotp.TOTP(secret[1])
    wrong = {"secret": secret[1], "code": "no code", "password": PASSWORD}
    here.post("/account/code", data=wrong)
    assert "The code was wrong" in here.get("/account").text
    before, now = (shown.at(pages.now_ns // 10**9 - ago_s) for ago_s in (30, 0))
    here.post("/account/code", data={**wrong, "code": before})
    assert "asked at sign-in" in here.get("/account").text
    assert sign_in(pages.browser()) == 403
    assert sign_in(pages.browser(), code=before) == 403
    assert sign_in(pages.browser(), code=now) == 303
    assert sign_in(pages.browser(), code=now) == 403
    here.post("/account/code/remove", data={"password": PASSWORD})
    assert sign_in(pages.browser()) == 303


def test_codes_are_not_guessed_from_many_addresses(pages: PagesWithAccounts) -> None:
    """Whoever has the password, and many addresses; the owner's own device is let in meanwhile."""
    hers = pages.signed_up()
    secret = make_code_secret()
    pages.store.set_code("Ada", secret, 0)
    hers.post("/sign-out")
    code = pyotp.TOTP(secret).at(pages.now_ns // 10**9)
    for number in range(5):
        assert sign_in(pages.browser(f"2001:db8:{number}::1"), code="no code") == 403
    assert sign_in(pages.browser("2001:db8:99::1"), "ADA", code=code) == 403
    assert sign_in(hers, code=code) == 303


def test_a_space_after_a_name_does_not_count(pages: PagesWithAccounts) -> None:
    """Keyboards of phones add one to a name that they know."""
    pages.signed_up()
    assert sign_in(pages.browser(), " Ada ") == 303


@pytest.mark.parametrize(("lost", "words"), [("form", "send it again"), ("cookie", "keeps no cookie")])
def test_the_sign_in_page_says_why_somebody_is_back(pages: PagesWithAccounts, lost: str, words: str) -> None:
    """In words of its own: what else an address says is not shown."""
    browser = pages.browser()
    assert words in browser.get(f"/sign-in?lost={lost}").text
    assert "evil" not in browser.get("/sign-in?lost=evil").text


def test_guessing_is_slowed_down_and_the_owner_comes_in(pages: PagesWithAccounts) -> None:
    """The right password is refused, too, where many wrong ones came from; on her own device it is not."""
    hers = pages.signed_up()
    hers.post("/sign-out")
    attacker = pages.browser("203.0.113.9")
    statuses = [sign_in(attacker, password=f"guess number {n}") for n in range(11)]
    assert statuses[:5] == [403] * 5
    refused = attacker.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    assert statuses[-1] == 429
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert sign_in(pages.browser("198.51.100.1")) == 303
    assert sign_in(hers) == 303


def test_the_cookie_of_a_device_counts_for_its_account_only(pages: PagesWithAccounts) -> None:
    """An attacker with an account is no known device of others, and cannot invent one."""
    pages.signed_up("Ada")
    attacker = pages.signed_up("Mallory", "viewer")
    attacker.post("/sign-out")
    statuses = [sign_in(attacker, password=f"guess number {n}") for n in range(10)]
    assert 429 in statuses
    invented = pages.browser("203.0.113.77")
    invented.cookies.set(DEVICE_COOKIE, "00.11", domain="testserver.local")
    assert 429 in [sign_in(invented, password=f"guess {n}") for n in range(10)]


@pytest.mark.parametrize(
    ("to", "there"),
    [
        ("/visits?person=ada", "/visits?person=ada"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_a_page_of_this_site(pages: PagesWithAccounts, to: str, there: str) -> None:
    """Whatever the link said."""
    pages.signed_up()
    answer = pages.browser().post("/sign-in", data={"name": "Ada", "password": PASSWORD, "to": to})
    assert answer.headers["location"] == there


def test_a_removed_account_is_out_at_once(pages: PagesWithAccounts) -> None:
    """Though another process removed it."""
    browser = pages.signed_up()
    command = open_accounts(pages.folder)
    assert command.remove("ADA")
    command.close()
    assert not is_in(browser)
    assert sign_in(pages.browser()) == 403


def test_what_accounts_do_waits_for_the_record(pages: PagesWithAccounts) -> None:
    """Also while the broker is away; a failure is not of the account."""
    browser = pages.signed_up()
    browser.post("/sign-out")
    sign_in(browser)
    sign_in(pages.browser(), password="a wrong password")
    assert words_on_record(pages.store) == [
        "Ada used an invitation as admin, from 192.0.2.1",
        "Ada signed out",
        "Ada signed in from 192.0.2.1 with another program",
    ]


def test_an_admin_invites_signs_out_and_removes(pages: PagesWithAccounts) -> None:
    """In the browser as by commands; the link is shown once, and all of it is on record."""
    admin = pages.signed_up()
    form = {"name": "Ida <b>", "role": "viewer", "door": ["gate"]}
    page = admin.post("/accounts/invite", data=form).text
    link = re.search(r"https://testserver(/invited/[\w-]+)", page)
    assert link
    ida = pages.browser()
    ida.post(link[1], data={"password": PASSWORD, "again": PASSWORD})
    assert is_in(ida)
    assert pages.store.credentials("ida <b>").account.doors == ("gate",)  # type: ignore[union-attr]
    assert "Ida &lt;b&gt;" in admin.get("/accounts").text
    admin.post("/accounts/sign-out", data={"name": "Ida <b>"})
    assert not is_in(ida)
    admin.post("/accounts/remove", data={"name": "Ida <b>"})
    admin.post("/accounts/sign-out", data={"name": "nobody\n of this name"})
    admin.post("/accounts/remove", data={"name": "ADA"})
    assert [one.name for one in pages.store.accounts()] == ["Ada"]
    assert words_on_record(pages.store)[-2:] == [
        "Ada signed Ida <b> out everywhere",
        "Ada removed the account Ida <b>",
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "role": "admin"},
        {"name": "Ida", "role": "owner"},
        {"name": "Ida", "role": "viewer", "door": "a door that was there before"},
    ],
)
def test_who_cannot_be_invited_is_not(pages: PagesWithAccounts, form: dict[str, str]) -> None:
    """The page says why."""
    admin = pages.signed_up()
    assert admin.post("/accounts/invite", data=form).status_code == 303
    assert 'class="banner problem"' in admin.get("/accounts").text


def test_an_admin_of_some_doors_invites_nobody(pages: PagesWithAccounts) -> None:
    """Who could be let in at others."""
    browser = pages.browser()
    browser.post(pages.invite("Ida", "admin", "gate"), data={"password": PASSWORD, "again": PASSWORD})
    assert browser.get("/accounts").status_code == 403
    assert browser.post("/accounts/invite", data={"name": "Eve", "role": "admin"}).status_code == 403


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """It is not written over."""
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(AccountsError, match="cannot be used"):
        open_accounts(tmp_path)
    assert (tmp_path / FILE).read_bytes().startswith(b"no database")


def test_what_is_no_longer_valid_is_deleted(pages: PagesWithAccounts) -> None:
    """Sessions and invitations that hold no longer."""
    pages.signed_up()
    pages.invite("Ida")
    pages.store.forget_expired(now_ns=pages.now_ns + 10 * HOUR_NS, idle_ns=HOUR_NS)
    assert not pages.store.sessions("Ada", now_ns=pages.now_ns, idle_ns=100 * HOUR_NS)


@pytest.mark.parametrize("whole", [False, True], ids=["the file", "the folder"])
def test_a_copy_that_is_put_back_lets_nobody_in(
    pages: PagesWithAccounts, tmp_path: Path, *, whole: bool
) -> None:
    """Whoever was signed out since stays so, an invitation that was used is no good, and it is on record."""
    thief, path = pages.signed_up(), pages.invite("Bob", "viewer")
    older, file = tmp_path / "copy", pages.folder / FILE
    with closing(sqlite3.connect(file)) as now:
        now.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(pages.folder, older)
    form = {"password": PASSWORD, "again": PASSWORD}
    assert pages.browser().post(path, data=form).status_code == 303
    pages.store.sign_out("Ada")
    words_on_record(pages.store)
    for one in list(pages.folder.iterdir()):
        if whole or one.name.startswith(FILE):
            one.unlink()
    for one in older.iterdir():
        if whole or one.name == FILE:
            shutil.copy2(one, pages.folder)
    assert not is_in(thief)
    assert pages.browser().get(path).status_code == 404
    assert pages.store.accounts()[0].sessions == 0
    assert any("put back from a copy" in words for words in words_on_record(pages.store))
    with closing(open_accounts(pages.folder)) as again:
        assert again.next_act() is None, "it is said once"


def test_a_file_in_place_of_the_one_that_is_open_is_the_one_that_counts(pages: PagesWithAccounts) -> None:
    """A command that removes somebody there is believed by a node that runs."""
    browser = pages.signed_up()
    file = pages.folder / FILE
    copy = pages.folder / "copy"
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(copy)) as there:
        now.backup(there)
    for beside in ("-wal", "-shm"):
        file.with_name(f"{FILE}{beside}").unlink(missing_ok=True)
    copy.replace(file)
    assert is_in(browser), "the same contents, so nobody was signed out"
    with closing(open_accounts(pages.folder)) as command:
        assert command.remove("Ada")
    assert not is_in(browser)


def test_a_second_web_node_does_not_use_the_accounts_of_the_first(tmp_path: Path) -> None:
    """Of two sites with one folder, who may see the one could see the other."""
    with closing(open_accounts(tmp_path / "web")) as one, closing(open_accounts(tmp_path / "web")) as other:
        one.hold()
        with pytest.raises(AccountsError, match=r"each site needs its own web\.folder"):
            other.hold()
    with closing(open_accounts(tmp_path / "web")) as later:
        later.hold()


def test_a_clock_that_was_ahead_keeps_nobody_signed_in_for_years(pages: PagesWithAccounts) -> None:
    """Nor an invitation good that was made then."""
    browser, now_ns = pages.signed_up(), pages.now_ns
    pages.now_ns += 23 * HOUR_NS
    assert is_in(browser)
    pages.now_ns = now_ns + 3650 * 24 * HOUR_NS
    late, path = pages.signed_up("Bob", "viewer"), pages.invite("Eve")
    pages.now_ns = now_ns
    assert pages.browser().get(path).status_code == 404
    assert is_in(late)
    pages.now_ns += 25 * HOUR_NS
    assert not is_in(late)
    pages.store.forget_expired(now_ns=now_ns, idle_ns=24 * HOUR_NS)


def test_a_password_that_is_changed_while_it_is_checked_lets_nobody_in(pages: PagesWithAccounts) -> None:
    """Whoever knew the old one may have been faster by a moment."""
    pages.signed_up()
    store, checks = pages.store, PasswordChecks()

    class Slow(PasswordChecks):
        async def is_right(self, found: Credentials | None, password: str) -> bool:
            right = await super().is_right(found, password)
            store.set_password("Ada", await checks.hash("another long password"))
            return right

    pages.accounts.checks = Slow()
    assert sign_in(pages.browser()) == 403
    pages.accounts.checks = checks
    assert sign_in(pages.browser(), password="another long password") == 303
