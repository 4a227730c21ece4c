"""A small city with everything its pages show: a real hub on SQLite, statements, residents, a dispatch."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode

from sqlmodel import Session, select
from twilio.request_validator import RequestValidator

from channels.contract import Action
from contacts import consent, lists
from contacts.models import Contact, ContactList, Endpoint
from notify import staff, statements
from notify.dispatch import control, plan
from notify.dispatch.models import Delivery, DeliveryState, Dispatch
from notify.hub import Hub
from notify.staff import Role
from notify.statements import Draft, Kind, Statement, Text
from notify.tokens import Recipient

PUBLIC = "https://notify.rivermouth.example"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
TELEGRAM_SECRET = "telegram-secret-of-the-tests"
KEY = b"a key that signs nothing outside these tests"

ENGLISH = Text(
    "Standing with our neighbors",
    "Windows were broken at Harbor Hall. Nobody was hurt. We stand with those who were targeted.",
    "Last night windows were broken at **Harbor Hall**.\n\n## What we know\n\n- Nobody was hurt.\n"
    "- Police are there: (206) 555-0134.\n\n<script>alert(1)</script> {{ 7 * 7 }}",
    (
        Action("Talk to someone", "(206) 555-0134"),
        Action("Confirmed news", "https://www.rivermouth.example/now"),
        Action("Write to us", "mayor@rivermouth.example"),
    ),
)
ARABIC = Text(
    "نقف مع جيراننا",
    "تحطمت نوافذ قاعة المرفأ. لم يصب أحد بأذى. نقف مع من استُهدفوا. الهاتف (206) 555-0134.",
    "تحطمت الليلة الماضية نوافذ **قاعة المرفأ**.\n\n## ما نعرفه\n\n- لم يصب أحد بأذى.\n"
    "- الشرطة في المكان: (206) 555-0134.\n- تجمع يوم 2026-11-23 الساعة 18:00.",
    (
        Action("التحدث مع أحد", "(206) 555-0134"),
        Action("الأخبار المؤكدة", "https://www.rivermouth.example/now"),
    ),
)
CHINESE = Text(
    "我们与邻居站在一起",
    "海港大厅的窗户昨晚被打破，无人受伤。我们与受到攻击的人站在一起。",
    "昨晚，**海港大厅**的窗户被打破。\n\n## 我们知道的情况\n\n- 无人受伤。\n- 警方已在现场：(206) 555-0134。",
    (Action("找人谈谈", "(206) 555-0134"), Action("查看确认的消息", "https://www.rivermouth.example/now")),
)


@dataclass
class Town:
    """The hub, and what is put into it."""

    hub: Hub

    def session(self) -> Session:
        return self.hub.database.session()

    def statement(self, *, approve: bool = True, translations: dict[str, Text] | None = None) -> Statement:
        """A statement, approved by a second person in all its languages."""
        told = {"ar": ARABIC, "zh-Hans": CHINESE} if translations is None else translations
        with self.session() as session:
            author = staff.add(session, "ana@rivermouth.example", [Role.AUTHOR])
            approver = staff.add(session, "ben@rivermouth.example", [Role.APPROVER])
            draft = Draft(ENGLISH, Kind.CRISIS, "en", translations=told, signed=frozenset(told))
            statement = statements.draft(session, draft, author)
            if approve:
                statements.submit(session, statement, author.email)
                statements.approve(session, statement, approver)
            session.commit()
        return statement

    def resident(
        self,
        address: str,
        *,
        channel: str = "sms",
        language: str = "en",
        agreed: bool = True,
        on: str = "News",
    ) -> Endpoint:
        """A resident with one address, who agreed to a list or only is on it."""
        with self.session() as session:
            contact = Contact(name="Rosa Quintero", language=language)
            session.add(contact)
            session.flush()
            endpoint = Endpoint(
                contact_id=contact.id or 0, channel=channel, address=address, address_key=address
            )
            session.add(endpoint)
            session.flush()
            chosen = lists.get_or_create(session, on)
            lists.add_member(session, chosen.id or 0, contact.id or 0)
            if agreed:
                consent.record(
                    session, contact_id=contact.id or 0, endpoint_id=endpoint.id or 0, list_id=chosen.id,
                    decision=True, method="paper", wording="Yes, write to me.",
                )  # fmt: skip
            session.commit()
        return endpoint

    def list_id(self, name: str = "News") -> int:
        with self.hub.database.reading() as session:
            return session.exec(select(ContactList.id).where(ContactList.name == name)).one() or 0

    def dispatch(
        self,
        statement: Statement,
        channels: tuple[str, ...] = ("sms",),
        *,
        to: str | None = None,
        start: bool = True,
    ) -> Dispatch:
        """A dispatch, started unless it is not to be; an engine has to run to send it."""
        with self.session() as session:
            order = plan.Order(statement.id or 0, to, channels, "ana@rivermouth.example")
            dispatch = plan.plan(session, order, self.hub.channels, self.hub.renderer)
            if start:
                control.start(session, dispatch, "ana@rivermouth.example")
            session.commit()
        return dispatch

    def accepted(self, dispatch: Dispatch, provider_id: str = "SM" + "a" * 32) -> Delivery:
        """The first row of a dispatch, as if the provider had taken it."""
        with self.session() as session:
            row = session.exec(
                select(Delivery).where(
                    Delivery.dispatch_id == dispatch.id, Delivery.state == DeliveryState.PLANNED
                )
            ).first()
            assert row is not None
            row.state, row.provider_id, row.attempts = DeliveryState.ACCEPTED, provider_id, 1
            session.add(row)
            session.commit()
        return row

    def fresh(self, row: Endpoint | Delivery) -> Endpoint | Delivery:
        """The row as it is now."""
        with self.hub.database.reading() as session:
            return session.get_one(type(row), row.id)

    def token(self, endpoint: Endpoint, list_id: int | None = None) -> str:
        return self.hub.tokens.make(Recipient(endpoint.id or 0, list_id))


SETTINGS: dict[str, object] = {
    "public_url": PUBLIC,
    "secret_key": KEY.decode(),
    "city": {
        "name": "Rivermouth",
        "timezone": "America/Chicago",
        "phone": "(206) 555-0100",
        "languages": ["en", "es", "ar", "zh-Hans"],
    },
    "sms": {"account_sid": "AC" + "0" * 32, "auth_token": AUTH_TOKEN, "from": "+15005550006"},
    "email": {"host": "127.0.0.1", "port": 2525, "from": "mayor@rivermouth.example", "security": "none"},
    "telegram": {"token": f"123456:{'A' * 35}", "webhook_secret": TELEGRAM_SECRET},
}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and its words."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str, **having: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in having.items())
        ]


def signed(url: str, form: dict[str, str]) -> dict[str, str]:
    """The headers with which Twilio sends a form to a URL."""
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form),
    }


def body(form: dict[str, str]) -> str:
    return urlencode(form)
