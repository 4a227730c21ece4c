"""A mail to subscribers leads to their choices; an answer to one who has just asked speaks of neither."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import cast

import pytest

from channels.contract import ApprovedText, Batch, City, Message
from channels.email.compose import MailTemplate, compose
from channels.email.settings import EmailSettings
from templates import phrases

BASE = "https://notify.riverton.example"
CITY = City(name="Riverton", public_url=BASE)
SETTINGS = EmailSettings.model_validate(
    {"host": "127.0.0.1", "from": "mayor@riverton.example", "security": "none"}
)
TEXT = ApprovedText("answer", "en", "en", "notice", "Please confirm", "Confirm", "Press the link.")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


async def _none():  # type: ignore[no-untyped-def]
    return
    yield


def mail(text: ApprovedText) -> EmailMessage:
    rendering = compose(text, SETTINGS, CITY)
    message = Message(1, "rosa@example.org", (rendering,), token="tok")
    made = cast(MailTemplate, rendering.content).address(message, Batch("D1", 1, 1, NOW, _none()), NOW)
    sent = made.body.replace(b"\n..", b"\n.")  # as it arrives
    return cast(EmailMessage, email.message_from_bytes(sent, policy=policy.default))


def body(found: EmailMessage, kind: str) -> str:
    part = found.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("language", ["en", "ar", "zh-Hans"])
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_r17_every_mail_to_subscribers_leads_to_their_choices_and_out(language: str, kind: str) -> None:
    shown = body(mail(replace(TEXT, language=language)), kind)
    assert f"{BASE}/p/tok" in shown and f"{BASE}/u/tok" in shown
    assert phrases(language)["prefs_link"] in shown


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_an_answer_has_no_list_to_leave(kind: str) -> None:
    found = mail(replace(TEXT, is_answer=True))
    assert not [name for name in found if name.lower().startswith("list-")]
    assert "tok" not in body(found, kind) and phrases("en")["unsubscribe"] not in body(found, kind)
    assert TEXT.short + "<" not in body(found, kind)  # those words are for a text message
    assert found["Auto-Submitted"] == "auto-generated" and found["Subject"] == "Please confirm"
