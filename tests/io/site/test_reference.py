"""Every key of a site file is explained, and docs/configuration.md is what the settings say."""

from pathlib import Path

import msgspec
import pytest

from turnstile.errors import ConfigError
from turnstile.io.site.reference import DocumentedKey, as_markdown, find, sections
from turnstile.site.settings import Site

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
KEYS = [key for part in sections() for key in part.keys]


def test_the_page_is_what_the_settings_say() -> None:
    """Made anew by: python -m turnstile config --markdown > docs/configuration.md."""
    assert PAGE.read_text("utf-8") == as_markdown(), test_the_page_is_what_the_settings_say.__doc__


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_key_says_what_it_is_for_and_what_is_valid(key: DocumentedKey) -> None:
    """In the docstring under its field."""
    assert key.about.endswith((".", ")"))
    assert key.valid


def test_every_section_of_the_file_is_there() -> None:
    """Whatever it holds: names, keys, or nothing by default."""
    told = {part.path.partition(".")[0] for part in sections()} | {key.path for key in KEYS}
    assert {field.name for field in msgspec.structs.fields(Site)} <= told


@pytest.mark.parametrize("wanted", ["cameras.front_door.max_fps", "cameras.NAME.max_fps", "max_fps"])
def test_a_key_is_found_by_its_path_or_its_last_word(wanted: str) -> None:
    """A name of the site file may stand in the path."""
    (key,) = find(wanted)
    assert isinstance(key, DocumentedKey)
    assert (key.path, key.default) == ("cameras.NAME.max_fps", "`15`")
    assert key.valid == "a number above 0 and at most 240"


def test_a_section_is_found_without_the_names_in_it() -> None:
    """The cameras of the site, not those of a display."""
    assert [one.path for one in find("cameras")] == ["cameras.NAME"]


def test_a_word_that_several_keys_end_in_finds_all_of_them() -> None:
    """The machine of each kind of node."""
    assert {key.path for key in find("host")} >= {"broker.host", "cameras.NAME.host", "loggers.NAME.host"}


def test_the_default_of_a_distance_is_the_one_in_force() -> None:
    """It follows from the policy, and both are told."""
    (key,) = find("decision.max_distance")
    assert isinstance(key, DocumentedKey)
    assert key.default == "`0.32`, or `0.45` for raw encodings"


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("max_fsp", "cameras.NAME.max_fps"),
        ("decisions.votes_needed", "decision.votes_needed"),
        ("zzz", "lists all"),
    ],
)
def test_a_misspelt_key_is_answered_with_those_that_were_meant(wanted: str, meant: str) -> None:
    """Or with how to see all."""
    with pytest.raises(ConfigError, match=f"no key is called {wanted}; .*{meant}"):
        find(wanted)
