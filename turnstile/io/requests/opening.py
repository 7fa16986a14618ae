"""Which wish is done by what, and the desk of a site's broker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnstile.dispatch.desk import DispatchDesk
from turnstile.errors import WireError
from turnstile.io.access.desk import AccessDesk
from turnstile.io.access.rules_file import places_of
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.requests.changing import PersonRequests
from turnstile.io.requests.desk import RequestDesk, Steps
from turnstile.io.requests.enrolling import EnrolmentRequests
from turnstile.io.requests.register import Register
from turnstile.io.requests.rules_text import RulesText
from turnstile.io.requests.ruling import RulesRequests
from turnstile.io.requests.strangers import StrangerEar, UnknownsRequests
from turnstile.io.runner.clock import RunningTime
from turnstile.io.strangers.store import UnknownStore, UnknownVisit
from turnstile.protocol.requests import Request
from turnstile.requests import wishes
from turnstile.requests.wishes import AnyWish, Wish
from turnstile.site.settings import Site


def open_request_desk(
    site: Site,
    site_path: Path,
    dispatch: DispatchDesk,
    people: PeopleDesk,
    access: AccessDesk,
    *,
    wake_fd: int,
) -> RequestDesk:
    """Return the desk of a site's broker, its threads started; it closes `wake_fd`, an event descriptor."""
    keep_days, encoding = kept_days(site), site.recognition.encoding
    store = UnknownStore(Path(site.unknowns.file), encoding, keep_days=keep_days)
    clock = RunningTime()  # a clock that is set makes nobody's visits older
    pictures = EnrolmentRequests(
        site=site, people=people, access=access, register=Register(site, people.enrolment)
    )
    text = RulesText(places_of(site, site_path), doors=site.cameras)
    rules = RulesRequests(access=access, pictures=pictures, text=text)
    unknowns = UnknownsRequests(store=store, pictures=pictures, keep_days=keep_days, now_ns=clock.now_ns)
    persons = PersonRequests(
        site=site, site_path=site_path, people=people, pictures=pictures, rules=text, use=rules.use
    )

    doers: dict[type[Wish], Callable[[Any], Steps]] = {
        wishes.ReadPeople: pictures.read_people,
        wishes.ReadPicture: pictures.read_picture,
        wishes.JudgePicture: pictures.judge,
        wishes.RemovePicture: pictures.remove,
        wishes.AddAnchor: persons.add_anchor,
        wishes.UndoAnchor: persons.undo_anchor,
        wishes.RenamePerson: persons.rename,
        wishes.ErasePerson: persons.erase,
        wishes.ReadZone: rules.read_zone,
        wishes.ReadRules: rules.read,
        wishes.ReplaceRules: rules.replace,
        wishes.UndoRules: rules.undo,
        wishes.BlockPerson: rules.block,
        wishes.SetValidity: rules.set_validity,
        wishes.UnlockDoor: rules.unlock,
        wishes.RecordAct: rules.record,
    }
    by_account: dict[type[Wish], Callable[[Request, Any], Steps]] = {
        wishes.EnrolPicture: pictures.enrol,
        wishes.UndoEnrolment: pictures.undo,
        wishes.ReadUnknowns: unknowns.read,
        wishes.NameUnknowns: unknowns.name,
        wishes.IgnoreUnknowns: unknowns.ignore,
        wishes.DiscardUnknowns: unknowns.discard,
    }

    def begin(request: Request, wish: AnyWish) -> Steps:
        if type(wish) in by_account:
            return by_account[type(wish)](request, wish)
        if type(wish) not in doers:
            raise WireError(f"{type(wish).__name__} is not for the broker")
        return doers[type(wish)](wish)

    desk = RequestDesk(
        loggers=site.loggers.keys(),
        begin=begin,
        dispatch=dispatch,
        people=people,
        access=access,
        upkeep=lambda: store.trim(clock.now_ns()),
        wake_fd=wake_fd,
    )

    def keep(visit: UnknownVisit) -> None:
        desk.do(lambda: store.keep(visit, clock.now_ns()), "unknowns")

    if keep_days:
        access.strangers = StrangerEar(keep=keep, engine=encoding)
    return desk


def kept_days(site: Site) -> float:
    """Return how long unknown people are kept: no longer than any log keeps its entries and pictures."""
    limits = [
        days
        for logger in site.loggers.values()
        for days in (logger.keep_entries_days, logger.keep_thumbnails_days)
        if days
    ]
    return min([site.unknowns.keep_days, *limits])
