"""The SMS channel: text messages through Twilio's REST API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from channels.contract import (
    AddressKind,
    Answer,
    ApprovedText,
    Batch,
    CallbackRequest,
    City,
    Event,
    Finding,
    Message,
    MissingSettings,
    Outcome,
    Rendering,
    Verdict,
)
from channels.pacing import fan_out
from channels.sms import callbacks, checks
from channels.sms.codes import CODES, Code, seconds_to_tomorrow, verdict_for
from channels.sms.composing import compose
from channels.sms.http import UNREADABLE, NeverSent, NoAnswer, ProviderSaidNo, twilio_client
from channels.sms.keywords import fold
from channels.sms.settings import SmsSettings

_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
# Put by Twilio before every text of a trial account.
_TRIAL_PREFIX = "Sent from your Twilio trial account - "
_SETTLED = timedelta(seconds=60)  # after that a message that was accepted is in the provider's list
_SKEW = timedelta(seconds=30)  # our clock may run before the provider's
_MOST_RECORDS = 1000


class SmsChannel:
    """Text messages through Twilio. See `channels.contract.Channel` for what each method promises."""

    name: ClassVar[str] = "sms"
    label: ClassVar[str] = "Text message (Twilio)"
    unit: ClassVar[str] = "segments"
    address_kind: ClassVar[AddressKind] = AddressKind.PHONE
    batch_size: ClassVar[int] = 500
    repeat_is_safe: ClassVar[bool] = False
    disturbs: ClassVar[bool] = True
    per_household: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = SmsSettings

    def __init__(self, settings: BaseModel, city: City) -> None:
        """Take settings that `SmsSettings` has checked.

        Raises:
            MissingSettings: these are another channel's settings.
        """
        if not isinstance(settings, SmsSettings):
            raise MissingSettings(
                "The SMS channel needs NOTIFY_SMS__ACCOUNT_SID, __AUTH_TOKEN and __FROM: set them."
            )
        self.settings = settings
        self.city = city
        self.rate = settings.rate
        self._open = AsyncExitStack()
        self._client: Any = None  # the SDK's, while the channel is open
        self._sender = {("messaging_service_sid" if settings.is_service else "from_"): settings.sender}

    async def __aenter__(self) -> Self:
        """Open the session to Twilio; connections are made when messages leave."""
        self._client = await self._open.enter_async_context(twilio_client(self.settings))
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the session."""
        self._client = None
        await self._open.aclose()

    async def announce(self) -> None:
        """Nothing to tell: each message names its own callback; for replies see the README."""

    def compose(self, text: ApprovedText) -> Rendering:
        """Put the city's name, the short text, the link and the STOP line together; count and price it.

        Raises:
            CannotCompose: nothing to say, or too much of it.
        """
        return compose(text, self.city, self.settings)

    def send(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Hand the messages to Twilio, `concurrency` at a time; outcomes in the order of their answers."""
        return fan_out(batch.messages, partial(self._send_one, self._list()), self.settings.concurrency)

    def _list(self) -> Any:
        """The SDK's list of messages.

        Raises:
            RuntimeError: the channel is not open.
        """
        if self._client is None:
            raise RuntimeError("Open the channel first: async with channel.")
        return self._client.messages

    async def _send_one(self, messages: Any, message: Message) -> Outcome:
        parameters = self._parameters(message)
        try:
            created = await messages.create_async(**parameters)
        except ProviderSaidNo as error:
            return refusal(message, error, datetime.now(UTC))
        except NeverSent as error:
            return Outcome(message.key, Verdict.UNREACHABLE, detail=f"No connection to Twilio ({error})")
        except NoAnswer as error:
            return Outcome(message.key, Verdict.UNKNOWN, detail=f"Twilio did not answer ({error})")
        except UNREADABLE:
            return _unreadable(message)
        if not _MESSAGE_SID.fullmatch(str(created.sid)):
            return _unreadable(message)
        return Outcome(message.key, Verdict.ACCEPTED, provider_id=created.sid)

    def _parameters(self, message: Message) -> dict[str, object]:
        """What the API's `CreateMessage` takes, by the SDK's names."""
        parameters: dict[str, object] = {
            "to": message.address,
            "body": message.rendering.content,
            **self._sender,
        }
        if self.settings.status_callbacks and self.city.public_url:
            parameters["status_callback"] = callbacks.status_url(
                self.city.public_url, message.key, message.token
            )
        return parameters

    async def reconcile(self, message: Message, since: datetime) -> Outcome | None:
        """Look for the message among those Twilio has for this number.

        Not asked by date: Twilio's filter looks at the day of sending, which a queued message has not got.
        """
        messages = self._list()
        try:
            records = await messages.list_async(
                to=message.address, limit=_MOST_RECORDS, page_size=_MOST_RECORDS
            )
        except (ProviderSaidNo, NeverSent, NoAnswer, *UNREADABLE):
            return None
        return found(records, message, since, datetime.now(UTC))

    def read_callback(self, request: CallbackRequest) -> Sequence[Event]:
        """Read a receipt or a resident's message.

        Raises:
            CallbackRefused: Twilio did not sign it.
        """
        return callbacks.read(request, self.settings, self.city.languages)

    def answer(self, event: Event, text: str) -> Answer:
        """The reply to a callback: TwiML, empty where there is nothing to say or Twilio has said it."""
        return callbacks.answer(event, text)

    async def check(self) -> Sequence[Finding]:
        """Look at the account, the sender and the addresses Twilio calls; nothing is sent."""
        return await checks.run(self.settings, self.city)


def refusal(message: Message, error: ProviderSaidNo, now: datetime) -> Outcome:
    """The outcome of an answer that is no success, given at the moment `now`."""
    verdict = verdict_for(error.status, error.code, message.attempt)
    known = CODES.get(error.code or 0)
    return Outcome(
        key=message.key,
        verdict=verdict,
        code=None if error.code is None else str(error.code),
        detail=known.meaning if known else f"Twilio answered with HTTP status {error.status}",
        retry_after=_pause(error, known, now) if verdict is Verdict.THROTTLED else None,
    )


def _pause(error: ProviderSaidNo, known: Code | None, now: datetime) -> float | None:
    if error.retry_after is None and known and known.until_tomorrow:
        return seconds_to_tomorrow(now)
    return error.retry_after


def _unreadable(message: Message) -> Outcome:
    return Outcome(message.key, Verdict.UNKNOWN, detail="Twilio's answer could not be read")


def found(records: Sequence[Any], message: Message, since: datetime, now: datetime) -> Outcome | None:
    """What Twilio's records of one number tell about a message that it may have accepted after `since`.

    Args:
        records: the SDK's message instances for the address, all that there are up to `_MOST_RECORDS`.

    Returns:
        ACCEPTED where one of them is the message; UNREACHABLE where it is provably not among them; None where
        it is too early to say, or the account keeps no texts.
    """
    later = [record for record in records if _is_later(record, since)]
    for record in later:
        if _is_same(record.body, message):
            return Outcome(
                message.key, Verdict.ACCEPTED, provider_id=record.sid, detail="Found in Twilio's list"
            )
    complete = len(records) < _MOST_RECORDS and all(record.body for record in later)
    if complete and now - since > _SETTLED:
        return Outcome(message.key, Verdict.UNREACHABLE, detail="Twilio never had it")
    return None


def _is_later(record: Any, since: datetime) -> bool:
    outbound = str(record.direction).startswith("outbound")
    return outbound and (record.date_created is None or record.date_created >= since - _SKEW)


def _is_same(body: str | None, message: Message) -> bool:
    """Whether this is the message's text, whatever a messaging service did to its punctuation."""
    ours = fold(str(message.rendering.content))
    return fold((body or "").removeprefix(_TRIAL_PREFIX)) == ours
