"""How long whoever guesses passwords has to wait, without keeping the owner out.

An address that fails is refused for a time that doubles. A name that others guess at is answered more slowly,
and never refused: an attacker elsewhere keeps nobody out. A device on which somebody has signed in before is
counted on its own (OWASP, "Slow down online guessing attacks with device cookies").
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from turnstile.backoff import delay_s

FREE_TRIES = 5
"""Failures of an address or a device before it has to wait."""
FIRST_S, LONGEST_S = 1.0, 900.0
FREE_TRIES_OF_NAME = 10
LONGEST_OF_NAME_S = 5.0
FORGET_S = 3600.0
MAX_KEPT = 10_000

_Key = tuple[str, str]


class SignInDelay(NamedTuple):
    """What an attempt has to wait."""

    refused_s: float
    """It is refused; after so long another may be made. 0: it is not refused."""
    answer_s: float
    """It is answered only after so long."""


class _Failures(NamedTuple):
    tries: int
    at_s: float


class SignInAttempts:
    """Failures of the last hour, by address, device and name; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()

    def waiting(self, name: str, *, address: str, device: str, now_s: float) -> SignInDelay:
        """Return what an attempt has to wait.

        Args:
            name: of the account.
            address: that it comes from.
            device: on which this account has signed in before; empty: on none.
            now_s: monotonic.
        """
        one = self._of(_whose(address, device, name), now_s)
        over = one.tries - FREE_TRIES + 1
        until_s = one.at_s + delay_s(over, first_s=FIRST_S, longest_s=LONGEST_S) if over > 0 else now_s
        guessed = 0 if device else self._of(("name", name.casefold()), now_s).tries - FREE_TRIES_OF_NAME + 1
        answer_s = delay_s(guessed, first_s=0.5, longest_s=LONGEST_OF_NAME_S) if guessed > 0 else 0.0
        return SignInDelay(max(0.0, until_s - now_s), answer_s)

    def failed(self, name: str, *, address: str, device: str, now_s: float) -> None:
        """Note an attempt with a wrong name, password or code."""
        for key in {_whose(address, device, name), ("name", name.casefold())}:
            tries = self._of(key, now_s).tries + 1
            self._failures[key] = _Failures(tries, now_s)
            self._failures.move_to_end(key)
        while len(self._failures) > MAX_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, *, address: str, device: str) -> None:
        """Take back an attempt that `failed` counted before it was checked.

        Failures before it stay: an attacker's own account does not clear an address.
        """
        for key in {_whose(address, device, name), ("name", name.casefold())}:
            found = self._failures.get(key)
            if found is not None:
                self._failures[key] = found._replace(tries=max(0, found.tries - 1))

    def _of(self, key: _Key, now_s: float) -> _Failures:
        found = self._failures.get(key)
        if found is None or now_s - found.at_s > FORGET_S:
            return _Failures(0, now_s)
        return found


def _whose(address: str, device: str, name: str) -> _Key:
    return ("device", f"{name.casefold()} {device}") if device else ("address", network_of(address))


def network_of(address: str) -> str:
    """Return whom an address counts for: with IPv6, everybody has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return found.exploded[:19]
    return str(found)
