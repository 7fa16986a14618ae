"""An admin scales and restarts nodes from the page of the site's health, under a real supervisor."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import WebSite, keep_screenshot, violations
from tests.support.processes import ROOT
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system


@pytest.fixture
def web(folder: Path) -> Iterator[WebSite]:
    """Give a site whose nodes `turnstile up` keeps, its web node among them."""
    (folder / "run").mkdir(mode=0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run")}
    with WebSite(folder, sections={"displays": {}, "recognizers": {"pool": {}}}) as web:
        command = [sys.executable, "-m", "turnstile", "up", str(folder / "site.yaml")]
        with (folder / "web.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            web.site.wait_for(lambda: {"web", "pool", "door", "log", "broker"} <= web.site.beats.keys())
            yield web
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def test_an_admin_scales_recognizers_and_starts_a_node_again(web: WebSite, browser: Browser) -> None:
    """The page says what was done, and shows it."""
    with web.page_of(browser) as page:
        page.goto("/health")
        page.get_by_label("Recognizers that run").fill("2")
        page.get_by_role("button", name="Change").click()
        expect(page.locator("#notices")).to_contain_text("2 recognizers run on this machine.")
        expect(page.locator("#health-nodes tr", has_text="recognizer")).to_have_count(2)
        before = web.site.beats["door"].pid
        page.get_by_label("Node", exact=True).select_option("door")
        page.get_by_role("button", name="Start it again").click()
        expect(page.locator("#notices")).to_contain_text("door was started again.")
        web.site.wait_for(lambda: web.site.beats["door"].pid != before)
        log = web.site.log_file
        web.site.wait_for(lambda: "asked to start door again: door was started again" in log.read_text())
        acts = [line for line in log.read_text().splitlines() if "asked to start door again" in line]
        assert [": door was" in line for line in acts] == [False, True]
        keep_screenshot(page, "health-admin", full=True)
        assert not violations(page)
