"""Who can be invited."""

import re
import unicodedata

from turnstile.protocol.fields import PERSON_PATTERN
from turnstile.protocol.requests import AccountRole
from turnstile.web.places import RANKS

INVITED_HOURS = 48

ROLES: dict[str, AccountRole] = {role: role for role in RANKS}
"""Words of a form → roles."""


def key_of(name: str) -> str:
    """Return what names of accounts are compared by: case and composition do not count."""
    return unicodedata.normalize("NFKC", name).casefold()


def why_no_account(name: str, role: str) -> str:
    """Return why there can be no such account; empty if there can."""
    if not re.match(PERSON_PATTERN, name) or name != name.strip():
        return "A name has 1 to 200 characters that print."
    if role not in ROLES:
        return f"There is no role {role[:50]!r}; roles are {', '.join(RANKS)}."
    return ""
