"""The email channel: settings, compose, send and check, held together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import ClassVar, Self, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel

from channels.contract import (
    AddressKind,
    Answer,
    ApprovedText,
    Batch,
    CallbackRefused,
    CallbackRequest,
    City,
    Event,
    Finding,
    Level,
    Message,
    MissingSettings,
    Outcome,
    Rendering,
)
from channels.email import domain, reports
from channels.email.codes import Stage, describe
from channels.email.compose import MailTemplate, compose, is_secure
from channels.email.connections import NoConnection, Pool, connect, tls_context
from channels.email.imap import ImapMailbox, check_mailbox
from channels.email.protocol import Mail
from channels.email.sending import Sending
from channels.email.settings import EmailSettings, Security
from channels.incoming import Mail as IncomingMail
from channels.incoming import Mailbox, TokenOf

CHECK_SECONDS = 10.0  # for one reply while checking

_CURES = {
    Stage.CONNECT: "Check NOTIFY_EMAIL__HOST and NOTIFY_EMAIL__PORT, and that this machine may reach them.",
    Stage.SECURE: "Check NOTIFY_EMAIL__SECURITY (starttls, tls or none); for a certificate authority of your "
    "own, set NOTIFY_EMAIL__CA_FILE.",
    Stage.LOGIN: "Check NOTIFY_EMAIL__USERNAME and NOTIFY_EMAIL__PASSWORD.",
}


class EmailChannel:
    """Mail over one SMTP server (RFC 5321), which the city runs or rents.

    Args:
        settings: an `EmailSettings`.
        city: who speaks.

    Raises:
        MissingSettings: the settings are not those of this channel.
    """

    name: ClassVar[str] = "email"
    label: ClassVar[str] = "Email (SMTP)"
    unit: ClassVar[str] = "messages"
    address_kind: ClassVar[AddressKind] = AddressKind.EMAIL
    batch_size: ClassVar[int] = 2000  # a lost journal sends again with the same Message-ID
    repeat_is_safe: ClassVar[bool] = True  # the same Message-ID
    disturbs: ClassVar[bool] = False
    per_household: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = EmailSettings

    def __init__(self, settings: BaseModel, city: City) -> None:
        if not isinstance(settings, EmailSettings):
            raise MissingSettings(
                "Email has no settings: set at least NOTIFY_EMAIL__HOST and NOTIFY_EMAIL__FROM."
            )
        self.rate = settings.rate
        self.mail_every = settings.mailbox_minutes * 60
        self._settings = settings
        self._city = city
        self._zone = _zone(city)
        self._pool = Pool(settings)

    async def __aenter__(self) -> Self:
        """Sessions are opened when the first message is to leave."""
        self._pool = Pool(self._settings)  # of this event loop
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Take leave of the server."""
        await self._pool.close()

    async def announce(self) -> None:
        """Nothing to tell: a mail server calls nobody back."""

    def compose(self, text: ApprovedText) -> Rendering:
        """One text in one language as a mail; raises `CannotCompose`."""
        return compose(text, self._settings, self._city)

    async def send(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Hand the messages to the mail server; see `Channel.send`."""
        sending = Sending(batch, self._pool, self._prepare, self._settings.connections)
        outcomes = sending.outcomes()
        try:
            async for outcome in outcomes:
                yield outcome
        finally:
            await outcomes.aclose()

    def _prepare(self, message: Message, batch: Batch) -> Mail:
        template = cast(MailTemplate, message.rendering.content)
        return template.address(message, batch, datetime.now(self._zone))

    async def reconcile(self, message: Message, since: datetime) -> Outcome | None:  # noqa: ARG002
        """Nobody can tell: SMTP has no question for it. The same Message-ID makes sending again safe."""
        return None

    def read_callback(self, request: CallbackRequest) -> Sequence[Event]:  # noqa: ARG002
        """Refuse: a mail server calls nobody back."""
        raise CallbackRefused("Email has no callbacks.")

    def answer(self, event: Event, text: str) -> Answer:  # noqa: ARG002
        """Nothing to say: there are no callbacks."""
        return Answer("text/plain; charset=utf-8", b"")

    def read_mail(self, raw: bytes, token_of: TokenOf) -> IncomingMail:
        """Read one mail to the city; see `channels.incoming.TakesMail`."""
        return reports.read(raw, token_of)

    def mailbox(self) -> Mailbox | None:
        """The mailbox that bounces, complaints and answers arrive in; None where the settings name none."""
        return ImapMailbox(self._settings) if self._settings.mailbox_host else None

    def check_mailbox(self) -> list[Finding]:
        """Connect to the mailbox, log in and look for its folder. Nothing is read."""
        return [check_mailbox(self._settings)]

    async def check(self) -> Sequence[Finding]:
        """Connect, secure, greet, log in and leave, and the same at the mailbox; read the domain's records.
        Nothing is sent."""
        findings = [await self._check_server(), *self._check_city()]
        findings += await asyncio.to_thread(self.check_mailbox)
        sender_domain = self._settings.sender_mailbox.domain
        return findings + list(await domain.check(sender_domain, self._settings.dkim_selector))

    async def _check_server(self) -> Finding:
        settings = self._settings.model_copy(update={"timeout": min(self._settings.timeout, CHECK_SECONDS)})
        subject = f"mail server {settings.host}:{settings.effective_port}"
        try:
            secured = settings.security is not Security.NONE
            connection = await connect(settings, tls_context(settings) if secured else None)
        except NoConnection as problem:
            return Finding(Level.ERROR, subject, describe(problem.ending), _CURES[problem.ending.stage])
        await connection.quit()
        return Finding(
            Level.OK, subject, "answers, and takes our login." if settings.username else "answers."
        )

    def _check_city(self) -> list[Finding]:
        city, findings = self._city, []
        if not city.public_url or not is_secure(city.public_url):
            findings.append(
                Finding(
                    Level.ERROR,
                    "unsubscribe link",
                    "Every email carries a link to stop further ones, and it must be HTTPS.",
                    "Set NOTIFY_PUBLIC_URL to the https:// address of your pages.",
                )
            )
        if not city.postal_address:
            findings.append(
                Finding(
                    Level.WARNING,
                    "postal address",
                    "Emails end without the city's postal address, which some laws ask for.",
                    "Set NOTIFY_CITY__POSTAL_ADDRESS.",
                )
            )
        return findings


def _zone(city: City) -> ZoneInfo:
    try:
        return ZoneInfo(city.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
