"""Erasing a person: nothing of them is left in any file of the site, whether or not its programs run."""

import gzip
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import pytest

from tests.support.builders import (
    FRAME_NS,
    START_NS,
    a_face,
    a_frame,
    a_jpeg,
    a_ready,
    a_result,
    a_template,
    write_site,
)
from tests.support.crowd import ANN, BOB, encoding_of
from tests.support.processes import Programs, stop
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.files.whole import owner_of
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.log.lines import is_remark, parse_entry
from turnstile.protocol.messages import Access, Face, People, Picture, Work
from turnstile.protocol.topics import work_topic

pytestmark = pytest.mark.system

PICTURES = {
    "ann_lee.jpg": b"a picture of Ann",
    "ann_lee/2.png": b"another",
    "bob_ray.jpg": b"a picture of Bob",
}
ENCODINGS = {
    name: encoding_of(who, take=at)
    for at, (name, who) in enumerate(zip(PICTURES, (ANN, ANN, BOB), strict=True))
}
LIVE = {ANN: encoding_of(ANN, take=11), BOB: encoding_of(BOB, take=12)}
THUMBNAILS = {ANN: a_jpeg(40, 40), BOB: a_jpeg(48, 48)}
OF_ANN = {
    "name": ANN.encode(),
    "file name": b"ann_lee",
    "first encoding": ENCODINGS["ann_lee.jpg"],
    "second encoding": ENCODINGS["ann_lee/2.png"],
    "live encoding": LIVE[ANN],
    "thumbnail": THUMBNAILS[ANN],
    "first picture": PICTURES["ann_lee.jpg"],
    "second picture": PICTURES["ann_lee/2.png"],
}


ABSENCE_S = 0.1
"""Time without a face that ends a visit."""

SOMEBODY = 65_534
"""A user who may run programs here."""

AS_SOMEBODY = f"""
import importlib, os, sys
import sqlalchemy.dialects.sqlite.pysqlite
from turnstile.io.runner import node
role, program = sys.argv[1], importlib.import_module(sys.argv[2])
os.setgroups([])
os.setgid({SOMEBODY})
os.setuid({SOMEBODY})
sys.exit(node.run(role, program.wire, doc="", argv=sys.argv[3:]))
"""
"""Becomes that user once all is imported: Python may stand where only root can read."""


