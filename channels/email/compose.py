"""One text in one language as a mail: all but the recipient made once, then the recipient spliced in.

The standard library's email package writes the skeleton, headers and MIME parts alike. Per recipient only
five fields change (To, Message-ID, Date, the greeting and the token), and only they are written again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from html import escape
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

import templates
from channels.contract import Action, ApprovedText, Batch, CannotCompose, City, Message, Rendering
from channels.email.encoding import Body, encode, fill, gap
from channels.email.headers import address_header, display_name, unstructured
from channels.email.identity import HEADER, identity, tagged
from channels.email.markup import plain
from channels.email.protocol import Mail, as_body
from channels.email.settings import EmailSettings
from channels.net import leads_to_loopback, mailbox
from channels.text import clean, has_right_to_left, isolate, isolate_html, link, safe_html, set_apart

# Under the city's public URL, followed by the token.
UNSUBSCRIBE_PATH = "/u/"
PREFERENCES_PATH = "/p/"

_GREETING, _TOKEN = gap("greeting"), gap("token")
_BODIES = re.compile(rb"\x01(?:text|html)\x01")
_SAFE_URL = re.compile(r"https?://[!#-;=?-~]+", re.ASCII)
_UNRESERVED = re.compile(r"[\w.~-]*", re.ASCII)  # RFC 3986 section 2.3


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """A composed mail with gaps for the recipient."""

    head: bytes  # headers that are the same for all, up to the text part
    text: Body
    middle: bytes  # from the text part to the HTML part
    html: Body
    tail: bytes
    greeting: str  # "Dear {name},"
    greeting_plain: str
    sender: str  # the address of the envelope
    tagged: bool  # with the mail's own name in it (VERP)
    domain: str  # of message ids
    unsubscribe: str  # the List-Unsubscribe header, with gaps; none in an answer to one resident

    def address(self, message: Message, batch: Batch, now: datetime) -> Mail:
        """The mail for one recipient.

        Args:
            message: whom it goes to.
            batch: its reference is part of the mail's name, the same on every attempt.
            now: with its zone; becomes the Date.

        Raises:
            ValueError: the address is none. The text does not repeat it.
        """
        box = mailbox(message.address)
        name = display_name(message.name)
        token = _quoted(message.token)
        own = identity(_quoted(batch.reference), message.key, message.token)
        message_id = f"{own}@{self.domain}"
        headers = (
            f"Date: {format_datetime(now)}\r\n"
            f"To: {address_header(box, name)}\r\n"
            f"Message-ID: <{message_id}>\r\n"
            f"{HEADER}: {own}\r\n"
            f"{self.unsubscribe.replace(_TOKEN, token)}"
        )
        parts = self._parts(name, token)
        content = b"".join((headers.encode(), self.head, parts[0], self.middle, parts[1], self.tail))
        options = " BODY=8BITMIME SMTPUTF8" if box.utf8 else ""
        sender = tagged(self.sender, own) if self.tagged else self.sender
        envelope = f"MAIL FROM:<{sender}>{options}\r\nRCPT TO:<{box.address}>\r\nDATA\r\n"
        return Mail(message.key, message_id, envelope.encode(), as_body(content), utf8=box.utf8)

    def _parts(self, name: str, token: str) -> tuple[bytes, bytes]:
        if not name:
            greeting, html_greeting = self.greeting_plain, escape(self.greeting_plain)
        else:
            greeting = self.greeting.replace("{name}", name)
            html_greeting = escape(self.greeting).replace("{name}", f"<bdi>{escape(name)}</bdi>")
        return (
            self.text.fill({"greeting": greeting, "token": token}),
            self.html.fill({"greeting": html_greeting, "token": token}),
        )


def _quoted(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="", errors="replace")


def compose(text: ApprovedText, settings: EmailSettings, city: City) -> Rendering:
    """Make one text in one language ready for all its recipients.

    Raises:
        CannotCompose: a part is missing that a mail needs.
    """
    base = _base(city)
    title = " ".join(clean(text.title).split())
    if not title:
        raise CannotCompose("An email needs a subject: give the statement a title.")
    words = templates.phrases(text.language)
    values = _values(text, title, city, words, base)
    words_only, html = (_layout(name).render(values) for name in ("mail.txt", "mail.html"))
    bodies = encode(words_only), encode(html)
    unsubscribe = "" if text.is_answer else _list_unsubscribe(base, settings)
    return Rendering(
        channel="email",
        language=text.language,
        preview=fill(words_only, {"greeting": words["greeting_plain"], "token": "…"}),
        notes=_notes(city, base),
        content=_template(
            title, _skeleton(text, settings, city, bodies), bodies, words, settings, unsubscribe
        ),
    )


def _base(city: City) -> str:
    if not city.public_url:
        raise CannotCompose(
            "An email needs a link to stop further ones: set NOTIFY_PUBLIC_URL to the address of your pages, "
            "such as https://notify.city.example."
        )
    if not _SAFE_URL.fullmatch(city.public_url):
        raise CannotCompose(
            "NOTIFY_PUBLIC_URL must begin with https:// and hold ASCII characters without spaces only, "
            "such as https://notify.city.example."
        )
    return city.public_url.rstrip("/")


def is_secure(url: str) -> bool:
    """Whether the unsubscribe link is one that mail programs honour: HTTPS (RFC 8058), or this machine."""
    return urlsplit(url).scheme == "https" or leads_to_loopback(url)


def _notes(city: City, base: str) -> tuple[str, ...]:
    notes = []
    if not is_secure(base):
        notes.append("The unsubscribe link is not HTTPS, so mail programs show no button for it.")
    if not city.postal_address:
        notes.append("The city's postal address is missing at the end.")
    return tuple(notes)


def _values(
    text: ApprovedText, title: str, city: City, words: Mapping[str, str], base: str
) -> dict[str, object]:
    right_to_left = templates.direction(text.language) == "rtl"
    body = clean(text.body)
    return {
        "language": text.language,
        "direction": templates.direction(text.language),
        "title": title,
        "short": "" if text.is_answer else " ".join(clean(text.short).split()),
        "greeting": _GREETING,
        "plain_body": plain(body, right_to_left=right_to_left or has_right_to_left(body)),
        "html_body": safe_html(body),
        "actions": [_action(action) for action in text.actions],
        "words": words,
        "city": city,
        "signature": words["from_office"].format(city=city.name),
        "verify": _verify(city, words, base),
        "why": words["why"].format(city=city.name),
        "url": text.url,
        "isolate": lambda line: isolate(line) if right_to_left or has_right_to_left(line) else line,
        "isolate_html": isolate_html,
        "set_apart": set_apart if right_to_left else str,
        "is_answer": text.is_answer,
        "unsubscribe_url": base + UNSUBSCRIBE_PATH + _TOKEN,
        "preferences_url": base + PREFERENCES_PATH + _TOKEN,
    }


def _verify(city: City, words: Mapping[str, str], base: str) -> str:
    return words["verify"].format(phone=city.phone, url=base) if city.phone else ""


def _action(action: Action) -> dict[str, str]:
    value = " ".join(clean(action.value).split())
    return {
        "label": " ".join(clean(action.label).split()),
        "value": value,
        "link": link(value),
    }


@cache
def _layout(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(templates.directory() / "email"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _template(
    title: str,
    skeleton: EmailMessage,
    bodies: tuple[Body, Body],
    words: Mapping[str, str],
    settings: EmailSettings,
    unsubscribe: str,
) -> MailTemplate:
    head, middle, tail = _BODIES.split(skeleton.as_bytes())
    sender = settings.sender_mailbox
    return MailTemplate(
        head=f"Subject: {unstructured(title)}\r\n".encode() + head,
        text=bodies[0],
        middle=middle,
        html=bodies[1],
        tail=tail,
        greeting=words["greeting"],
        greeting_plain=words["greeting_plain"],
        sender=settings.return_path or sender.address,
        tagged=settings.return_tags,
        domain=sender.domain,
        unsubscribe=unsubscribe,
    )


def _skeleton(
    text: ApprovedText, settings: EmailSettings, city: City, bodies: tuple[Body, Body]
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    sender = settings.sender_mailbox
    message["From"] = Address(display_name(settings.sender_name or city.name), addr_spec=sender.address)
    if settings.reply_to:
        message["Reply-To"] = settings.reply_to
    message["Auto-Submitted"] = "auto-generated"
    if not text.is_answer:
        message["List-Id"] = f"<notify.{sender.domain}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("", cte=bodies[0].encoding)
    message.add_alternative("", subtype="html", cte=bodies[1].encoding)
    message["Content-Language"] = text.language  # set_content would have removed it
    for part, name in zip(message.iter_parts(), ("text", "html"), strict=True):
        part.set_payload(gap(name))
    return message


def _list_unsubscribe(base: str, settings: EmailSettings) -> str:
    web = f"<{base}{UNSUBSCRIBE_PATH}{_TOKEN}>"
    if not settings.unsubscribe_mailto:
        return f"List-Unsubscribe: {web}\r\n"
    mailto = quote(settings.unsubscribe_mailto, safe="@")
    return f"List-Unsubscribe: {web},\r\n <mailto:{mailto}?subject=unsubscribe%20{_TOKEN}>\r\n"
