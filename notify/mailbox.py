"""Mail to the city, taken in: what bounced and who complained goes into the ledger, what people wrote to staff.

A mail changes something only where it names a delivery or a resident by what nobody else can know (the proof
in a Message-ID, a token). Every other bounce or complaint is kept for a person, with the address it claims to
be about. Each mail counts once, however often it is read: the table of inbound messages knows its bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import Session, col, select

from channels.contract import Channel, Event, EventKind
from channels.incoming import Kind, Mail, Mailbox, MailboxUnavailable, TakesMail, Waiting
from channels.refusals import is_refusal
from contacts import consent
from contacts.addresses import BadAddress, normalise
from contacts.columns import now
from contacts.joining import living
from contacts.models import Endpoint
from notify import audit, inbound
from notify.database import Database
from notify.dispatch import consequences, receipts
from notify.dispatch.models import Delivery, Dispatch
from notify.inbound import Inbound, address_hash
from notify.settings import Ground
from notify.tokens import Recipient, Tokens

log = structlog.get_logger()

STOP_WITHIN = 10.0  # seconds for the mail in hand when the hub is asked to stop
BY_MAIL = "mail"  # how the consent ledger calls a wish to leave that came as a mail
_SYSTEM = "system"

# What is said of a delivery, by what a mail is.
_EVENTS = {
    Kind.BOUNCE: EventKind.UNDELIVERED,
    Kind.DELIVERED: EventKind.DELIVERED,
    Kind.COMPLAINT: EventKind.OPTED_OUT,
}
# Mails after which nobody has to do anything, whoever they are about.
_NOTHING_TO_DO = frozenset({Kind.DELAY, Kind.DELIVERED, Kind.AUTO_REPLY})
# What a person has to look at because the mail proves nothing, or because only a person can answer it.
FOR_A_PERSON = (Kind.BOUNCE, Kind.COMPLAINT, Kind.LEAVE, Kind.UNCLEAR, Kind.CHALLENGE)


@dataclass(slots=True)
class Round:
    """What one look into a mailbox came to."""

    taken: Counter[str] = field(default_factory=Counter)  # by kind
    known: int = 0  # taken before
    unreadable: int = 0  # put aside for a person

    def to_dict(self) -> dict[str, object]:
        """As a plain tree."""
        return {"taken": dict(self.taken), "known": self.known, "unreadable": self.unreadable}


@dataclass(frozen=True, slots=True)
class _About:
    """Whom a mail is about: proven, or only claimed."""

    delivery: Delivery | None = None
    endpoint: Endpoint | None = None
    recipient: Recipient | None = None
    proven: bool = False


class Reader:
    """Takes mails in, one transaction each.

    Args:
        database: where to.
        settings: the city, its key, and how many bounces are too many.
        tokens: checks what mails prove.
    """

    def __init__(self, database: Database, settings: Ground, tokens: Tokens) -> None:
        self._database = database
        self._settings = settings
        self._tokens = tokens

    def take(self, channel: TakesMail, raw: bytes) -> Kind | None:
        """Take one mail in; it is on disk when this returns.

        Returns:
            What it was; None when it was taken in before.

        Raises:
            Unreadable: it is not read, and nothing was changed.
            SQLAlchemyError: the database did not take it; come again.
        """
        digest = hashlib.sha256(raw).hexdigest()
        with self._database.reading() as session:
            if _is_known(session, channel.name, digest):
                return None
            mail = channel.read_mail(raw, lambda key: self._token_of(session, channel.name, key))
        with self._database.session() as session:
            about = self._about(session, channel, mail)
            if not self._keep(session, channel, mail, about, digest):
                return None
            if _refuses(mail, about) and about.endpoint is not None:
                # Though only the sender's address claims it: at worst a mail waits until a person has looked.
                inbound.hold(session, channel.name, about.endpoint.address_key)
            if about.proven:
                self._act(session, mail, about)
            session.commit()
        return mail.kind

    def read(self, channel: TakesMail, stopping: Callable[[], bool] = lambda: False) -> Round:
        """Read a channel's mailbox until it is empty, or `stopping`. Blocks.

        A mail that cannot be read is put aside, and stops none of the others. One that the database does not
        take stays where it is.

        Raises:
            MailboxUnavailable: with the cure.
            SQLAlchemyError: the database takes nothing now.
        """
        found = Round()
        mailbox = channel.mailbox()
        if mailbox is None:
            return found
        with mailbox:
            for waiting in mailbox.waiting():
                if stopping():
                    break
                self._take_and_put_away(channel, mailbox, waiting, found)
        return found

    def _take_and_put_away(
        self, channel: TakesMail, mailbox: Mailbox, waiting: Waiting, found: Round
    ) -> None:
        try:
            kind = self.take(channel, waiting.raw)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # A defect in reading one mail is no reason not to read the next.
            log.warning("mail_put_aside", channel=channel.name, reason=type(error).__name__)
            found.unreadable += 1
            mailbox.put_away(waiting, look=True)
            return
        if kind is None:
            found.known += 1
        else:
            found.taken[kind.value] += 1
        mailbox.put_away(waiting, look=False)

    def _token_of(self, session: Session, channel: str, key: int) -> str:
        query = (
            select(Delivery.endpoint_id, Dispatch.list_id)
            .join(Dispatch, col(Dispatch.id) == col(Delivery.dispatch_id))
            .where(Delivery.id == key, Delivery.channel == channel)
        )
        found = session.exec(query).first()
        if found is None or found[0] is None:
            return ""
        return self._tokens.make(Recipient(found[0], found[1]))

    def _about(self, session: Session, channel: TakesMail, mail: Mail) -> _About:
        if mail.key is not None:
            delivery = session.get_one(Delivery, mail.key)
            endpoint = living(session, delivery.endpoint_id or 0)
            return _About(delivery, endpoint, proven=True)
        for token in mail.tokens:
            recipient = self._tokens.read(token)
            endpoint = living(session, recipient.endpoint_id) if recipient else None
            if recipient and endpoint and endpoint.channel == channel.name:
                delivery_of = receipts.latest(session, recipient.endpoint_id, recipient.list_id)
                return _About(delivery_of, endpoint, recipient, proven=True)
        return _About(endpoint=self._claimed(session, channel, mail.address))

    def _claimed(self, session: Session, channel: TakesMail, address: str) -> Endpoint | None:
        try:
            key = normalise(channel.address_kind, address, country=self._settings.city.country).key
        except BadAddress:
            return None
        query = select(Endpoint).where(Endpoint.channel == channel.name, Endpoint.address_key == key)
        return session.exec(query.order_by(col(Endpoint.id))).first()

    def _keep(self, session: Session, channel: TakesMail, mail: Mail, about: _About, digest: str) -> bool:
        """Keep the mail; returns whether it is new."""
        done = mail.kind in _NOTHING_TO_DO or (about.proven and mail.kind in {*_EVENTS, Kind.LEAVE})
        row = Inbound(
            channel=channel.name,
            kind=inbound.REFUSAL if _refuses(mail, about) else mail.kind.value,
            endpoint_id=about.endpoint.id if about.endpoint else None,
            address_hash="" if about.endpoint else self._hash(channel, mail.address),
            text=mail.text if mail.kind is Kind.REPLY else _summary(mail),
            provider_id=_provider_id(digest),
            done_by=_SYSTEM if done else "",
            done_at=now() if done else None,
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            return False
        return True

    def _hash(self, channel: TakesMail, address: str) -> str:
        try:
            key = normalise(channel.address_kind, address, country=self._settings.city.country).key
        except BadAddress:
            return ""
        return address_hash(self._settings.key(), channel.name, key)

    def _act(self, session: Session, mail: Mail, about: _About) -> None:
        """Draw the consequences of a mail that has proven what it is about."""
        if mail.kind is Kind.LEAVE and about.endpoint is not None:
            _leave(session, about.endpoint, about.recipient)
            return
        if mail.kind not in _EVENTS:
            return
        if about.delivery is not None:
            event = Event(_EVENTS[mail.kind], key=about.delivery.id, verdict=mail.verdict, code=mail.code)
            receipts.record(session, event, self._settings.sending)
        elif about.endpoint is not None and mail.kind is Kind.COMPLAINT:
            complain(session, about.endpoint, mail.code, actor="resident")


def _refuses(mail: Mail, about: _About) -> bool:
    """Whether somebody we write to may want no more mails, in their own words (R3)."""
    return mail.kind is Kind.REPLY and about.endpoint is not None and is_refusal(mail.text)


def complain(session: Session, endpoint: Endpoint, reference: str, actor: str) -> None:
    """Enter a complaint that names no delivery: a no to everything for that address (R19)."""
    consent.opt_out(
        session, endpoint.channel, endpoint.address_key,
        method=receipts.COMPLAINT, reference=reference, actor=actor,
    )  # fmt: skip


def _leave(session: Session, endpoint: Endpoint, recipient: Recipient | None) -> None:
    """Do what the mail program's other way of leaving asks for (R17): the same as its one click."""
    consent.opt_out(
        session, endpoint.channel, endpoint.address_key,
        list_id=recipient.list_id if recipient else None, method=BY_MAIL, actor="resident",
    )  # fmt: skip


