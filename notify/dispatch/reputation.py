"""How our mail is taken: complaints and bounces for each list, against what the large providers allow (R19)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, distinct, func, select
from sqlmodel import Session, col

from channels.contract import EventKind, Finding, Level
from contacts.columns import now
from contacts.models import ContactList
from notify.dispatch.models import ACCEPTED, Delivery, DeliveryState, Dispatch, Receipt

DAYS = 30
AIM = 0.001  # of what was accepted: what to stay under
LIMIT = 0.003  # where Gmail and Yahoo begin to refuse (R19)
LEAST = 1000  # messages below which one complaint says little
EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Rate:
    """One list's (or everybody's) messages over one channel."""

    channel: str
    list_name: str
    accepted: int
    undelivered: int
    complaints: int

    @property
    def share(self) -> float:
        """Complaints by message."""
        return self.complaints / self.accepted if self.accepted else 0.0

    @property
    def level(self) -> Level:
        """Whether somebody has to do something."""
        if self.share > LIMIT and (self.complaints > 1 or self.accepted >= LEAST):
            return Level.ERROR
        return Level.WARNING if self.share > AIM else Level.OK


def rates(session: Session, channels: Iterable[str], since: datetime | None = None) -> list[Rate]:
    """Complaints and bounces by list over some channels.

    Args:
        since: of messages sent from then on; by default the last 30 days.
    """
    begin = since or now() - timedelta(days=DAYS)
    undelivered = case((col(Delivery.state) == DeliveryState.UNDELIVERED, col(Delivery.id)))
    complained = case((col(Receipt.kind) == EventKind.OPTED_OUT, col(Delivery.id)))
    query = (
        select(
            col(Delivery.channel),
            func.coalesce(func.max(col(ContactList.name)), EVERYBODY),
            func.count(distinct(col(Delivery.id))),
            func.count(distinct(undelivered)),
            func.count(distinct(complained)),
        )
        .join(Dispatch, col(Dispatch.id) == col(Delivery.dispatch_id))
        .outerjoin(ContactList, col(ContactList.id) == col(Dispatch.list_id))
        .outerjoin(
            Receipt,
            (col(Receipt.delivery_id) == col(Delivery.id)) & (col(Receipt.kind) == EventKind.OPTED_OUT),
        )
        .where(
            col(Dispatch.created_at) >= begin - timedelta(days=1),  # few dispatches: found before their rows
            col(Delivery.channel).in_(list(channels)),
            col(Delivery.state).in_(ACCEPTED),
            col(Delivery.sent_at) >= begin,
        )
        .group_by(col(Delivery.channel), col(Dispatch.list_id))
        .order_by(col(Delivery.channel), func.max(col(ContactList.name)))
    )
    return [Rate(*row) for row in session.execute(query)]


def findings(session: Session, channels: Iterable[str]) -> list[Finding]:
    """For the doctor: lists whose readers complain more than providers put up with."""
    return [
        Finding(
            rate.level,
            f"{rate.channel}: complaints",
            f"{rate.complaints} of {rate.accepted} messages to {rate.list_name} ({rate.share:.2%}) were called "
            f"spam in {DAYS} days; aim for under {AIM:.1%}, providers refuse from {LIMIT:.1%}.",
            "Look at how people came on that list, and at what it is sent.",
        )
        for rate in rates(session, channels)
        if rate.level is not Level.OK
    ]
