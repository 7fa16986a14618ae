"""The rules file edited by requests: what somebody wrote by hand meanwhile is not written over."""

from pathlib import Path

import pytest

from turnstile.errors import TurnstileError
from turnstile.io.access.rules_file import Places
from turnstile.io.requests.rules_text import RulesText
from turnstile.requests import rules_edits


def test_a_change_is_of_the_text_that_it_was_made_from(tmp_path: Path) -> None:
    """Or whom somebody just barred by hand could enter."""
    path = tmp_path / "rules.yaml"
    path.write_text("blocked: [Ann]\n")
    text = RulesText(Places(path), doors=())

    def block_while_somebody_edits(rules: rules_edits.Document) -> int:
        path.write_text("blocked: [Ann, Eve]\n")
        return rules_edits.block(rules, "Bob")

    with pytest.raises(TurnstileError, match="somebody else changed the rules meanwhile"):
        text.change(block_while_somebody_edits)
    assert path.read_text() == "blocked: [Ann, Eve]\n"
    text.change(lambda rules: rules_edits.block(rules, "Bob"))
    assert path.read_text() == "blocked: [Ann, Eve, Bob]\n"
