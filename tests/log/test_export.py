"""Entries as JSON and CSV."""

import csv
import json
from datetime import UTC, datetime

from tests.support.builders import an_access, some_links
from turnstile.log.chain import Personal
from turnstile.log.export import as_csv, as_jsonl, row

AT = datetime(2026, 11, 22, 12, 0, 0, 250_999, tzinfo=UTC)


def test_a_row_says_all_that_the_entry_does() -> None:
    """The explanation of the decision, and the hash to check it by."""
    link = some_links(an_access())[0]
    one = row(link, at=AT, thumbnail="pictures/1.jpg")
    assert (one["number"], one["time"], one["person"]) == (1, "2026-11-22T12:00:00.250+00:00", "Barack Obama")
    assert (one["distance"], one["votes"], one["of"], one["recognizer"]) == (0.3124, 3, 5, "recognizer-1")
    assert (one["thumbnail"], one["hash"]) == ("pictures/1.jpg", link.hash.hex())


def test_an_erased_person_is_exported_by_pseudonym() -> None:
    """Never by a name."""
    link = some_links(an_access())[0]._replace(personal=Personal(None, None, None, None, "erased-1"))
    assert row(link, at=AT)["person"] == "erased-1"


def test_json_lines_can_be_read_one_by_one() -> None:
    """What is not known is null; other scripts than ASCII stay readable."""
    links = some_links(an_access(1, person="Zoë\n"), an_access(2, verdict="denied", person=None))
    lines = list(as_jsonl(row(link, at=AT) for link in links))
    assert [json.loads(line)["person"] for line in lines] == ["Zoë\n", None]
    assert all(line.count("\n") == 1 for line in lines)
    assert "Zoë" in lines[0]


def test_csv_has_headings_and_quotes_what_needs_it() -> None:
    """Any reader of RFC 4180 gives the same fields back."""
    links = some_links(an_access(1, person='Ann "A", B'), an_access(2, verdict="denied", person=None))
    rows = list(csv.DictReader("".join(as_csv(row(link, at=AT) for link in links)).splitlines()))
    assert [one["person"] for one in rows] == ['Ann "A", B', ""]
    assert rows[0].keys() == row(links[0], at=AT).keys()


def test_a_name_is_no_formula_to_a_spreadsheet() -> None:
    """A file name in faces/ must not run anything at the accountant's."""
    link = some_links(an_access(person="=cmd()"))[0]
    (one,) = csv.DictReader("".join(as_csv([row(link, at=AT)])).splitlines())
    assert one["person"] == "'=cmd()"
    assert one["number"] == "1"
