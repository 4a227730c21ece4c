"""A city whose residents can sign up: public lists, and stand-ins that take what the pages send."""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from typing import Any, cast

import httpx
from sqlmodel import Session, col, select
from web_city import PUBLIC, Page, Town

from channels.sandbox import Sandbox
from contacts.models import ConsentEvent, ContactList, Endpoint, PendingYes, Subscription
from notify.web.app import create_app

MAIL, NUMBER, VISITOR = "rosa.quintero@example.org", "+12065550123", "203.0.113.7"
TITLES = {"en": "Weekly news", "es": "Noticias de la semana", "ar": "أخبار الأسبوع"}


def make_lists(session: Session) -> None:
    """Two public lists, one that is not, and one of people to be left out."""
    session.add(
        ContactList(name="News", public=True, titles=TITLES, description="What the city does, every Friday.")
    )
    session.add(ContactList(name="Urgent", public=True, titles={"en": "Urgent messages"}))
    session.add(ContactList(name="Families", description="Known to liaisons only."))
    session.add(ContactList(name="Press", kind="exclusion"))
    session.commit()


@dataclass
class SignUps:
    """The pages as one visitor sees them, and what comes of it."""

    town: Town
    sandbox: Sandbox
    web: httpx.AsyncClient

    def list_id(self, name: str) -> int:
        return self.town.list_id(name)

    async def form(self, path: str = "/join", **headers: str) -> dict[str, str]:
        """The hidden fields of a sign-up page."""
        page = Page((await self.web.get(path, headers=headers)).text)
        return {field["name"]: field["value"] for field in page.all("input", type="hidden")}

    async def sign_up(self, path: str = "/join?language=en", **fields: Any) -> httpx.Response:
        """Fill in the form and press its button."""
        filled = {"address": MAIL, "topic": str(self.list_id("News")), "language": "en"}
        return await self.web.post(path, data={**await self.form(path), **filled, **fields})

    def mails(self, address: str = MAIL) -> list[EmailMessage]:
        return [
            cast("EmailMessage", email.message_from_bytes(each.raw, policy=policy.default))
            for each in self.sandbox.mail.of(address)
        ]

    def link(self, address: str = MAIL) -> str:
        """The path of the link in the last message to an address."""
        texts = [each.text for each in self.sandbox.sms.of(address)]
        body = texts[-1] if texts else words(self.mails(address)[-1])
        found = re.search(rf"{re.escape(PUBLIC)}(/[cp]/[\w-]+)", body)
        assert found, "no link"
        return found[1]

    def rows(self, model: type[Any]) -> list[Any]:
        with self.town.hub.database.reading() as session:
            return list(session.exec(select(model)))

    def events(self) -> list[ConsentEvent]:
        with self.town.hub.database.reading() as session:
            return list(session.exec(select(ConsentEvent).order_by(col(ConsentEvent.id))))

    def subscribed(self, address: str = MAIL) -> set[str]:
        """The names of the lists that an address gets."""
        query = (
            select(ContactList.name)
            .join(Subscription, col(Subscription.list_id) == col(ContactList.id))
            .join(Endpoint, col(Endpoint.id) == col(Subscription.endpoint_id))
            .where(Endpoint.address == address, col(Subscription.active), ~col(Endpoint.opted_out))
        )
        with self.town.hub.database.reading() as session:
            return set(session.exec(query))

    def pending(self) -> list[PendingYes]:
        return self.rows(PendingYes)


def words(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def visitor(town: Town, ip: str = VISITOR) -> httpx.AsyncClient:
    """Somebody's browser."""
    transport = httpx.ASGITransport(create_app(town.hub), client=(ip, 50000))
    return httpx.AsyncClient(transport=transport, base_url=PUBLIC)
