"""The mail records of the sender's domain: SPF, DMARC and, where its selector is known, DKIM (R19).

Uses dnspython where it is installed (email-validator brings it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from channels.contract import Finding, Level

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

SECONDS = 5.0  # for all answers to one question
_RESERVED = (".example", ".test", ".invalid", ".localhost", ".local")
_RESERVED_NAMES = ("example.com", "example.net", "example.org", "localhost")


class _NoAnswer(Exception):
    """The DNS could not be asked."""


async def check(domain: str, selector: str | None, resolver: Resolver | None = None) -> Sequence[Finding]:
    """Look for the records that Gmail, Yahoo and others ask of those who write to many.

    Args:
        domain: of the From address, in ASCII.
        selector: of the DKIM key, where it is known.
        resolver: where to ask; the machine's own resolver by default.
    """
    if domain in _RESERVED_NAMES or domain.endswith(_RESERVED):
        return [Finding(Level.WARNING, "mail domain", f"{domain} is a name for practice only.", _REAL_DOMAIN)]
    try:
        resolver = resolver or _resolver()
        return [
            _spf(domain, await _texts(resolver, domain)),
            await _dmarc(resolver, domain),
            await _dkim(resolver, domain, selector),
        ]
    except _NoAnswer as error:
        return [
            Finding(Level.WARNING, "mail domain", f"The records of {domain} were not read: {error}.", _LATER)
        ]


_REAL_DOMAIN = (
    "Before real residents are written to, set NOTIFY_EMAIL__FROM to an address of your own domain."
)
_LATER = "Run this check again from a machine that may ask the DNS."


def _resolver() -> Resolver:
    try:
        from dns.asyncresolver import Resolver as SystemResolver
        from dns.exception import DNSException
    except ImportError:
        raise _NoAnswer("dnspython is not installed") from None
    try:
        resolver = SystemResolver()
    except DNSException:
        raise _NoAnswer("this machine names no DNS server") from None
    resolver.lifetime = SECONDS
    return resolver


async def _texts(resolver: Resolver, name: str) -> list[str]:
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        answer = await resolver.resolve(name, "TXT")
    except (NXDOMAIN, NoAnswer):
        return []
    except (DNSException, OSError):
        raise _NoAnswer("no DNS server answered") from None
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _spf(domain: str, texts: Sequence[str]) -> Finding:
    records = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
    if len(records) == 1:
        return Finding(Level.OK, "SPF", f"{domain} says which servers may send its mail.")
    problem = "has no SPF record" if not records else "has more than one SPF record, which counts as none"
    cure = f'Publish one TXT record at {domain}, such as "v=spf1 include:YOUR-MAIL-PROVIDER -all".'
    return Finding(Level.ERROR, "SPF", f"{domain} {problem}: large providers refuse its mail.", cure)


async def _dmarc(resolver: Resolver, domain: str) -> Finding:
    for name in _with_parents(domain):
        records = [text for text in await _texts(resolver, f"_dmarc.{name}") if text.startswith("v=DMARC1")]
        if len(records) == 1:
            return Finding(
                Level.OK, "DMARC", f"{name} says what to do with mail that only claims to be its own."
            )
    cure = f'Publish a TXT record at _dmarc.{domain}, to begin with "v=DMARC1; p=none".'
    return Finding(
        Level.ERROR, "DMARC", f"{domain} has no DMARC record: large providers refuse its mail.", cure
    )


def _with_parents(domain: str) -> list[str]:
    """The domain and those above it, down to two labels (RFC 9989 walks the tree alike)."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(max(len(labels) - 1, 1))]


async def _dkim(resolver: Resolver, domain: str, selector: str | None) -> Finding:
    if not selector:
        return Finding(
            Level.WARNING,
            "DKIM",
            "Whether your mail is signed cannot be seen from here.",
            "Send a mail to an outside address and look for dkim=pass in its Authentication-Results; or set "
            "NOTIFY_EMAIL__DKIM_SELECTOR to have the key looked for. The signature must cover "
            "List-Unsubscribe and List-Unsubscribe-Post.",
        )
    name = f"{selector}._domainkey.{domain}"
    if any("p=" in text and not text.rstrip("; ").endswith("p=") for text in await _texts(resolver, name)):
        return Finding(Level.OK, "DKIM", f"{domain} publishes the key {selector}.")
    cure = f"Publish the public key of your mail server as a TXT record at {name}."
    return Finding(Level.ERROR, "DKIM", f"There is no key at {name}: signatures cannot be verified.", cure)
