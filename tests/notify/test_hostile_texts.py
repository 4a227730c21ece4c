"""Texts that mean something to a machine or run the other way: they arrive as text on every channel, or are
refused before anybody signs them."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
import pytest
import yaml
from sqlmodel import Session
from world import ANA, hire, phone, residents

from channels.letter.guards import Pdf
from channels.sandbox import Sandbox
from channels.sandbox.captured import ChatMessage
from notify import statements
from notify.dispatch import control, plan, report
from notify.dispatch.models import DispatchState
from notify.dispatch.plan import Order
from notify.dispatch.report import Report
from notify.hub import Hub
from notify.staff import Staff
from notify.statements import Statement, StatementError

ALL = ("sms", "email", "telegram", "letter")
HELPLINE = "(206) 555-0199"


@dataclass(frozen=True)
class Case:
    """One hostile text, which stands in every field; `body` may hold more of it."""

    words: str
    body: str = ""
    language: str = "en"
    name: str = "Ann Doe"

    @property
    def markdown(self) -> str:
        """The body as an author writes it: what Markdown would take as markup is escaped, `<`, `#` and `{` not."""
        return re.sub(r"([\\*_`\[\]&])", r"\\\1", self.body or self.words)

    def source(self, **other: str) -> str:
        """The statement as a file."""
        fields = {
            "title": self.words,
            "short": self.words,
            "label": self.words,
            "body": self.markdown,
            **other,
        }
        head = {
            **{key: fields[key] for key in ("title", "short")},
            "kind": "crisis",
            "language": self.language,
            "actions": [{"label": fields["label"], "value": HELPLINE}],
        }
        return f"---\n{yaml.safe_dump(head, allow_unicode=True)}---\n{fields['body']}\n"


PLAIN = Case("The library is open again")

MARKUP = {
    "html": Case(
        "<b>B</b><script>alert(1)</script> <img src=x onerror=alert(2)> &lt;i&gt;&amp;",
        name='Ann <b>Doe</b> & "Co"',
    ),
    "attribute": Case('"\' onmouseover="alert(1)" x=\'</p></div></title>-->', name='Ann "><i>Doe</i>'),
    "template": Case(
        '{{ 7*7 }} {% include "/etc/passwd" %} {name} {token} ${HOME} %(name)s {0}',
        name="{{ name }} {token} {0}",
    ),
    "typst": Case(
        '#read("/etc/passwd") #{1+1} $x^2$ @ref <label> = Head \\u{41} // no /* no */',
        name='#read("/etc/passwd")',
    ),
    "chat": Case(
        "*bold* _it_ [link](tg://user?id=1) ||spoiler|| @channel /start ~no~", name="*Ann* _Doe_ @all"
    ),
    "header": Case(
        "=?utf-8?b?PGI+?= Bcc: eve@example.org;",
        body="Dear all,\n\n.\n\nQUIT\n\n--\n\nFrom here on.",
        name="Ann =?utf-8?b?PGI+?=",
    ),
}
SCRIPTS = {
    "emoji": Case("Stay safe 👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇺🇸 ❤️ now", name="Ann 👍🏽"),
    "accents apart": Case(
        unicodedata.normalize("NFD", "Zoë Ọ̀nà Ãkwà Nguyễn Thị Ánh Łódź"),
        name=unicodedata.normalize("NFD", "Zoë Ánh"),
    ),
    "mark first": Case("\u0301a mark stands first"),
    "separators": Case("one\u2028two\u2029three\u00a0four\u200bfive\ufeffsix"),
    "directions": Case("safe \u202egnp.exe\u202c \u2066x\u2069 \u200fend"),
    "Arabic run": Case("Call مركز (206) 555-0134 النجدة or +1 206 555 0135 now", name="Ann مريم Doe"),
    "Hebrew run": Case("Call מוקד 206-555-0134 חירום now"),
    "Arabic": Case("اتصلوا بالرقم (206) 555-0134 أو +1 206 555 0135 الآن", language="ar"),
}
LONG = {
    "many words": Case("Many words", body=("More words than anybody reads. " * 400)[:10_000].strip()),
    "one word": Case("W" * 80, body="W" * 10_000),
    "many emoji": Case("Many emoji 👍🏽", body="👍🏽" * 5_000),
}
NUMBERS = re.compile(r"2065550134|12065550135")


# -- what a resident sees, brought to one form


def seen(text: str) -> str:
    """Composed, without white space and without what nobody sees; joiners are seen in what they join."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        character
        for character in composed
        if not character.isspace()
        and (character in "\u200c\u200d" or unicodedata.category(character) != "Cf")
    )


