"""Which wish is done by what, and the desk of a site's broker."""

from turnstile.dispatch.desk import DispatchDesk
from turnstile.errors import WireError
from turnstile.io.access.desk import AccessDesk
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.requests.desk import RequestDesk, Steps
from turnstile.io.requests.enrolling import EnrolmentRequests
from turnstile.io.requests.register import Register
from turnstile.protocol.requests import Request
from turnstile.requests import wishes
from turnstile.requests.wishes import AnyWish
from turnstile.site.settings import Site


def open_request_desk(
    site: Site, dispatch: DispatchDesk, people: PeopleDesk, access: AccessDesk
) -> RequestDesk:
    """Return the desk of a site's broker, its threads started."""
    pictures = EnrolmentRequests(
        site=site, people=people, access=access, register=Register(site, people.enrolment)
    )

    def begin(_request: Request, wish: AnyWish) -> Steps:
        match wish:
            case wishes.ReadPeople():
                return pictures.read_people(wish)
            case wishes.ReadPicture():
                return pictures.read_picture(wish)
            case wishes.JudgePicture():
                return pictures.judge(wish)
            case wishes.EnrolPicture():
                return pictures.enrol(wish)
            case wishes.RemovePicture():
                return pictures.remove(wish)
            case _:
                raise WireError(f"{type(wish).__name__} is not for the broker")

    return RequestDesk(
        loggers=site.loggers.keys(), begin=begin, dispatch=dispatch, people=people, access=access
    )
