"""Links by which residents join in an app instead of on the page, where a channel has such."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic

import segno
from markupsafe import Markup

from channels.contract import Conversing, NoInvitation
from notify.hub import Hub
from notify.tokens import Recipient

WITHIN = 3.0  # seconds for a provider to tell the link: a page waits for it
AGAIN_AFTER = 60.0  # seconds after it did not


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that opens a chat with the city."""

    app: str  # "Telegram"
    url: str

    @property
    def qr(self) -> Markup:
        """The link as a picture for a phone's camera, as SVG."""
        code = segno.make(self.url, error="m", micro=False)
        return Markup(code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True))  # noqa: S704 - segno's


class Invitations:
    """Asks each channel once for each list."""

    def __init__(self, hub: Hub) -> None:
        self._channels = [each for each in hub.channels.values() if isinstance(each, Conversing)]
        self._tokens = hub.tokens
        self._known: dict[tuple[str, int | None], Invitation] = {}
        self._not_before = 0.0

    async def to(self, list_id: int | None) -> list[Invitation]:
        """The links to join one list, or the city's messages at all."""
        found = [await self._one(channel, list_id) for channel in self._channels]
        return [invitation for invitation in found if invitation]

    async def _one(self, channel: Conversing, list_id: int | None) -> Invitation | None:
        name = str(getattr(channel, "name", ""))
        if (name, list_id) not in self._known and monotonic() >= self._not_before:
            payload = self._tokens.make(Recipient(0, list_id))
            try:
                url = await asyncio.wait_for(channel.invite(payload), WITHIN)
            except (NoInvitation, TimeoutError):
                self._not_before = monotonic() + AGAIN_AFTER
                return None
            self._known[name, list_id] = Invitation(name.capitalize(), url)
        return self._known.get((name, list_id))
