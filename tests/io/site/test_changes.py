"""An edited site file is noticed once, where it matters to the process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import write_site
from turnstile.io.site.changes import LOOK_EVERY_S, SiteFileWatch
from turnstile.io.site.file import load


class Watched:
    """A site file, and a process that heeds its decision section."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_s = folder, 100.0
        path = write_site(folder)
        self.watch = SiteFileWatch(path, lambda site: site.decision, load(path))

    def write(self, *more: str) -> None:
        """Write the file anew, with further lines."""
        path = write_site(self.folder, *more)
        os.utime(path, ns=(0, round(self.now_s * 1e9)))

    def said(self) -> list[str]:
        """Return each new notice within ten looks."""
        found = []
        for _ in range(10):
            self.now_s += LOOK_EVERY_S
            if self.watch.poll(self.now_s):
                found.append(self.watch.notice)
        return found


@pytest.fixture
def watched(folder: Path) -> Watched:
    """Return a file that was just read."""
    return Watched(folder)


def test_a_change_of_its_part_is_said_once(watched: Watched) -> None:
    """With what to do about it; when it is taken back, that is noticed, too."""
    assert watched.said() == []
    watched.write("decision: {votes_needed: 4}")
    assert watched.said() == ["site.yaml changed; `turnstile reload` or a restart applies it"]
    watched.write()
    assert watched.said() == [""]


@pytest.mark.parametrize("more", ["# a comment", "displays: {screen: {}}"])
def test_a_change_of_other_parts_is_not_said(watched: Watched, more: str) -> None:
    """Nothing of it concerns this process."""
    watched.write(more)
    assert watched.said() == []


def _remove(watched: Watched) -> None:
    (watched.folder / "site.yaml").unlink()


@pytest.mark.parametrize("spoil", [lambda watched: watched.write("decision: {votes: 4}"), _remove])
def test_a_file_that_is_not_valid_any_more_is_said_with_the_reason(
    watched: Watched, spoil: Callable[[Watched], None]
) -> None:
    """The process goes on with what it had."""
    spoil(watched)
    (said,) = watched.said()
    assert said.startswith("site.yaml changed and is not valid, so the settings from before stay: ")
    assert "site.yaml" in said.partition("stay: ")[2]


def test_what_was_applied_is_no_change_any_more(watched: Watched) -> None:
    """Until the next edit."""
    watched.write("decision: {votes_needed: 4}")
    watched.said()
    watched.watch.applied(load(watched.folder / "site.yaml"))
    assert watched.watch.notice == ""
    assert watched.said() == []
    watched.write("decision: {votes_needed: 5}")
    assert len(watched.said()) == 1
