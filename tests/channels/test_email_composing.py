"""What a mail carries, and that no text from outside can become anything but text (R16-R21)."""

from __future__ import annotations

import base64
import quopri
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from html.parser import HTMLParser

import pytest
from email_servers import CITY, TEXT, Messages, batch, settings
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from channels.contract import Action, CannotCompose, City, Message, Rendering
from channels.email import EmailChannel
from channels.email.compose import MailTemplate
from channels.email.encoding import Base64, QuotedPrintable, fill, gap
from channels.email.headers import address_header, display_name
from channels.email.identity import identity
from channels.email.markup import plain
from channels.email.protocol import Mail
from channels.net import mailbox
from channels.text import clean, safe_html

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
BASE = CITY.public_url

NASTY = [
    "",
    "🕊️ نحن معكم +1 555 010 0199 👩‍👩‍👧",
    "a\r\nBcc: eve@example.org\r\n\r\nhello",
    ".\r\n.\r\n..leading dots\n.",
    "NUL \x00 and bell \x07 and \x01text\x01 \x01greeting\x01",
    "{{ 7*7 }} {% raw %} {name} %s ${x}",
    "<b>bold</b> <script>alert(1)</script> \"quoted\" & 'more'",
    "x" * 10_000,
    "文" * 3_000,
    "word " * 2_000,
    "lone surrogate \ud800 here",
    "=?utf-8?q?fake?= =41 trailing space ",
    "line\u2028separator\u2029and\x85next\x0bvertical\x0cfeed",
]
anything = st.one_of(st.sampled_from(NASTY), st.text(max_size=400))


def compose(channel: EmailChannel | None = None, **changes: object) -> Rendering:
    return (channel or EmailChannel(settings(), CITY)).compose(replace(TEXT, **changes))  # type: ignore[arg-type]


def address(rendering: Rendering, name: str = "Ana Díaz", token: str = "tok.en-1") -> Mail:
    assert isinstance(rendering.content, MailTemplate)
    message = Message(17, "ana@example.org", (rendering,), name, token)
    return rendering.content.address(message, batch(Messages([])), NOW)


def received(mail: Mail) -> bytes:
    """The message as a server reads it (RFC 5321 section 4.5.2)."""
    lines = mail.body.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    return b"\r\n".join(line.removeprefix(b".") for line in lines[:-2]) + b"\r\n"


def parse(mail: Mail) -> EmailMessage:
    return message_from_bytes(received(mail), policy=policy.default)  # type: ignore[return-value]


def body(message: EmailMessage, kind: str) -> str:
    return message.get_body((kind,)).get_content().replace("\r\n", "\n")


def recipient(mail: EmailMessage) -> tuple[str, str]:
    """Name and address of the To header, by the standard library's older decoder: the newer one (3.11) keeps
    the white space between encoded words, which RFC 2047 section 6.2 says to drop."""
    name, address = parseaddr(dict(mail.raw_items())["To"])
    return str(make_header(decode_header(name))), address


