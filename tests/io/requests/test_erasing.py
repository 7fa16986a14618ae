"""Erasing for somebody who asks in a browser: in an order that lets nobody in meanwhile."""

from contextlib import closing
from pathlib import Path

import msgspec

from tests.support.builders import a_site, an_encoding
from tests.support.rights import shut_out_of
from turnstile.io.erasure.leftovers import leftovers
from turnstile.io.erasure.run import ErasureRun
from turnstile.io.strangers.store import UnknownStore, UnknownVisit
from turnstile.site.settings import Site


def an_erasure(folder: Path, site: Site, told: list[list[str]]) -> ErasureRun:
    """Return one of Ann, that tells which pictures there are when the rules lose the name."""

    def forget() -> int:
        told.append([path.name for path in Path(site.gallery.faces).iterdir()])
        return 1

    return ErasureRun(site=site, site_path=folder / "site.yaml", person="Ann", forget_rules=forget)


def a_site_with_ann(folder: Path) -> Site:
    """Return a site with a picture of Ann."""
    (folder / "site.yaml").write_text("")
    site = a_site(folder)
    Path(site.gallery.faces).mkdir(exist_ok=True)
    Path(site.gallery.faces, "ann.jpg").write_bytes(b"picture")
    return site


def test_rules_bar_a_person_until_no_picture_is_left(folder: Path) -> None:
    """Or she could enter by it once they have forgotten her."""
    told: list[list[str]] = []
    site = a_site_with_ann(folder)
    erasure = an_erasure(folder, site, told)
    assert any("rules: the name removed from 1 place" in line for line in erasure.run())
    assert told == [[]]
    erasure = an_erasure(folder, a_site_with_ann(folder), told)
    for line in erasure.run():
        if "picture removed" in line:  # and somebody's copy brings it back
            Path(site.gallery.faces, "ann.jpg").write_bytes(b"picture")
    assert told == [[]]
    assert "the rules keep the name, as a picture of the person is still there" in erasure.problems


def test_somebody_who_is_denied_meanwhile_does_not_stay_among_unknown_people(folder: Path) -> None:
    """A visit that came near her was on its way to the disk."""
    site = a_site_with_ann(folder)
    visit = UnknownVisit("aa:1", "front_door", 1, "Ann", 0.5, an_encoding(1), b"jpeg")
    path, engine = Path(site.unknowns.file), site.recognition.encoding
    with closing(UnknownStore(path, engine, keep_days=7)) as store:
        erasure = an_erasure(folder, site, [])
        for line in erasure.run():
            if line.startswith("journal:"):
                store.keep(visit, 1)
        assert store.groups(1) == []


def test_a_folder_that_cannot_be_looked_into_is_said_and_not_taken_for_empty(folder: Path) -> None:
    """The recording may be there."""
    site = a_site_with_ann(folder)
    away = folder / "away"
    away.mkdir()
    site = msgspec.structs.replace(
        site, decision=msgspec.structs.replace(site.decision, record=str(away / "results"))
    )
    with shut_out_of(away):
        assert any(f"{away}/results has recorded names" in one for one in leftovers(site, folder, "Ann"))
