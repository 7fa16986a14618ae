"""What accounts do becomes part of the log's chain, in real processes."""

import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.browser import WebSite
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.system

PASSWORD = "four words at a door"


def send(web: WebSite, path: str, **form: str) -> int:
    """Send a form as a page of the site does, and return the status."""
    connection = HTTPConnection(urlsplit(web.address).netloc, timeout=30)
    headers = {"Origin": web.address, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(form), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_what_accounts_do_is_on_record_though_the_broker_was_away(folder: Path) -> None:
    """Invited and signed in while only the web node runs; broker and logger come later. It ends with 0."""
    with WebSite(folder) as web:
        web.start()
        link = urlsplit(web.invite("Ada")).path
        assert send(web, link, password=PASSWORD, again=PASSWORD) == 303
        assert send(web, "/sign-in", name="Ada", password=PASSWORD) == 303
        web.site.start("broker", "log")
        log = web.site.log_file
        wait_until(
            lambda: log.exists() and "signed in from" in log.read_text(),
            lambda: (log.read_text() if log.exists() else "no log", web.words),
        )
        words = log.read_text()
        for said in (
            "invited Ada as admin",
            "Ada (admin) used an invitation",
            "Ada (admin) signed in from 127.",
        ):
            assert said in words
        command = ["-m", "turnstile", "log", "verify", "--config", str(folder / "site.yaml")]
        done = subprocess.run(
            [sys.executable, *command], check=False, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        web.stop()
