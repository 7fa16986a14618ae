"""Which role may want what. The broker and the loggers hold every request to this table.

=======  =========================================================================================
role     may
=======  =========================================================================================
viewer   read visits, who was seen last and the state of the log, of the account's doors, and the time zone
clerk    besides: read people and unknown people, judge and enrol pictures, name, ignore and discard
         unknown people, rename, say that a visit was not of a person, and take back what the account did
admin    besides: remove pictures, erase people, read and change rules, block, unlock doors
=======  =========================================================================================

An account of some doors changes nothing that concerns the others too: rules, names and who is erased.
"""

from turnstile.protocol.requests import AccountRole, Request
from turnstile.requests import wishes
from turnstile.requests.wishes import AnyWish, Wish

_Wishes = frozenset[type[Wish]]
_VIEWER: _Wishes = frozenset(
    {wishes.FindVisits, wishes.FindLastSeen, wishes.ReadChain, wishes.RecordAct, wishes.ReadZone}
)
_CLERK: _Wishes = _VIEWER | {
    wishes.ReadPeople,
    wishes.FindHelpful,
    wishes.ReadPicture,
    wishes.JudgePicture,
    wishes.EnrolPicture,
    wishes.UndoEnrolment,
    wishes.RenamePerson,
    wishes.AddAnchor,
    wishes.UndoAnchor,
    wishes.ReadUnknowns,
    wishes.NameUnknowns,
    wishes.IgnoreUnknowns,
    wishes.DiscardUnknowns,
}
_ADMIN: _Wishes = _CLERK | {
    wishes.RemovePicture,
    wishes.ErasePerson,
    wishes.ReadRules,
    wishes.ReplaceRules,
    wishes.BlockPerson,
    wishes.SetValidity,
    wishes.UndoRules,
    wishes.UnlockDoor,
}
MAY: dict[AccountRole, _Wishes] = {"viewer": _VIEWER, "clerk": _CLERK, "admin": _ADMIN}

OF_ALL_DOORS: _Wishes = frozenset(
    {
        wishes.RemovePicture,
        wishes.RenamePerson,
        wishes.ErasePerson,
        wishes.ReplaceRules,
        wishes.BlockPerson,
        wishes.SetValidity,
        wishes.UndoRules,
    }
)


def why_not(request: Request, wish: AnyWish) -> str:
    """Return why an account may not want this; empty if it may."""
    if type(wish) not in MAY[request.role]:
        return f"{request.by} is a {request.role}, who may not do this"
    if request.doors and type(wish) in OF_ALL_DOORS:
        return f"{request.by} is of {', '.join(request.doors)} only, and this concerns all doors"
    camera = getattr(wish, "camera", None)
    if camera is not None and request.doors and camera not in request.doors:
        return f"{request.by} may not see {camera}"
    return ""