def _summary(mail: Mail) -> str:
    return " ".join(filter(None, (mail.code, mail.detail)))[:300]


def _provider_id(digest: str) -> str:
    return f"mail {digest}"


def _is_known(session: Session, channel: str, digest: str) -> bool:
    query = select(Inbound.id).where(Inbound.channel == channel, Inbound.provider_id == _provider_id(digest))
    return session.exec(query).first() is not None


# -- for a person


def open_cases(session: Session, channels: Iterable[str], *, everything: bool = False) -> list[Inbound]:
    """Mails of these channels that a person has to look at, oldest first.

    Args:
        everything: also those that are dealt with.
    """
    query = select(Inbound).where(
        col(Inbound.channel).in_(list(channels)), col(Inbound.kind).in_([kind.value for kind in FOR_A_PERSON])
    )
    if not everything:
        query = query.where(col(Inbound.done_at).is_(None))
    return list(session.exec(query.order_by(col(Inbound.id))))


class NoCase(ValueError):
    """There is no such mail to decide about; the message names the cure."""


def decide(session: Session, case_id: int, actor: str, *, believe: bool) -> str:
    """A person's word about a mail that proved nothing.

    Args:
        case_id: its number among the inbound messages.
        actor: who decides.
        believe: take it as true: the address is marked as bad, or the complaint or wish to leave is entered.

    Returns:
        What was done, in words.

    Raises:
        NoCase: no such mail, decided already, or nothing can be done about it.
    """
    case = session.get(Inbound, case_id)
    if case is None or case.kind not in [kind.value for kind in FOR_A_PERSON]:
        raise NoCase(f"There is no bounce or complaint {case_id}. See `notify bounces list`.")
    if case.done_at is not None:
        raise NoCase(f"{case_id} was dealt with by {case.done_by}.")
    done = _believe(session, case, actor) if believe else "ignored"
    case.done_by, case.done_at = actor, now()
    session.add(case)
    audit.record(session, actor, "mail.decide", f"inbound {case_id}", kind=case.kind, done=done)
    return done


