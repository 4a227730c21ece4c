"""Who asks, by IP address, and how often."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from time import monotonic

from fastapi import Request

MOST_KNOWN = 50_000  # visitors remembered at once; the one who was here longest ago is forgotten first
_HOME_BITS = 64  # of an IPv6 address belong to one household


class Visitors:
    """Finds the address of who asks, through the proxies that the city trusts and no others."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted = [ip_network(each) for each in trusted_proxies]

    def ip(self, request: Request) -> str:
        """The IP address, empty where there is none.

        Each proxy adds the address it was called from at the end of X-Forwarded-For, so the last one that is
        no proxy of ours is the visitor; everything before it anybody can write.
        """
        found = request.client.host if request.client else ""
        named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        while named and self._is_trusted(found):
            before = named.pop().strip()
            if not _is_address(before):
                break
            found = before
        return found if _is_address(found) else ""

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._trusted)


class Window:
    """Counts visits in a sliding window, by a hash that tells nothing of the address.

    Args:
        most: visits that one may make in the window.
        seconds: its length.
        clock: tells seconds.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._key = secrets.token_bytes(32)
        self._visits: OrderedDict[bytes, deque[float]] = OrderedDict()

    def admits(self, ip: str) -> bool:
        """Whether one more visit is within the limit; it counts if so."""
        moment = self._clock()
        visits = self._visits.setdefault(self._hash(ip), deque())
        while visits and visits[0] <= moment - self._seconds:
            visits.popleft()
        if len(visits) >= self._most:
            return False
        visits.append(moment)
        self._visits.move_to_end(self._hash(ip))
        if len(self._visits) > MOST_KNOWN:
            self._visits.popitem(last=False)
        return True

    def _hash(self, ip: str) -> bytes:
        return hashlib.blake2b(_household(ip).encode(), key=self._key, digest_size=16).digest()


def _household(ip: str) -> str:
    """The address as it is counted: of IPv6 the network, of which a household has a whole one."""
    network: IPv4Network | IPv6Network
    if not _is_address(ip):
        return ""
    address = ip_address(ip)
    mapped = getattr(address, "ipv4_mapped", None)
    if address.version == 4 or mapped:
        return str(mapped or address)
    network = ip_network((int(address), _HOME_BITS), strict=False)
    return str(network)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