class Page(HTMLParser):
    """The elements of a page, with their attributes' names, and its text outside <style>."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.text = ""
        self._style = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The fence around a phone number is ours.
        if ("class", "number") not in attrs:
            self.elements.append((tag, *(name for name, _ in attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data


def mail_parts(raw: bytes) -> tuple[EmailMessage, str, Page]:
    """A mail, its plain text and its page."""
    mail = BytesParser(EmailMessage, policy=default).parsebytes(raw)
    plain, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    return mail, plain.get_content(), Page(page.get_content())


def printed(path: Path) -> str:
    """The words of a print file."""
    document = pypdfium2.PdfDocument(path)
    found = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return re.sub("[\u0002\ufffe]", "-", found)


# -- from draft to residents


def resident(case: Case, number: int) -> dict[str, str]:
    """Somebody with an address on every channel and a name as hostile as the text."""
    return {
        "name": case.name,
        "phone": phone(number),
        "email": f"resident{number}@example.org",
        "telegram": str(7000 + number),
        "address1": f"{number} Alder St",
        "city": "Rivermouth",
        "state": "WA",
        "postcode": "98599",
        "language": case.language,
        "consent": "all",
    }


def sign(session: Session, hub: Hub, case: Case, author: Staff, approver: Staff) -> Statement:
    """Drafted, handed over and approved, each as the commands do it."""
    statement = statements.draft(session, statements.parse(case.source()), author)
    texts = statements.ready_texts(session, statement)
    assert hub.renderer.problems(statement, texts, hub.channels.values()) == []
    statements.submit(session, statement, author.email)
    statements.approve(session, statement, approver)
    return statement


def begin(hub: Hub, folder: Path, cases: Sequence[Case]) -> list[int]:
    """A dispatch for each text, each to a resident of its own."""
    for number, case in enumerate(cases):
        residents(hub, folder, [resident(case, number)], f"list{number}")
    with hub.database.session() as session:
        ana, ben, _ = hire(session)
        made = []
        for number, case in enumerate(cases):
            statement = sign(session, hub, case, ana, ben)
            order = Order(statement.id or 0, f"list{number}", ALL, ANA)
            made.append(dispatch := plan.plan(session, order, hub.channels, hub.renderer))
            control.start(session, dispatch, ANA)
        session.commit()
        return [dispatch.id or 0 for dispatch in made]


def look(hub: Hub, dispatches: Sequence[int]) -> list[Report]:
    with hub.database.reading() as session:
        return [report.report(session, control.find(session, each)) for each in dispatches]


async def send(hub: Hub, folder: Path, cases: Sequence[Case]) -> list[Report]:
    """Be the engine until all of it is out."""
    dispatches = await asyncio.to_thread(begin, hub, folder, cases)
    async with hub.engine().running(), asyncio.timeout(60):
        while is_under_way(found := look(hub, dispatches)):
            await asyncio.sleep(0.1)
    return found


def is_under_way(found: Sequence[Report]) -> bool:
    return any(each.state == DispatchState.SENDING for each in found)


# -- what arrived


def check_text_message(sandbox: Sandbox, number: int, case: Case) -> None:
    (got,) = sandbox.sms.of(phone(number))
    assert seen(case.words) in seen(got.text)
    assert_fenced(case, got.text)


def check_mail(sandbox: Sandbox, number: int, case: Case, elements: Sequence[tuple[str, ...]]) -> None:
    (got,) = sandbox.mail.of(f"resident{number}@example.org")
    mail, plain, page = mail_parts(got.raw)
    assert seen(str(mail["Subject"])) == seen(case.words)
    assert mail.get_all("Bcc") is None
    assert [each.addr_spec for each in mail["To"].addresses] == [f"resident{number}@example.org"]
    paragraphs = (case.body or case.words).split("\n\n")
    for text in (plain, page.text):
        assert seen(text).count(seen(case.words)) >= (2 if case.body else 3)
        assert "".join(map(seen, paragraphs)) in seen(text)
        assert seen(f"Dear {case.name},") in seen(text) or case.language != "en"
    extra = [("p",)] * (len(paragraphs) - 1)
    assert sorted(page.elements) == sorted([*elements, *extra])
    assert_fenced(case, plain)


def check_chat(sandbox: Sandbox, number: int, case: Case) -> None:
    got = sandbox.chats.of(str(7000 + number))
    text = seen("".join(each.text for each in got))
    assert text.count(seen(case.words)) >= (2 if case.body else 3)
    assert seen(case.body) in text
    # The title, and the line above the actions; nothing that the author wrote became more.
    assert [entity["type"] for each in got for entity in each.entities] == ["bold", "bold"]
    assert seen(stretch(got[0], got[0].entities[0])) == seen(case.words)
    assert_fenced(case, "\n".join(each.text for each in got))


def stretch(message: ChatMessage, entity: dict[str, int]) -> str:
    """What an entity covers, as Telegram counts: UTF-16 units."""
    units = message.text.encode("utf-16-le")
    return units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


def check_letter(outbox: Path, case: Case, dispatch: int) -> None:
    (path,) = outbox.rglob(f"D{dispatch}_*_001_of_001.pdf")
    right_to_left = any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in case.words)
    if right_to_left:
        with Pdf(path.read_bytes()) as pdf:
            lines = pdf.lines_of_digits()
        for digits in expected_numbers(case):
            assert sum(line.count(digits) for line in lines) >= 3, (digits, lines)
    else:
        text = seen(printed(path))
        # Where a letter and its accent are two glyphs, copying from the PDF gives both twice; print does not.
        text = text.replace("Ọ\u0300Ọ\u0300", "Ọ\u0300")
        assert text.count(seen(case.words)) >= (2 if case.body else 3)
        assert Counter(seen(case.body)) <= Counter(text)  # page breaks come between


def expected_numbers(case: Case) -> list[str]:
    """The phone numbers in a text, as digits."""
    return NUMBERS.findall(re.sub(r"[^\dA-Za-z\u0590-\u06ff]", "", case.words))


def assert_fenced(case: Case, text: str) -> None:
    """A phone number beside right-to-left letters has a mark before it, which keeps its groups in order."""
    for line in text.split("\n"):
        if any(unicodedata.bidirectional(letter) in {"R", "AL"} and letter.isalpha() for letter in line):
            for found in re.finditer(r"\+1 206 555 0135|\(206\) 555-0134|206-555-0134", line):
                assert line[found.start() - 1] in "\u200e\u2066", (case.words, line)


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(cases, id=name)
        for name, cases in (("markup", MARKUP), ("scripts", SCRIPTS), ("long", LONG))
    ],
)
async def test_a_hostile_text_arrives_as_text_on_every_channel(
    hub: Hub,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    cases: dict[str, Case],
) -> None:
    every = [PLAIN, *cases.values()]
    found = await send(hub, tmp_path, every)
    assert [(each.accepted, each.balanced) for each in found] == [(4, True)] * len(every)
    elements = mail_parts(sandbox.mail.of("resident0@example.org")[0].raw)[2].elements
    for number, case in enumerate(every):
        check_text_message(sandbox, number, case)
        check_mail(sandbox, number, case, elements)
        check_chat(sandbox, number, case)
        check_letter(tmp_path / "letters", case, number + 1)
    assert "entities" not in caplog.text


@pytest.mark.parametrize("name", ["\u0301Ann", "Ann" + "\u0301\u0302\u0308" * 4, "<b>Ann</b>"])
async def test_a_name_that_cannot_be_printed_costs_nobody_else_a_letter(
    hub: Hub, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    rows = [{**resident(PLAIN, number), "name": name if number == 0 else "Bea Doe"} for number in range(3)]
    residents(hub, tmp_path, rows)
    with hub.database.session() as session:
        ana, ben, _ = hire(session)
        statement = sign(session, hub, PLAIN, ana, ben)
        dispatch = plan.plan(
            session, Order(statement.id or 0, None, ("letter",), ANA), hub.channels, hub.renderer
        )
        control.start(session, dispatch, ANA)
        session.commit()
        number = dispatch.id or 0
    async with hub.engine().running(), asyncio.timeout(30):
        while is_under_way(found := look(hub, [number])):
            await asyncio.sleep(0.1)
    assert found[0].accepted == 2
    assert found[0].by_reason("failed") == {"refused": 1}
    assert not found[0].holds


@pytest.mark.parametrize(
    ("case", "channel", "cure"),
    [
        (Case("Help", body="👍🏽" * 9_000), "telegram", "Shorten the body"),
        (Case("Help", body="W" * 19_000), "letter", "Shorten it"),
        (Case("he" + "\u0301\u0323\u0308\u0302\u0330" * 8 + "lp"), "letter", "Break up"),
        (Case("Help \U0001e900"), "letter", "Take them out"),
    ],
)
async def test_what_a_channel_cannot_carry_is_refused_before_approval(
    hub: Hub, sandbox: Sandbox, case: Case, channel: str, cure: str
) -> None:
    with hub.database.session() as session:
        ana, _, _ = hire(session)
        statement = statements.draft(session, statements.parse(case.source()), ana)
        texts = statements.ready_texts(session, statement)
        problems = hub.renderer.problems(statement, texts, hub.channels.values())
    assert any(each.startswith(f"{channel}, en: ") and cure in each for each in problems), problems
    assert (sandbox.sms.total, sandbox.mail.total, sandbox.chats.total) == (0, 0, 0)


def test_emoji_that_take_too_many_segments_are_refused_with_the_number_to_cut(hub: Hub) -> None:
    with hub.database.session() as session:
        ana, _, _ = hire(session)
        draft = statements.parse(PLAIN.source(short="👍🏽" * 400))
        statement = statements.draft(session, draft, ana)
        texts = statements.ready_texts(session, statement)
        (problem,) = hub.renderer.problems(statement, texts, hub.channels.values())
    assert re.match(r"sms, en: .* Shorten the short text by \d+ characters", problem)


@pytest.mark.parametrize("field", ["title", "short", "label"])
@pytest.mark.parametrize(
    "words", ["W" * 10_000, "tone\x07", "token \x01token\x01"], ids=["long", "bell", "gap"]
)
def test_a_field_that_no_channel_carries_is_refused_as_it_is_written(field: str, words: str) -> None:
    with pytest.raises(StatementError, match=r"(title|short|actions, item 1): .*(Shorten|Remove|1 to 80)"):
        statements.parse(PLAIN.source(**{field: words}))
