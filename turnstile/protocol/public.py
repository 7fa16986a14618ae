"""What everybody may hear of messages that say more to the broker."""

import msgspec

from turnstile.protocol.messages import Access, Face, Result


def without_nearest(access: Access) -> Access:
    """Return a decision as the public gets it: without the name that somebody unknown came nearest to."""
    return msgspec.structs.replace(access, nearest=None)


def for_everybody(result: Result, *, max_distance: float) -> Result:
    """Return a result as the broker publishes it: without its token, encodings and thumbnails.

    Nor with what the network for liveness said, which would teach an attacker, nor with the head's turn.

    A face beyond its limit, by default `max_distance`, has no name. So all displays show the site's names,
    whatever their machines know of its settings.
    """

    def bared(face: Face) -> Face:
        limit = max_distance if face.limit is None else face.limit
        near = face.distance is not None and face.distance <= limit
        person = face.person if near else None
        return msgspec.structs.replace(
            face, encoding=b"", thumbnail=b"", turn=None, alive=None, person=person
        )

    return msgspec.structs.replace(result, token="", faces=tuple(map(bared, result.faces)))
