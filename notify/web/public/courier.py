"""One fixed message to one resident who has just asked for it, over the channel's own adapter."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import structlog

from channels.contract import ApprovedText, Batch, CannotCompose, Message, Verdict
from channels.registry import available
from contacts.columns import now
from notify.hub import Hub

log = structlog.get_logger()

WITHIN = 30.0  # seconds for the provider to take it
_TRY_LATER = frozenset({Verdict.THROTTLED, Verdict.UNREACHABLE, Verdict.MISCONFIGURED})


class Courier:
    """Sends at once, past the ledger: these are no statements, and nobody else gets them."""

    def __init__(self, hub: Hub) -> None:
        self._settings = hub.settings

    async def send(self, name: str, address: str, text: ApprovedText) -> bool:
        """Hand one message to the provider.

        Args:
            name: the channel's.
            address: normalised.
            text: fixed sentences, filled in.

        Returns:
            False where trying again later is the cure. What is wrong with the address itself is not told:
            whoever filled in the form need not be its owner.
        """
        try:
            async with asyncio.timeout(WITHIN):
                verdict = await self._send(name, address, text)
        except TimeoutError:
            verdict = Verdict.UNREACHABLE
        except CannotCompose as error:
            log.warning("answer_not_composed", channel=name, reason=str(error))
            return False
        if verdict is not Verdict.ACCEPTED:
            log.warning("answer_not_sent", channel=name, verdict=verdict)
        return verdict not in _TRY_LATER

    async def _send(self, name: str, address: str, text: ApprovedText) -> Verdict:
        # An adapter of its own: the engine's may be closed, or in another process.
        settings = self._settings.channel(name)
        if settings is None:
            return Verdict.MISCONFIGURED  # switched off
        channel = available()[name](settings, self._settings.as_city())
        message = Message(0, address, (channel.compose(text),))

        async def one() -> AsyncIterator[Message]:
            yield message

        reference = f"answer-{secrets.token_hex(8)}"
        async with channel:
            outcomes = [each async for each in channel.send(Batch(reference, 1, 1, now(), one()))]
        return outcomes[0].verdict if outcomes else Verdict.UNKNOWN
