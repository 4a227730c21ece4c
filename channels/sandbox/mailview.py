"""A mail as a mail program shows it: headers, the HTML part, the plain text part."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from channels.sandbox.mail import one_click_url

# What a mail's HTML part may do on the page: show itself. Nothing is fetched, nothing runs.
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@dataclass(frozen=True, slots=True)
class MailView:
    """The parts of one mail that a resident sees."""

    subject: str
    sender: str
    recipient: str
    language: str  # BCP 47, from Content-Language
    html: str
    text: str
    can_unsubscribe: bool


def view(raw: bytes) -> MailView:
    """Read a mail; parts that are missing or not readable are empty."""
    message = BytesParser(EmailMessage, policy=default).parsebytes(raw)
    return MailView(
        subject=_header(message, "Subject"),
        sender=_header(message, "From"),
        recipient=_header(message, "To"),
        language=_header(message, "Content-Language").split(",")[0].strip(),
        html=_part(message, "html"),
        text=_part(message, "plain"),
        can_unsubscribe=bool(one_click_url(raw)),
    )


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, IndexError, AttributeError):  # defects of the standard library's header parser
        return ""


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        return ""
