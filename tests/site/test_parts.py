"""A process is affected by a change of its own part of the site file, and by no other."""

import msgspec
import pytest

from turnstile.site.document import build
from turnstile.site.parts import part_of
from turnstile.site.plan import processes
from turnstile.site.settings import Site

DOCUMENT = {
    "site": "test",
    "cameras": {"front": {"source": 0}, "back": {"source": 1}},
    "recognizers": {"pool": {}},
    "loggers": {"log": {}},
    "displays": {"screen": {"cameras": ["front"]}},
    "webhooks": {"hook": {"url": "http://h.test/", "secret_file": "s", "state_file": "t"}},
}


def a_site(**changes: object) -> Site:
    """Return the site with some sections replaced."""
    return build({**DOCUMENT, **changes})


def affected(after: Site) -> set[str]:
    """Return the processes that would have to be started again."""
    before = a_site()
    every = [(one.kind, one.key) for one in processes(before, cores=1)] + [("webhook", "hook")]
    return {key for kind, key in every if part_of(before, kind, key) != part_of(after, kind, key)}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"cameras": {"front": {"source": 7}, "back": {"source": 1}}}, {"front"}),
        ({"cameras": {"front": {"source": 0, "max_fps": 5}, "back": {"source": 1}}}, {"front", "screen"}),
        ({"cameras": {"front": {"source": 0}}}, {"broker", "back"}),
        ({"recognition": {"min_face_px": 50}}, {"pool", "front", "back"}),
        ({"recognition": {"policy": "unit"}}, {"broker", "pool"}),
        ({"decision": {"votes_needed": 4}}, {"broker"}),
        ({"decision": {"max_distance": 0.2}}, {"broker"}),
        ({"loggers": {"log": {"keep_entries_days": 9}}}, {"log"}),
        ({"loggers": {"log": {}, "second": {}}}, {"broker"}),
        ({"displays": {"screen": {"cameras": ["back"]}}}, {"screen"}),
        ({"broker": {"max_frame_px": 20_000}}, {"broker", "front", "back"}),
        (
            {"broker": {"ingress": "tcp://127.0.0.1:9"}},
            {"broker", "log", "pool", "front", "back", "screen", "hook"},
        ),
    ],
)
def test_a_change_affects_those_who_heed_it(changes: dict[str, object], names: set[str]) -> None:
    """Nobody else is started again for it."""
    assert affected(a_site(**changes)) == names


def test_a_command_beside_a_camera_is_affected_by_the_camera() -> None:
    """`turnstile on-access` is no part of the site file itself."""
    gone = a_site(cameras={"back": {"source": 1}}, displays={})
    assert part_of(a_site(), "on-access", "front") != part_of(gone, "on-access", "front")
    assert part_of(a_site(), "on-access", "back") == part_of(gone, "on-access", "back")


def test_every_section_of_a_site_is_somebodys_part() -> None:
    """A section that is added to the site file is added here."""
    of_all = {"site", "hosts", "keys", "broker"}
    own = {"gallery", "decision", "metrics", "recognition", "recognizers", "cameras", "loggers", "displays"}
    assert {field.name for field in msgspec.structs.fields(Site)} == of_all | own | {
        "webhooks",
        "web",
        "unknowns",
    }
