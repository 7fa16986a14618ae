"""docs/integrations.md tells of every field, and its lines that check a signature work."""

import re
import time
from pathlib import Path
from typing import Protocol

import pytest

from turnstile.io.integrations.webhook import signature
from turnstile.protocol.messages import Access

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "integrations.md").read_text("utf-8")
SECRET, BODY = b"sixteen bytes or more", b'{"verdict":"granted"}'


class Check(Protocol):
    """The function that the document prints."""

    def __call__(self, body: bytes, header: str, secret: bytes, max_age_s: int = 300) -> bool:
        """Tell whether a request is the site's, and new."""
        ...


@pytest.fixture
def is_signed() -> Check:
    """Run the document's lines, and give the function they define."""
    found = re.search(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    assert len([line for line in found[1].splitlines() if line]) <= 10
    defined: dict[str, Check] = {}
    exec(found[1], defined)  # noqa: S102 - the document is ours
    return defined["is_signed"]


def test_the_printed_lines_accept_a_signed_event(is_signed: Check) -> None:
    """As the webhook signs it, with a secret file that ends in a newline."""
    assert is_signed(BODY, signature(SECRET, BODY, at_s=int(time.time())), SECRET + b"\n")


def test_the_printed_lines_refuse_what_is_forged_old_or_no_signature(is_signed: Check) -> None:
    """And raise nothing whatever stands in the header."""
    now_s = int(time.time())
    good = signature(SECRET, BODY, at_s=now_s)
    assert not is_signed(BODY + b" ", good, SECRET)
    assert not is_signed(BODY, signature(b"another secret of length", BODY, at_s=now_s), SECRET)
    assert not is_signed(BODY, signature(SECRET, BODY, at_s=now_s - 3600), SECRET)
    assert not is_signed(BODY, good.replace(f"t={now_s}", f"t={now_s + 1}"), SECRET)
    for header in ("", "v1=", "t=,v1=", "t=\u00b2,v1=\u00e9", f"t={'9' * 5000},v1=00", "t=-1,v1=00", ",,=,"):
        assert not is_signed(BODY, header, SECRET)


def test_the_document_lists_every_field_of_an_event() -> None:
    """And no other."""
    rows = re.findall(r"^\| (`[^|]*`) \|", TEXT, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == {"t", *Access.__struct_fields__}
    assert f"`{Access.__struct_config__.tag}`" in TEXT
