"""Query: the lines of the log that are asked for."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import a_log, an_access, an_act
from tests.support.logs import write_log

Run = Callable[..., tuple[int, str]]


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
        assert book.append(a_log(an_access(5)))
        assert run("query", "--last", "1")[1].endswith("event=aaaa:5\n")
        assert run("verify")[0] == 0


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    """With what would be one."""
    code, said = run("query", "--since", "yesterday")
    assert code == 1
    assert "2h" in said


@pytest.mark.parametrize(
    "asked", ["\u00c9lodie M\u00fcller", "e\u0301lodie  MU\u0308LLER", "\u00e9lodie_m\u00fcller"]
)
def test_a_person_is_found_however_the_name_is_written(run: Run, config: Path, asked: str) -> None:
    """Accents, capitals and spaces are compared as everywhere else, by no database's own way."""
    with closing(write_log(config)) as book:
        book.append(a_log(an_access(5, person="\u00c9lodie M\u00fcller")))
    assert run("query", "--person", asked)[1].endswith("event=aaaa:5\n")


def test_why_tells_what_the_frame_measured_and_the_limit_in_force(run: Run, config: Path) -> None:
    """And whom somebody unknown came nearest to, which the text for the door does not say."""
    unknown = an_access(5, verdict="denied", person=None)
    near = msgspec.structs.replace(unknown, distance=0.47, max_distance=0.45, margin=0.02, nearest="Ann")
    with closing(write_log(config)) as book:
        assert book.append(a_log(near))
    _, said = run("query", "--last", "1", "--why")
    assert said.splitlines()[1] == (
        "# 0.4700 from Ann; the limit was 0.4500; the second nearest was 0.0200 farther"
    )
    assert "Ann" not in (config.parent / "access_log.txt").read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--person", "Annn"],
            "nobody called 'Annn' is in the log or enrolled here; written nearly so: 'Ann'",
        ),
        (["--person", "Zaphod"], "nobody called 'Zaphod' is in the log or enrolled here"),
        (
            ["--camera", "frontdoor"],
            "no camera 'frontdoor' is in the log or the site; written nearly so: 'front_door'",
        ),
    ],
)
@pytest.mark.parametrize("command", ["query", "export"])
def test_a_name_that_nobody_has_is_an_error_with_near_names(
    run: Run, command: str, options: list[str], said: str
) -> None:
    """A typing error must not look like somebody who never came."""
    assert run(command, *options) == (1, f"error: {said}\n")


def test_somebody_enrolled_who_never_came_is_known(run: Run, config: Path) -> None:
    """No entry, and no error."""
    faces = config.parent / "faces"
    faces.mkdir(exist_ok=True)
    (faces / "cleo_fox.jpg").touch()
    assert run("query", "--person", "cleo fox") == (0, "")


def test_a_query_shows_what_the_operator_did(run: Run, config: Path) -> None:
    """As a remark, where it stands in the text, unless people or an earlier time are asked for."""
    write_log(config, an_act(5), an_access(6)).close()
    told = "operator-1 unlocked front_door at 2023-11-14 22:13:20 UTC"
    assert [told in line for line in run("query")[1].splitlines()] == [False] * 4 + [True, False]
    assert told in run("query", "--last", "2")[1]
    for options in (
        ["--last", "1"],
        ["--person", "ann"],
        ["--until", "2023-11-12"],
        ["--camera", "back_door"],
    ):
        assert told not in run("query", *options)[1]
    assert told in run("verify")[1]
