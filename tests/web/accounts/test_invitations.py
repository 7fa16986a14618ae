"""Who can be invited."""

import pytest

from turnstile.web.accounts.invitations import why_no_account


@pytest.mark.parametrize("name", ["Ada", "Jürgen Wałęsa", "x" * 200])
def test_a_name_that_prints_is_taken(name: str) -> None:
    """As that of any person."""
    assert why_no_account(name, "viewer") == ""


@pytest.mark.parametrize("name", ["", " Ada", "Ada ", "A\x1bda", "A\u202eda", "x" * 201])
def test_a_name_that_does_not_print_is_refused(name: str) -> None:
    """It would steer the page or the log."""
    assert why_no_account(name, "viewer") == "A name has 1 to 200 characters that print."


def test_a_role_that_there_is_not_is_refused() -> None:
    """With those that there are."""
    assert why_no_account("Ada", "root") == "There is no role 'root'; roles are viewer, clerk, admin."
