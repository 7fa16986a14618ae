"""A visit decided again with other settings, from what was recorded."""

import pytest

from tests.access.test_replay import DAY
from tests.support.answers import a_visit
from tests.support.crowd import SETTINGS
from turnstile.access.replay import RecordedVerdict
from turnstile.requests.answers import VisitEntry
from turnstile.web.forms import FormError
from turnstile.web.trial import TrialSettings, settings_to_try, try_again


def first_visit() -> VisitEntry:
    """Return the first recorded visit as the log has it."""
    access = next(one.access for one in DAY if isinstance(one, RecordedVerdict))
    return a_visit(visit=access.visit, decided_ns=access.decided_ns)


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        ({}, "granted"),
        ({"max_distance": "0.38"}, "denied"),
        ({"votes_needed": "2", "votes_of": "2"}, "granted"),
    ],
)
def test_a_visit_is_decided_again(trial: dict[str, str], words: str) -> None:
    """By all its frames, as with `turnstile replay`."""
    settings = settings_to_try(TrialSettings.of(trial), SETTINGS)
    tried = try_again(DAY, first_visit(), settings, encoding="dlib-resnet-v1/raw")
    assert tried.words.startswith(words)
    assert tried.results == 80


def test_a_visit_that_is_not_recorded_any_more_is_said() -> None:
    """The recording begins anew when it is full."""
    tried = try_again([], first_visit(), SETTINGS, encoding="dlib-resnet-v1/raw")
    assert tried.words == "no frame of this visit is in the recording any more"


@pytest.mark.parametrize("trial", [{"max_distance": "9"}, {"votes_needed": "0"}, {"min_margin": "x"}])
def test_what_is_out_of_range_is_refused(trial: dict[str, str]) -> None:
    """In words, for whoever typed it."""
    with pytest.raises(FormError, match="this cannot be tried"):
        settings_to_try(TrialSettings.of(trial), SETTINGS)