class Place:
    """A site in a folder of its own; this test is its camera and its recognizer."""

    def __init__(self, folder: Path, programs: Programs, *, as_somebody: bool = False) -> None:
        self.folder = folder
        self.text = folder / "log" / "access_log.txt"
        self.config = write_site(
            folder,
            "loggers:",
            "  logger: {file: log/access_log.txt, witness: heads.txt}",
            "  elsewhere: {file: elsewhere/access_log.txt}",
            f"decision: {{votes_needed: 1, votes_of: 1, absence_s: {ABSENCE_S}, rules: rules.yaml}}",
        )
        for name, data in PICTURES.items():
            path = folder / "faces" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.programs = programs
        broker, logger = ["broker.py"], ["logger_node.py"]
        if as_somebody:
            folder.parent.chmod(0o755)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, SOMEBODY, SOMEBODY)
            broker = ["-c", AS_SOMEBODY, "broker", "broker"]
            logger = ["-c", AS_SOMEBODY, "logger", "logger_node"]
        self.broker = programs.start(*broker, "--config", str(self.config))
        self.logger = programs.start(*logger, "--config", str(self.config), "--name", "logger")
        self._ready = a_ready()
        topics = [work_topic(self._ready.name, self._ready.instance), "access.", "gallery."]
        self._bus = Bus(load(self.config).broker, topics=topics)
        self._seq = 0
        self.gallery: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def enrol(self, *persons: str) -> None:
        """Encode what the broker hands out until the gallery has these people."""
        while self.gallery != persons:
            self._turn()

    def visit(self, person: str) -> None:
        """Show a person to the camera until the broker has decided."""
        while person not in self.show(person):
            pass

    def show(self, person: str) -> list[str | None]:
        """Show a person to the camera once; return who was decided about."""
        face = msgspec.structs.replace(a_face(person), encoding=LIVE[person], thumbnail=THUMBNAILS[person])
        return self._turn(face)

    def leave(self) -> None:
        """Show nobody for so long that all visits end."""
        end, until_s = self._seq + 60, time.monotonic() + 4 * ABSENCE_S
        while self._seq < end or time.monotonic() < until_s:
            self._turn()

    def let_in(self, *persons: str) -> None:
        """Have both enrolled, and these people come and leave until the text tells of them."""
        self.enrol(ANN, BOB)
        for person in persons:
            self.visit(person)
            self.leave()
        self.wait_for_text(*persons)

    def wait_for_text(self, *persons: str) -> None:
        """Return when the text tells of these people."""
        wait_until(
            lambda: self.told() == list(persons), lambda: f"{persons}; {self.told()}", between=self._turn
        )

    def told(self) -> list[str | None]:
        """Return who is in the text."""
        lines = self.text.read_text().splitlines() if self.text.exists() else []
        return [parse_entry(line).person for line in lines if not is_remark(line)]

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end."""
        process = self.programs.start(*arguments, "--config", str(self.config))
        printed, said = process.communicate(timeout=PATIENCE_S)
        return process.returncode, printed + said

    def left(self) -> list[str]:
        """Return what is left of Ann in any file, or in its name."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file():
                continue
            data = path.read_bytes()
            data += gzip.decompress(data) if path.suffix == ".gz" else b""
            for what, trace in OF_ANN.items():
                if trace in data or trace in str(path).encode():
                    found.append(f"{what} in {path.name}")
        return found

    def _turn(self, *faces: Face) -> list[str | None]:
        """Be camera and recognizer once; return who was decided about."""
        decided: list[str | None] = []
        self._bus.send("ready.", self._ready)
        frame = a_frame(seq=self._seq, captured_ns=START_NS + self._seq * 3 * FRAME_NS)
        self._bus.send("frame.front_door.", frame)
        for _, message in self._bus.receive(0.05):
            match message:
                case Work():
                    self._seq += 1
                    self._bus.send("result.", a_result(*faces, work=message))
                case Picture():
                    encoding = ENCODINGS[message.file]
                    engine = load(self.config).recognition.encoding
                    self._bus.send(
                        "template.", a_template(token=message.token, encoding=encoding, engine=engine)
                    )
                case People():
                    self.gallery = message.persons
                case Access():
                    decided.append(message.person)
        return decided


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Give a site where Ann and Bob were enrolled, came and left; a second logger has fetched nothing."""
    with Programs() as programs, Place(folder, programs) as place:
        place.let_in(ANN, BOB, ANN)
        rotated = place.text.with_name("access_log.txt.1.gz")
        rotated.write_bytes(gzip.compress(place.text.read_bytes()))
        yield place


def test_nothing_is_left_of_a_person_while_the_site_runs(place: Place) -> None:
    """And nobody else loses anything: the chain verifies, recognizers know Bob, and logging goes on."""
    found = {trace.partition(" in ")[0] for trace in place.left()}
    assert found == set(OF_ANN)
    code, said = place.command("-m", "turnstile", "erase", ANN)
    assert code == 0, said
    assert place.left() == []
    place.enrol(BOB)
    place.visit(BOB)
    pseudonym = place.told()[0]
    assert pseudonym is not None
    assert pseudonym.startswith("erased-")
    place.wait_for_text(pseudonym, BOB, pseudonym, BOB)
    code, said = place.command("logger_node.py", "verify", "--name", "logger")
    assert code == 0, said
    assert "was erased in 2 entries" in said
    code, said = place.command("logger_node.py", "query", "--name", "logger", "--person", ANN)
    assert (code, said.startswith("error: n")) == (1, True)
    code, said = place.command("logger_node.py", "tail", "-n", "10")
    assert ANN not in said
    assert said.count(pseudonym) == 3  # in two entries, and in the note that says so
    for process in (place.logger, place.broker):
        assert stop(process)[0] == 0
    assert place.left() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_root_erases_at_a_site_that_runs_as_another_user(folder: Path) -> None:
    """The broker reads root's request and answers; all files stay that user's, so the log goes on."""
    with Programs() as programs, Place(folder, programs, as_somebody=True) as place:
        place.let_in(ANN, BOB, ANN)
        code, said = place.command("-m", "turnstile", "erase", ANN)
        assert code == 0, said
        assert "journal: 2 events now of erased-" in said
        assert place.left() == []
        place.enrol(BOB)
        place.visit(BOB)
        pseudonym = place.told()[0]
        assert pseudonym is not None
        place.wait_for_text(pseudonym, BOB, pseudonym, BOB)
        assert {owner_of(path).user for path in folder.rglob("*")} == {SOMEBODY}
        for process in (place.logger, place.broker):
            assert stop(process)[0] == 0


def test_somebody_in_view_does_not_come_back_with_the_next_decision(place: Place) -> None:
    """The face stays before the camera while its name is erased; from then on it is a stranger's."""
    place.visit(ANN)
    erasing = place.programs.start("-m", "turnstile", "erase", ANN, "--config", str(place.config))
    wait_until(lambda: erasing.poll() is not None, "the command to end", between=lambda: place.show(ANN))
    printed, said = erasing.communicate()
    assert erasing.returncode == 0, said
    assert "1 open visit forgotten" in printed
    wait_until(lambda: place.told()[-1] is None, "a stranger in the text", between=place.leave)
    assert [trace for trace in place.left() if trace.startswith("name")] == []


def test_nothing_is_left_of_a_person_when_the_site_is_stopped(place: Place) -> None:
    """Also after the programs were killed, which leaves the databases' own journals behind."""
    for process in (place.logger, place.broker):
        stop(process, by=signal.SIGKILL)
    code, said = place.command("-m", "turnstile", "erase", ANN)
    assert code == 0, said
    assert "2 pictures removed" in said
    assert "journal: 2 events" in said
    assert place.left() == []
    assert BOB in place.told()
    second = place.programs.start("broker.py", "--config", str(place.config))
    place.logger = place.programs.start(
        "logger_node.py", "--config", str(place.config), "--name", "elsewhere"
    )
    elsewhere = place.folder / "elsewhere" / "access_log.txt"
    wait_until(
        lambda: elsewhere.exists() and len(elsewhere.read_text().splitlines()) == 3,
        "three entries elsewhere",
        between=place.leave,
    )
    people = [parse_entry(line).person for line in elsewhere.read_text().splitlines()]
    assert people == place.told()
    assert stop(second)[0] == 0
    assert place.left() == []


def test_what_people_wrote_is_named_and_left_to_them(place: Place) -> None:
    """Rules and recordings are not rewritten; the command says where they are and fails."""
    recording = place.folder / "results.1"
    recording.write_bytes(ANN.encode())
    place.config.write_text(place.config.read_text().replace("rules: ", "record: results, rules: "))
    rules = place.folder / "rules.yaml"
    rules.write_text(f"groups:\n  staff: [{ANN}]\n")
    code, said = place.command("-m", "turnstile", "erase", ANN)
    assert code == 1
    assert f"{rules} has the name in line 2" in said
    assert f"{recording} has recorded names" in said
    rules.unlink()
    recording.unlink()
    assert place.left() == []
    code, said = place.command("-m", "turnstile", "erase", "Nobody Here")
    assert code == 1
    assert "nobody called 'Nobody Here' was found" in said
