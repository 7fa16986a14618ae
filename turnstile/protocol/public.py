"""What everybody may hear of messages that say more to the broker."""

import msgspec

from turnstile.protocol.messages import Access, Result


def without_nearest(access: Access) -> Access:
    """Return a decision as the public gets it: without the name that somebody unknown came nearest to."""
    return msgspec.structs.replace(access, nearest=None)


def for_everybody(result: Result) -> Result:
    """Return a result as the broker publishes it: without its token, encodings and thumbnails."""
    faces = tuple(msgspec.structs.replace(face, encoding=b"", thumbnail=b"") for face in result.faces)
    return msgspec.structs.replace(result, token="", faces=faces)