def _believe(session: Session, case: Inbound, actor: str) -> str:
    endpoint = session.get(Endpoint, case.endpoint_id) if case.endpoint_id is not None else None
    if endpoint is None:
        raise NoCase(
            f"{case.id} names no address that the hub knows, so there is nothing to mark. Use --ignore."
        )
    if case.kind == Kind.BOUNCE:
        consequences.suppress(
            session, endpoint, f"bounced {case.text.partition(' ')[0]}, confirmed by a person"
        )
        return "address marked as bad"
    if case.kind == Kind.COMPLAINT:
        complain(session, endpoint, case.text.partition(" ")[0], actor)
        return "complaint entered: nothing more is sent there"
    if case.kind == Kind.LEAVE:
        _leave(session, endpoint, None)
        return "wish to leave entered"
    raise NoCase(f"What {case.id} says is for a person to read in the mailbox. Then use --ignore.")


# -- by itself


def readers(channels: Mapping[str, Channel]) -> list[TakesMail]:
    """The channels that hear back by mail."""
    return [channel for channel in channels.values() if isinstance(channel, TakesMail)]


@asynccontextmanager
async def reading(reader: Reader, channels: Mapping[str, Channel]) -> AsyncIterator[None]:
    """Look into every mailbox now and then, for as long as the block lasts."""
    stop = threading.Event()
    waiting = [channel for channel in readers(channels) if channel.mailbox() is not None]
    tasks = [asyncio.create_task(_keep_reading(reader, channel, stop)) for channel in waiting]
    try:
        yield
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN)


async def _keep_reading(reader: Reader, channel: TakesMail, stop: threading.Event) -> None:
    while not stop.is_set():
        look = asyncio.create_task(asyncio.to_thread(_look, reader, channel, stop))
        try:
            await asyncio.shield(look)
        except asyncio.CancelledError:
            with suppress(TimeoutError):  # the mail in hand is finished; the thread ends by itself after it
                await asyncio.wait_for(asyncio.shield(look), STOP_WITHIN)
            raise
        await asyncio.sleep(channel.mail_every)


def _look(reader: Reader, channel: TakesMail, stop: threading.Event) -> None:
    """One round; nothing it meets ends the rounds to come."""
    try:
        found = reader.read(channel, stop.is_set)
    except MailboxUnavailable as error:
        log.warning("mailbox_unavailable", channel=channel.name, reason=str(error))
    except Exception as error:
        log.error("mailbox_failed", channel=channel.name, error=type(error).__name__)  # noqa: TRY400 - no trace: personal data
    else:
        if found.taken or found.unreadable:
            log.info("mailbox_read", channel=channel.name, **found.to_dict())