class Outline(HTMLParser):
    """The tags and attributes of a page, and the text within some of them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        if tag not in ("meta", "br", "hr"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


# Headers


def test_r17_every_mail_has_a_one_click_unsubscribe_over_https_and_mailto() -> None:
    channel = EmailChannel(settings(unsubscribe_mailto="leave@riverton.example"), CITY)
    mail = parse(address(compose(channel)))
    assert mail["List-Unsubscribe"] == (
        f"<{BASE}/u/tok.en-1>, <mailto:leave@riverton.example?subject=unsubscribe%20tok.en-1>"
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"{BASE}/u/tok.en-1" in body(mail, "plain")
    assert f'href="{BASE}/u/tok.en-1"' in body(mail, "html")


def test_r21_the_headers_of_bulk_mail_are_there_and_precedence_is_not() -> None:
    mail = parse(address(compose(language="es")))
    assert mail["From"].addresses[0] == Address("City of Riverton", addr_spec="news@riverton.example")
    assert mail["To"].addresses[0] == Address("Ana Díaz", addr_spec="ana@example.org")
    assert mail["Subject"] == TEXT.title
    assert mail["Date"].datetime == NOW
    own = identity("D7", 17, "tok.en-1")
    assert mail["Message-ID"] == f"<{own}@riverton.example>"
    assert mail["X-Notify-Delivery"] == own
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "es"
    assert mail["List-Id"] == "<notify.riverton.example>"
    assert mail["MIME-Version"] == "1.0"
    assert mail["Precedence"] is None
    assert mail["Reply-To"] is None
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_content_type() == "multipart/alternative"
    assert not mail.defects


def test_every_header_stands_once() -> None:
    names = [name.lower() for name in parse(address(compose()))]
    assert len(names) == len(set(names))


def test_r20_the_citys_postal_address_closes_the_mail() -> None:
    mail = parse(address(compose()))
    for kind in ("plain", "html"):
        for line in CITY.postal_address:
            assert line in body(mail, kind)


def test_answers_go_where_the_city_wants_them() -> None:
    channel = EmailChannel(settings(reply_to="mayor@riverton.example"), CITY)
    assert parse(address(compose(channel)))["Reply-To"] == "mayor@riverton.example"


def test_a_sender_without_a_name_gets_the_citys() -> None:
    channel = EmailChannel(settings(**{"from": "news@riverton.example"}), replace(CITY, name="Zürich"))
    assert parse(address(compose(channel)))["From"].addresses[0].display_name == "Zürich"


@pytest.mark.parametrize(
    ("public_url", "problem"),
    [("", "set NOTIFY_PUBLIC_URL"), ("riverton.example", "https://"), ("https://x.example/a b", "https://")],
)
def test_without_a_public_address_there_is_no_mail_because_nobody_could_leave(
    public_url: str, problem: str
) -> None:
    channel = EmailChannel(settings(), replace(CITY, public_url=public_url))
    with pytest.raises(CannotCompose, match=problem):
        channel.compose(TEXT)


def test_a_statement_without_a_title_is_refused() -> None:
    with pytest.raises(CannotCompose, match="title"):
        compose(title=" \r\n\x00")


def test_what_is_missing_for_a_good_mail_is_noted() -> None:
    channel = EmailChannel(settings(), City("X", public_url="http://x.example"))
    assert len(channel.compose(TEXT).notes) == 2
    assert compose().notes == ()


def test_the_preview_is_the_plain_text_without_a_recipient() -> None:
    preview = compose().preview
    assert preview.startswith(
        "City of Riverton\n\nWe stand with our neighbors\n\nDear neighbor,\n\nStay away"
    )
    assert f"{BASE}/u/…" in preview


# Languages


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("fa", "rtl"), ("zh-Hans", "ltr")]
)
def test_the_page_says_its_language_and_direction_where_mail_programs_keep_it(
    language: str, direction: str
) -> None:
    page = body(parse(address(compose(language=language))), "html")
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert f'<div class="mail" lang="{language}" dir="{direction}">' in page


def test_a_phone_number_keeps_its_order_in_arabic() -> None:
    mail = parse(
        address(
            compose(
                language="ar",
                body="اتصلوا على +1 555 010 0199 الآن",
                actions=(Action("اتصال", "311 555 0199"),),
            )
        )
    )
    assert "على \u2066+1 555 010 0199\u2069 الآن" in body(mail, "plain")
    assert 'على <bdi class="number" dir="ltr">+1 555 010 0199</bdi> الآن' in body(mail, "html")
    assert "\u2066311 555 0199\u2069" in body(mail, "plain")


@pytest.mark.parametrize(
    "text", ["18:00", "10 - 12", "https://x.example/2026-11-22/555-010-0199", "A1234567890"]
)
def test_what_is_no_number_of_groups_is_left_alone(text: str) -> None:
    assert plain(f"كلمة {text} كلمة", right_to_left=True) == f"كلمة {text} كلمة"


def test_a_resident_without_a_name_is_greeted_too() -> None:
    assert "Dear neighbor," in body(parse(address(compose(), name="")), "html")


# Markup


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# Title\n\na *b* **c** `d`", "Title\n\na b c d"),
        ("- one\n- two\n  - three", "- one\n- two\n  - three"),
        ("3. one\n4. two", "3. one\n4. two"),
        ("> said\n> twice", "> said\n> twice"),
        ("[label](https://x.example)", "label (https://x.example)"),
        ("<https://x.example>", "https://x.example"),
        ("<help@x.example>", "help@x.example"),
        ("![a map](https://x.example/m.png)", "a map (https://x.example/m.png)"),
        ("    code\n    more", "    code\n    more"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb"),
        ("a &amp; b \\* c <b>d</b>", "a & b * c <b>d</b>"),
        ("", ""),
    ],
)
def test_markdown_becomes_plain_text(markdown: str, expected: str) -> None:
    assert plain(markdown) == expected


# Nothing from outside is ever more than text


@given(title=anything, short=anything, label=anything, value=anything, name=anything)
@effort(max_examples=60, deadline=None)
def test_no_text_changes_the_structure_of_the_mail(
    title: str, short: str, label: str, value: str, name: str
) -> None:
    value = f"({value}"  # never a link, so that the structure is the same
    shown_title = " ".join(clean(title).split())
    title = title if shown_title else "x"
    mail = parse(
        address(compose(title=title, short=f"x{short}", actions=(Action(label, value),)), name=f"x{name}")
    )
    plain_mail = parse(address(compose(title="x", short="x", actions=(Action("x", "(x"),)), name="x"))
    assert list(mail.keys()) == list(plain_mail.keys())
    outline, expected = (Outline(body(message, "html")) for message in (mail, plain_mail))
    assert outline.tags == expected.tags
    assert outline.texts["h1"] == [shown_title or "x"]
    assert outline.texts["bdi"][0] == display_name(f"x{name}")


@given(markdown=anything)
@effort(max_examples=60, deadline=None)
@example("<style>*{}</style><img src=x onerror=y><a href='javascript:z'>")
def test_no_markdown_brings_in_a_tag_that_is_not_ours(markdown: str) -> None:
    ours = {"p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"}
    ours |= {"strong", "em", "code", "pre", "a", "bdi"}
    for tag, attributes in Outline(safe_html(clean(markdown))).tags:
        assert tag in ours
        assert set(attributes) <= {"href", "rel", "start", "class", "dir"}


@given(title=anything, text=anything, name=anything, token=anything)
@effort(max_examples=60, deadline=None)
def test_the_mail_reads_as_the_standard_librarys_own_would(
    title: str, text: str, name: str, token: str
) -> None:
    title = " ".join(clean(title).split()) or "x"
    rendering = compose(title=title, body=text)
    mail = parse(address(rendering, name, token))
    reference = EmailMessage(policy=policy.SMTP)
    reference.set_content(body(mail, "plain"))
    reference.add_alternative(body(mail, "html"), subtype="html")
    truth = message_from_bytes(reference.as_bytes(), policy=policy.default)
    assert recipient(mail) == (display_name(name), "ana@example.org")
    assert mail["Subject"] == title
    for kind in ("plain", "html"):
        assert body(mail, kind) == body(truth, kind)  # type: ignore[arg-type]
    # Numbers beside right-to-left letters are set apart; that is tested by itself.
    without_fences = body(mail, "plain").translate(dict.fromkeys(range(0x2066, 0x206A)))
    assert plain(clean(text)) in without_fences
    assert not mail.defects


@given(text=anything, name=anything)
@effort(max_examples=100, deadline=None)
def test_the_wire_sees_short_seven_bit_lines(text: str, name: str) -> None:
    wire = received(address(compose(body=text), name))
    assert wire.isascii()
    assert b"\x00" not in wire
    lines = wire.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 150  # only our own URLs are longer than 78


literals = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=200)
fields = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)


@given(before=literals, first=fields, between=literals, second=fields, after=literals)
@effort(max_examples=300, deadline=None)
def test_a_text_encoded_in_pieces_decodes_to_the_whole(
    before: str, first: str, between: str, second: str, after: str
) -> None:
    text = before + gap("one") + between + gap("two") + after
    whole = before + first + between + second + after
    values = {"one": first, "two": second}
    assert fill(text, values) == whole
    for encoded, decode in (
        (QuotedPrintable(text).fill(values), quopri.decodestring),
        (Base64(text).fill(values), base64.b64decode),
    ):
        assert decode(encoded).decode().replace("\r\n", "\n") == whole
        assert max(map(len, encoded.split(b"\r\n"))) <= 76


# Names and addresses


@given(anything)
@effort(max_examples=200, deadline=None)
def test_a_name_is_one_harmless_line(name: str) -> None:
    shown = display_name(name)
    assert len(shown) <= 100
    assert not any(character in shown for character in "\r\n\x00\u202e\u2066")
    assert shown == " ".join(shown.split())


@pytest.mark.parametrize(
    "name", ["Ana", "Díaz", 'The "Boss" \\ O\'Neil', "Doe, Jane; (x) <y>", "李小龙", "נועה", "می‌خواهم"]
)
def test_a_name_comes_back_from_the_header_as_it_went_in(name: str) -> None:
    raw = f"To: {address_header(mailbox('a@b.example'), display_name(name))}\r\n\r\n"
    found = message_from_bytes(raw.encode(), policy=policy.default)["To"].addresses
    assert [(box.display_name, box.addr_spec) for box in found] == [(name, "a@b.example")]


@given(st.text(max_size=60))
@effort(max_examples=300, deadline=None)
@example("a@b.example>\r\nRCPT TO:<c@d.example")
@example("a\ud800@b.example")
@example("a@\ud800.example")
def test_an_address_is_safe_on_the_wire_or_none(address: str) -> None:
    try:
        box = mailbox(address)
    except ValueError:
        return
    assert box.address.count("@") == 1
    assert not any(character.isspace() or character in '<>,;:"()[]\\\x00' for character in box.address)
    assert box.domain.isascii()
