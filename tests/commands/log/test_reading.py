"""Query, export, verify and head: a log read by its owner, with and without its logger."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.builders import START_NS, an_access, write_site
from turnstile.commands.log import reading
from turnstile.io.log.book import Book
from turnstile.io.site.file import load
from turnstile.io.store.store import LogName
from turnstile.protocol.messages import Access, Log

HOUR_NS = 3600 * 10**9
LOGGER = "loggers: {logger: {file: access_log.txt, witness: away/heads.txt}}"
EVENTS = (
    an_access(1, person="Ann", decided_ns=START_NS, thumbnail=b"jpeg"),
    an_access(2, person="Bob", camera="back_door", decided_ns=START_NS + HOUR_NS),
    an_access(3, verdict="denied", person=None, decided_ns=START_NS + 2 * HOUR_NS),
    an_access(4, person="Ann", decided_ns=START_NS + 48 * HOUR_NS),
)
Run = Callable[..., tuple[int, str]]


def write_log(config: Path, *events: Access) -> Book:
    """Return the book of a site's logger after it took events."""
    site = load(config)
    book = Book(site.loggers["logger"], LogName(site.site, "logger"), max_page_bytes=10_000)
    book.take(Log(source="aaaa", events=events))
    return book


@pytest.fixture
def config(folder: Path) -> Path:
    """Give a site whose log has four entries."""
    path = write_site(folder, LOGGER, cameras=("front_door", "back_door"))
    write_log(path, *EVENTS).close()
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give what runs a command and returns its exit code and all that it says."""

    def run_command(command: str, *options: str) -> tuple[int, str]:
        code = reading.main(command, ["--config", str(config), *options])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_command


def tamper(config: Path, statement: str) -> None:
    """Change the store behind the logger's back."""
    with closing(sqlite3.connect(config.parent / "access_log.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        ([], [1, 2, 3, 4]),
        (["--person", "ann"], [1, 4]),
        (["--person", "unknown"], [3]),
        (["--camera", "back_door"], [2]),
        (["--verdict", "denied"], [3]),
        (["--reason", "recognised", "--last", "2"], [2, 4]),
        (["--since", "2023-11-12"], [1, 2, 3, 4]),
        (["--since", "2023-11-16T00:00+00:00"], [4]),
        (["--since", "2h"], []),
        (["--until", "2023-11-12"], []),
        (["--since", "2023-11-14T23:00+00:00", "--until", "2023-11-15T00:00+00:00"], [2]),
        (["--person", "Nobody"], []),
    ],
)
def test_a_query_gives_the_lines_it_asks_for(
    run: Run, config: Path, options: list[str], seqs: list[int]
) -> None:
    """As they stand in the text file."""
    lines = (config.parent / "access_log.txt").read_text().splitlines()
    assert run("query", *options) == (0, "".join(f"{lines[seq - 1]}\n" for seq in seqs))


def test_a_query_works_while_the_logger_writes(run: Run, config: Path) -> None:
    """Both use the store at once."""
    with closing(write_log(config)) as book:
        assert run("query", "--last", "1")[1].endswith("event=aaaa:4\n")
        assert book.take(Log(source="aaaa", events=(an_access(5),)))
        assert run("query", "--last", "1")[1].endswith("event=aaaa:5\n")
        assert run("verify")[0] == 0


def test_an_export_has_every_field_and_the_pictures(run: Run, tmp_path: Path) -> None:
    """The pictures go into files of their own."""
    code, said = run("export", "--thumbnails", str(tmp_path / "pictures"), "--person", "Ann")
    assert code == 0
    rows = [json.loads(line) for line in said.splitlines()]
    assert [(row["number"], row["person"]) for row in rows] == [(1, "Ann"), (4, "Ann")]
    assert Path(rows[0]["thumbnail"]).read_bytes() == b"jpeg"
    assert rows[1]["thumbnail"] is None
    code, said = run("export", "--format", "csv")
    assert len(said.splitlines()) == 5


def test_a_log_as_it_was_written_is_whole(run: Run) -> None:
    """Verify says how far it went and what it compared."""
    code, said = run("verify")
    assert code == 0
    assert "4 entries" in said
    assert "compared with 1 heads kept elsewhere" in said
    assert said.endswith("whole: nothing was changed, removed or reordered\n")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE entries SET verdict = 'granted' WHERE number = 3", "entry 3 was changed"),
        ("DELETE FROM entries WHERE number = 2", "entry 2 is missing"),
        ("UPDATE personal SET person = 'Eve' WHERE number = 1", "the name of entry 1 was changed"),
    ],
)
def test_verify_names_what_was_tampered_with(run: Run, config: Path, statement: str, words: str) -> None:
    """And exits with 1."""
    tamper(config, statement)
    code, said = run("verify")
    assert code == 1
    assert words in said
    assert "NOT whole" in said


def test_a_cut_end_is_seen_by_the_witness(run: Run, config: Path) -> None:
    """Although the store's own record of its end was cut too."""
    tamper(config, "DELETE FROM entries WHERE number = 4")
    tamper(config, "UPDATE logs SET head_number = 3, head_hash = (SELECT hash FROM entries WHERE number = 3)")
    code, said = run("verify")
    assert code == 1
    assert "the end of the log is cut off: entry 4 is missing" in said
    assert "heads.txt" in said


def test_a_hash_that_was_kept_is_compared(run: Run, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`turnstile log head` prints it."""
    assert reading.head(config, None) == 0
    number, kept = capsys.readouterr().out.split()
    assert number == "4"
    assert run("verify", "--against", kept)[0] == 0
    code, said = run("verify", "--against", "00" * 32)
    assert code == 1
    assert "no entry has the hash 0000" in said


def test_the_text_is_compared_with_the_store(run: Run, config: Path) -> None:
    """People read the text, so a changed line is named as well."""
    text = config.parent / "access_log.txt"
    lines = text.read_text().splitlines()
    forged = [lines[0].replace("Ann", "Eve"), *lines[1:], lines[3], "a note", lines[3].replace(":4", ":9")]
    text.write_text("".join(f"{line}\n" for line in forged))
    code, said = run("verify")
    assert code == 1
    assert [line.partition("access_log.txt ")[2] for line in said.splitlines()[:4]] == [
        "tells an event a second time",
        "is no entry",
        "does not say what entry 1 says",
        "tells an event that the store does not have",
    ]


def test_an_absent_log_is_said_and_not_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 without a store, 78 without a site file, and nothing is left behind."""
    config = write_site(folder, LOGGER)
    assert reading.main("verify", ["--config", str(config)]) == 1
    assert "no access log" in capsys.readouterr().err
    assert not (folder / "access_log.db").exists()
    assert reading.main("query", ["--config", str(folder / "nothing.yaml")]) == 78


@pytest.mark.parametrize(
    "options", [["verify", "--against", "abc"], ["query", "--last", "0"], ["query", "--reason", "because"]]
)
def test_wrong_options_are_refused(run: Run, options: list[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as ended:
        run(*options)
    assert ended.value.code == 2


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    """With what would be one."""
    code, said = run("query", "--since", "yesterday")
    assert code == 1
    assert "2h" in said
