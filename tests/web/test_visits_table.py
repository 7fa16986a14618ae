"""Visits as CSV."""

import csv
import datetime as dt
from io import StringIO

import pytest

from tests.support.answers import a_visit
from turnstile.web.visits_table import harmless, header, rows


def test_a_visit_is_a_line_that_reads_back() -> None:
    """A name with a comma, a quote and a line's end stays one field."""
    table = header() + rows([a_visit(person='Ann "A", Lee')], dt.UTC)
    (read,) = csv.DictReader(StringIO(table))
    assert (read["person"], read["time"], read["distance"]) == (
        'Ann "A", Lee',
        "2026-11-18T11:06:40.000+00:00",
        "0.2400",
    )


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_no_name_becomes_a_formula(begin: str) -> None:
    """A spreadsheet would run it."""
    assert harmless(f"{begin}1").startswith("'")
    (read,) = csv.DictReader(StringIO(header() + rows([a_visit(person=f"{begin}cmd")], None), newline=""))
    assert read["person"] == f"'{begin}cmd"


def test_what_is_not_known_is_empty() -> None:
    """A lockout has no distance, and somebody unknown no name."""
    (read,) = csv.DictReader(StringIO(header() + rows([a_visit(person=None, distance=None)], None)))
    assert (read["person"], read["distance"]) == ("unknown", "")
