"""Where filled-in sign-up forms are taken: within limits, kept as a wish, answered by one message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from channels.contract import ApprovedText
from contacts import pending
from contacts.columns import now
from contacts.pending import Wish
from notify.hub import Hub
from notify.tokens import Recipient
from notify.web.languages import spoken
from notify.web.pages import Pages
from notify.web.public.answers import known_already, please_confirm
from notify.web.public.courier import Courier
from notify.web.public.visitors import Window

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Outcome(StrEnum):
    """What became of a form; it never tells whether the address is known."""

    SENT = "sent"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A wish that was kept, and the message that is to go to its address."""

    token: str
    text: ApprovedText


class Desk:
    """Takes forms, and holds the limits for all pages that bring them."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub, self._pages = hub, pages
        self._web = hub.settings.web
        self._courier = Courier(hub)
        self._window = Window(self._web.signups_per_hour, HOUR.total_seconds())

    async def take(self, wish: Wish) -> Outcome:
        """Keep a wish and write to its address, unless there were too many."""
        if not self._window.admits(wish.ip):
            return Outcome.TOO_MANY
        kept = await run_in_threadpool(self._keep, wish)
        if kept is None:
            return Outcome.TOO_MANY
        if await self._courier.send(wish.channel, wish.address, kept.text):
            return Outcome.SENT
        await run_in_threadpool(self._forget, kept.token)
        return Outcome.UNAVAILABLE

    def _keep(self, wish: Wish) -> _Kept | None:
        with self._hub.database.session() as session:
            if self._too_many(session, wish):
                return None
            # Kept for a known address too: it counts, and takes as long.
            token = pending.ask(session, wish, days=self._web.confirm_within_days)
            known = pending.gets_all(session, wish.channel, wish.address_key, wish.list_ids)
            text = self._known(wish, known.id or 0) if known else self._confirm(wish, token)
            session.commit()
        return _Kept(token, text)

    def _too_many(self, session: Session, wish: Wish) -> bool:
        moment = now()
        today = pending.asked(session, moment - DAY, channel=wish.channel, address_key=wish.address_key)
        if today >= self._web.confirmations_per_day:
            return True
        return pending.asked(session, moment - HOUR) >= self._web.all_signups_per_hour

    def _confirm(self, wish: Wish, token: str) -> ApprovedText:
        language, city = spoken(wish.language), self._pages.city
        until = self._pages.date(now() + timedelta(days=self._web.confirm_within_days), language)
        return please_confirm(language, city, f"{city.public_url}/c/{token}", until)

    def _known(self, wish: Wish, endpoint_id: int) -> ApprovedText:
        token = self._hub.tokens.make(Recipient(endpoint_id, None))
        city = self._pages.city
        return known_already(spoken(wish.language), city, f"{city.public_url}/p/{token}")

    def _forget(self, token: str) -> None:
        with self._hub.database.session() as session:
            pending.forget(session, token)
            session.commit()
