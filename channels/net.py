"""Addresses on the network: which hosts are this machine, and which mail addresses are safe on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"(?=[^@]{{1,64}}@.{{1,255}}\Z){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and nothing else (RFC 6761 section 6.3)."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def leads_to_loopback(url: str) -> bool:
    """Whether a URL leads to this machine and nowhere else."""
    return is_loopback(urlsplit(url).hostname or "")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that is safe on the wire."""

    address: str = field(repr=False)
    utf8: bool = False  # needs a server with SMTPUTF8 (RFC 6531)

    @property
    def domain(self) -> str:
        """What stands behind the @, in ASCII."""
        return self.address.rpartition("@")[2]


def mailbox(address: str) -> Mailbox:
    """Check one address; an internationalised domain becomes ASCII.

    Raises:
        ValueError: this is no address. The text does not repeat it.
    """
    if _PLAIN.fullmatch(address):
        return Mailbox(address)
    try:
        parts = validate_email(address, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise ValueError("This is not an email address.") from None
    return Mailbox(f"{parts.local_part}@{parts.ascii_domain}", utf8=not parts.local_part.isascii())
