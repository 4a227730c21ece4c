"""What `notify doctor` finds out about the SMS channel, without sending anything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

from channels.contract import City, Finding, Level
from channels.net import leads_to_loopback
from channels.sms.callbacks import PATH
from channels.sms.codes import CODES
from channels.sms.http import UNREADABLE, NeverSent, NoAnswer, ProviderSaidNo, twilio_client
from channels.sms.settings import SmsSettings

_TOLL_FREE = re.compile(r"\+18(00|33|44|55|66|77|88)\d{7}")
_FAILURES = (ProviderSaidNo, NeverSent, NoAnswer, *UNREADABLE)


def _ok(subject: str, message: str) -> Finding:
    return Finding(Level.OK, subject, message)


def _warning(subject: str, message: str, cure: str) -> Finding:
    return Finding(Level.WARNING, subject, message, cure)


def _error(subject: str, message: str, cure: str) -> Finding:
    return Finding(Level.ERROR, subject, message, cure)


async def run(settings: SmsSettings, city: City) -> list[Finding]:
    """Every finding: first what the settings say by themselves, then what Twilio says of them."""
    findings = list(of_settings(settings, city))
    async with twilio_client(settings) as client:
        findings.append(await _account(client, settings))
        if findings[-1].level is not Level.ERROR:
            findings += [finding async for finding in _sender(client, settings, city)]
    return findings


# -- what the settings say


def of_settings(settings: SmsSettings, city: City) -> Iterator[Finding]:
    """What can be said without asking anybody."""
    yield from _addresses(settings, city)
    yield from _sender_kind(settings)


def _addresses(settings: SmsSettings, city: City) -> Iterator[Finding]:
    if not settings.is_real:
        yield _warning(
            "SMS API",
            "Messages go to a stand-in on this machine.",
            "For the real ones unset NOTIFY_SMS__API_BASE.",
        )
    if not city.public_url:
        yield _warning(
            "SMS receipts",
            "Without a public address there are no receipts, and STOP does not reach us.",
            "Set NOTIFY_PUBLIC_URL to an address Twilio can call.",
        )
    elif settings.is_real:
        yield from _public_address(city.public_url)


def _public_address(url: str) -> Iterator[Finding]:
    if leads_to_loopback(url):
        yield _error(
            "SMS receipts",
            "Twilio cannot call an address of this machine, and refuses messages that name it (21609).",
            "Set NOTIFY_PUBLIC_URL to an address Twilio can call, or NOTIFY_SMS__STATUS_CALLBACKS to false.",
        )
    if "_" in (urlsplit(url).hostname or ""):
        yield _error(
            "SMS receipts",
            "Twilio refuses host names with an underscore.",
            "Use another name in NOTIFY_PUBLIC_URL.",
        )
    if url.startswith("http://") and not leads_to_loopback(url):
        yield _warning(
            "SMS receipts",
            "Residents' texts come back over http://, unencrypted.",
            "Use https:// in NOTIFY_PUBLIC_URL.",
        )


def _sender_kind(settings: SmsSettings) -> Iterator[Finding]:
    if not settings.is_real or not settings.sender.startswith("+1"):
        return
    if _TOLL_FREE.fullmatch(settings.sender):
        yield _warning(
            "SMS sender",
            "A toll-free number sends about 3 segments a second, and none before it is verified (R9).",
            "See in the Twilio console that its verification is approved; for speed use a short code.",
        )
    else:
        yield _warning(
            "SMS sender",
            "A US long code sends about 1 segment a second, and none without an A2P 10DLC campaign (R9).",
            "Register brand and campaign in the Twilio console; for speed use a service or a short code.",
        )


# -- what Twilio says


async def _account(client: Any, settings: SmsSettings) -> Finding:
    try:
        account = await client.api.v2010.accounts(settings.account_sid).fetch_async()
    except _FAILURES as error:
        return _failure("SMS account", error)
    if account.status != "active":
        return _error(
            "SMS account", f"The account is {account.status}.", "Activate it in the Twilio console."
        )
    if account.type == "Trial" and settings.is_real:
        return _warning(
            "SMS account", "A trial account only writes to verified numbers.", "Upgrade it in the console."
        )
    return _ok("SMS account", "Twilio knows the account, and it is active.")


def _failure(subject: str, error: Exception) -> Finding:
    """A finding for a question Twilio did not answer well; no word of its answer, which may name a number."""
    if isinstance(error, ProviderSaidNo):
        known = CODES.get(error.code or 0)
        cure = "See NOTIFY_SMS__ACCOUNT_SID, NOTIFY_SMS__AUTH_TOKEN and NOTIFY_SMS__API_BASE."
        return _error(
            subject, known.meaning if known else f"Twilio answered with HTTP status {error.status}.", cure
        )
    if isinstance(error, (NeverSent, NoAnswer)):
        return _error(
            subject, f"Twilio cannot be reached ({error}).", "See the network, and NOTIFY_SMS__API_BASE."
        )
    return _error(subject, "What answers there is not Twilio's API.", "See NOTIFY_SMS__API_BASE.")


async def _sender(client: Any, settings: SmsSettings, city: City) -> AsyncIterator[Finding]:
    look = _service if settings.is_service else _number if settings.sender.startswith("+") else _short_code
    try:
        async for finding in look(client, settings.sender, city.public_url and f"{city.public_url}{PATH}"):
            yield finding
    except _FAILURES as error:
        yield _failure("SMS sender", error)


async def _number(client: Any, sender: str, hook: str) -> AsyncIterator[Finding]:
    numbers = await client.incoming_phone_numbers.list_async(phone_number=sender, limit=1)
    if not numbers:
        yield _not_ours()
        return
    if not (numbers[0].capabilities or {}).get("sms"):
        yield _error(
            "SMS sender", "The number cannot send text messages.", "Choose another in NOTIFY_SMS__FROM."
        )
        return
    yield _ok("SMS sender", "The number belongs to the account and can send text messages.")
    if hook:
        yield _replies(numbers[0].sms_url, hook)


async def _short_code(client: Any, sender: str, hook: str) -> AsyncIterator[Finding]:
    codes = await client.short_codes.list_async(short_code=sender, limit=1)
    if not codes:
        yield _not_ours()
        return
    yield _ok("SMS sender", "The short code belongs to the account.")
    if hook:
        yield _replies(codes[0].sms_url, hook)


async def _service(client: Any, sender: str, hook: str) -> AsyncIterator[Finding]:
    service = await client.messaging.v1.services(sender).fetch_async()
    yield _ok("SMS sender", "The messaging service belongs to the account.")
    if not service.us_app_to_person_registered:
        yield _warning(
            "SMS sender",
            "No A2P 10DLC campaign is registered for the messaging service (R9).",
            "Register brand and campaign in the Twilio console; without them US networks block long codes.",
        )
    if hook and not service.use_inbound_webhook_on_number:
        yield _replies(service.inbound_request_url, hook)


def _not_ours() -> Finding:
    return _error("SMS sender", "The sender does not belong to the account.", "Correct NOTIFY_SMS__FROM.")


def _replies(configured: str | None, hook: str) -> Finding:
    if configured == hook:
        return _ok("SMS replies", "STOP and other replies reach us.")
    return _warning(
        "SMS replies",
        "Twilio does not bring residents' replies to us, so STOP in other languages than English is lost.",
        f"In the Twilio console let incoming messages of the sender be sent to {hook} by HTTP POST.",
    )
