"""A stand-in for Twilio's REST API for messages, version 2010-04-01.

Answers, errors and callbacks have the shapes of https://www.twilio.com/docs/messaging/api/message-resource,
https://www.twilio.com/docs/usage/twilios-response and https://www.twilio.com/docs/messaging/guides/webhook-request.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from urllib.parse import urlencode
from xml.etree import ElementTree

from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.sandbox.captured import Direction, Numbers, Shelf, Text, append_line, file_name
from channels.sandbox.faults import Faults, Kind, Rule
from channels.sandbox.hub import Hub, HubUnreachable
from channels.sandbox.server import LocalServer, play

VERSION = "2010-04-01"
NUMBER = "+15005550006"  # Twilio's own test number that can send

# Twilio's defaults: https://help.twilio.com/articles/223134027
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})
STOPPED = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number."
    " Reply START to resubscribe."
)
STARTED = (
    "You have successfully been re-subscribed to messages from this number. Reply HELP for help."
    " Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)
HELPED = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."

# code: (HTTP status, message), https://www.twilio.com/docs/api/errors
ERRORS: Mapping[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service is unavailable. Please try again"),
    21211: (400, "Invalid 'To' Phone Number"),
    21212: (400, "Invalid 'From' Phone Number"),
    21408: (
        400,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    ),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number provided is not a valid message-capable Twilio phone number"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number provided is not currently reachable via SMS"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}

# Numbers with a fixed fate, https://www.twilio.com/docs/iam/test-credentials
MAGIC_NUMBERS: Mapping[str, int] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
# Ours: +1500555 and four digits; the message is taken and later reported undelivered with 3000x.
_MAGIC_UNDELIVERED = re.compile(r"\+1500555(300[3-9])$")

Handler = Callable[[web.Request], Awaitable[web.Response]]

_E164 = re.compile(r"\+[1-9]\d{6,14}$")
_LONGEST_BODY = 1600
_LONGEST_PAGE = 1000
_DEFAULT_PAGE = 50
_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_DOUBLE = frozenset("\f^{}\\[~]|€")


class SmsProvider:
    """The provider's side of text messages: takes them, reports on them, carries the residents' answers."""

    def __init__(self, folder: Path, hub: Hub, shelf: Shelf[Text], numbers: Numbers, rng: Random) -> None:
        """Keep one file for each phone number in `folder`; take message numbers from `numbers`."""
        self.folder = folder
        self.hub = hub
        self.shelf = shelf
        self.faults = Faults()
        self.opted_out: set[str] = set()
        self.lost_callbacks = 0
        self.delay = 0.3  # seconds, at most, from one status to the next
        self._numbers = numbers
        self._rng = rng
        self.account_sid = f"AC{self._hex()}"
        self.auth_token = self._hex()
        self.number_sid = f"PN{self._hex()}"
        self.service_sid = f"MG{self._hex()}"
        self._by_sid: dict[str, Text] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(16)
        self._validator = RequestValidator(self.auth_token)

    def _hex(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"

    def routes(self, server: LocalServer) -> None:
        """Add the API's paths to a server."""
        account = f"/{VERSION}/Accounts/{{account}}"
        server.app.add_routes(
            [
                web.post(f"{account}/Messages.json", self._guarded(self._create)),
                web.get(f"{account}/Messages.json", self._guarded(self._list)),
                web.get(f"{account}/Messages/{{sid}}.json", self._guarded(self._fetch)),
                web.get(f"{account}/IncomingPhoneNumbers.json", self._guarded(self._list_numbers)),
                web.get(f"/{VERSION}/Accounts/{{account}}.json", self._guarded(self._fetch_account)),
                web.get("/v1/Services/{sid}", self._guarded(self._fetch_service)),
                web.route("*", "/{rest:.*}", self._unknown),
            ]
        )

    def _guarded(self, handler: Handler) -> Handler:
        """The handler behind HTTP basic authentication."""
        expected = "Basic " + b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()

        async def guarded(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), expected.encode()):
                return error(20003)
            if request.match_info.get("account", self.account_sid) != self.account_sid:
                return error(20404)
            return await handler(request)

        return guarded

    async def _unknown(self, request: web.Request) -> web.Response:
        return error(20404, f"The requested resource {request.path} was not found")

    async def _create(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        to = form.get("To", "")
        rule = self.faults.find(to)

        def accept() -> web.Response:
            later = rule.code if rule and rule.kind is Kind.UNDELIVERED else 0
            return self._accept(form, later)

        return await play(request, rule, accept, _refuse)

    def _accept(self, form: Mapping[str, str], later: int) -> web.Response:
        if code := self._objection(form):
            return error(code)
        text = self._take(form)
        magic = _MAGIC_UNDELIVERED.match(text.address)
        failure = later or (30000 + int(magic[1]) - 3000 if magic else 0)
        self._start(self._progress(text, failure))
        return web.json_response(self._resource(text), status=201)

    def _objection(self, form: Mapping[str, str]) -> int:
        """The code with which Twilio refuses this message, or 0."""
        to, body = form.get("To", ""), form.get("Body", "")
        sender = form.get("From") or form.get("MessagingServiceSid", "")
        checks = (
            (not to, 21604),
            (not body, 21602),
            (not sender, 21603),
            (to in MAGIC_NUMBERS, MAGIC_NUMBERS.get(to, 0)),
            (not _E164.match(to), 21211),
            (sender not in (NUMBER, self.service_sid), 21606),
            (len(body) > _LONGEST_BODY, 21617),
            (to in self.opted_out, 21610),
        )
        return next((code for fails, code in checks if fails), 0)

    def _take(self, form: Mapping[str, str]) -> Text:
        text = self._text(form["To"], form["Body"], "queued" if form.get("From") else "accepted")
        text.sender = form.get("From") or form["MessagingServiceSid"]
        text.callback = form.get("StatusCallback", "")
        return self._keep(text)

    def _text(self, number: str, body: str, status: str, direction: Direction = Direction.OUT) -> Text:
        return Text(
            number=self._numbers.next(),
            time=_now(),
            address=number,
            direction=direction,
            status=status,
            sid=f"SM{self._hex()}",
            sender=NUMBER,
            text=body,
            segments=segments(body),
            sent=_now() if status in ("received", "delivered") else None,
        )

    def _keep(self, text: Text) -> Text:
        append_line(self.folder / f"{file_name(text.address)}.txt", text, text.text)
        return self.remember(text)

    def remember(self, text: Text) -> Text:
        """Take a message up into what is listed and shown."""
        self._by_sid[text.sid] = text
        while len(self._by_sid) > self.shelf.keep * 2:
            del self._by_sid[next(iter(self._by_sid))]
        return self.shelf.add(text)

    async def _fetch(self, request: web.Request) -> web.Response:
        text = self._by_sid.get(request.match_info["sid"])
        return web.json_response(self._resource(text)) if text else error(20404)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._listed(request))
        except ValueError:
            return error(20001, "A filter of the list could not be read")

    def _listed(self, request: web.Request) -> dict[str, object]:
        found = [text for text in reversed(self._by_sid.values()) if _matches(text, request.query)]
        size = min(int(request.query.get("PageSize", _DEFAULT_PAGE)), _LONGEST_PAGE)
        page = int(request.query.get("Page", 0))
        items = [self._resource(text) for text in found[page * size : (page + 1) * size]]
        return _page(request, "messages", items, page, size, len(found))

    async def _list_numbers(self, request: web.Request) -> web.Response:
        asked = request.query.get("PhoneNumber", "")
        items = [self._number_resource()] if asked in ("", NUMBER) else []
        return web.json_response(
            _page(request, "incoming_phone_numbers", items, 0, _DEFAULT_PAGE, len(items))
        )

    async def _fetch_service(self, request: web.Request) -> web.Response:
        """https://www.twilio.com/docs/messaging/api/service-resource"""
        if request.match_info["sid"] != self.service_sid:
            return error(20404)
        return web.json_response(
            {
                "sid": self.service_sid,
                "account_sid": self.account_sid,
                "friendly_name": "Sandbox",
                "inbound_request_url": self.hub.declared("/hooks/sms"),
                "inbound_method": "POST",
                "use_inbound_webhook_on_number": False,
                "url": f"https://messaging.twilio.com{request.path}",
            }
        )

    async def _fetch_account(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "sid": self.account_sid,
                "friendly_name": "Sandbox",
                "status": "active",
                "type": "Trial",
                "owner_account_sid": self.account_sid,
                "date_created": format_datetime(_now()),
                "date_updated": format_datetime(_now()),
                "uri": request.path,
                "subresource_uris": {"messages": self._path("Messages")},
            }
        )

    def _path(self, rest: str) -> str:
        return f"/{VERSION}/Accounts/{self.account_sid}/{rest}.json"

    def _resource(self, text: Text) -> dict[str, object]:
        path = self._path(f"Messages/{text.sid}")
        outgoing = text.direction is Direction.OUT
        by_service = text.sender.startswith("MG")
        sender = NUMBER if by_service and text.sent else None if by_service else text.sender
        return {
            "account_sid": self.account_sid,
            "api_version": VERSION,
            "body": text.text,
            "date_created": format_datetime(text.time),
            "date_sent": format_datetime(text.sent) if text.sent else None,
            "date_updated": format_datetime(text.sent or text.time),
            "direction": "outbound-api" if outgoing else "inbound",
            "error_code": int(text.code) if text.code else None,
            "error_message": None,
            "from": sender if outgoing else text.address,
            "messaging_service_sid": text.sender if by_service else None,
            "num_media": "0",
            "num_segments": str(text.segments),
            "price": None,
            "price_unit": "USD",
            "sid": text.sid,
            "status": text.status,
            "subresource_uris": {"media": path.replace(".json", "/Media.json")},
            "to": text.address if outgoing else NUMBER,
            "uri": path,
        }

    def _number_resource(self) -> dict[str, object]:
        return {
            "sid": self.number_sid,
            "account_sid": self.account_sid,
            "phone_number": NUMBER,
            "friendly_name": "Sandbox",
            "capabilities": {"voice": False, "sms": True, "mms": False, "fax": False},
            "sms_url": self.hub.declared("/hooks/sms"),
            "sms_method": "POST",
            "status": "in-use",
            "api_version": VERSION,
            "uri": self._path(f"IncomingPhoneNumbers/{self.number_sid}"),
        }

    def _start(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _progress(self, text: Text, failure: int) -> None:
        """Report `sent`, then `delivered`, or `undelivered` with a code."""
        await self._step(text, "sent")
        await self._step(text, "undelivered" if failure else "delivered", str(failure or ""))

    async def _step(self, text: Text, status: str, code: str = "") -> None:
        await asyncio.sleep(self._rng.random() * self.delay)
        text.sent = text.sent or _now()
        self.shelf.mark(text, status, code)
        if not text.callback:
            return
        try:
            async with self._gate:
                await self._call(text.callback, self._status_form(text))
        except HubUnreachable:
            self.lost_callbacks += 1

    def _status_form(self, text: Text) -> dict[str, str]:
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": VERSION,
            "From": NUMBER,
            "MessageSid": text.sid,
            "MessageStatus": text.status,
            "SmsSid": text.sid,
            "SmsStatus": text.status,
            "To": text.address,
        }
        if text.sender.startswith("MG"):
            form["MessagingServiceSid"] = text.sender
        if text.code:
            form["ErrorCode"] = text.code
        return form

    async def _call(self, url: str, form: Mapping[str, str]) -> bytes:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "X-Twilio-Signature": self._validator.compute_signature(url, dict(form)),
            "I-Twilio-Idempotency-Token": self._hex(),
        }
        return await self.hub.post(url, urlencode(form).encode(), headers)

    async def settled(self) -> None:
        """Wait until every message taken so far has its last status, and the hub was told."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    async def stop(self) -> None:
        """Report nothing more."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def reply(self, number: str, body: str) -> list[str]:
        """A resident writes back: the provider's own answer to its keywords, then the hub's.

        Returns:
            The texts that reached the resident.

        Raises:
            HubUnreachable: a hub is known and did not take the message.
        """
        text = self._keep(self._text(number, body, "received", Direction.IN))
        answers = self._keyword(number, body)
        if url := self.hub.declared("/hooks/sms"):
            twiml = await self._call(url, self._inbound_form(text))
            if number not in self.opted_out:
                answers += messages(twiml)
        for answer in answers:
            self._keep(self._text(number, answer, "delivered"))
        return answers

    def _keyword(self, number: str, body: str) -> list[str]:
        """What Twilio does of itself with its default keywords."""
        word = body.strip().upper()
        if word in STOP_WORDS:
            repeated = number in self.opted_out
            self.opted_out.add(number)
            return [] if repeated else [STOPPED]
        if word in START_WORDS and number in self.opted_out:
            self.opted_out.discard(number)
            return [STARTED]
        return [HELPED] if word in HELP_WORDS and number not in self.opted_out else []

    def _inbound_form(self, text: Text) -> dict[str, str]:
        return {
            "AccountSid": self.account_sid,
            "ApiVersion": VERSION,
            "Body": text.text,
            "From": text.address,
            "FromCity": "",
            "FromCountry": "US",
            "FromState": "",
            "FromZip": "",
            "MessageSid": text.sid,
            "NumMedia": "0",
            "NumSegments": str(text.segments),
            "SmsMessageSid": text.sid,
            "SmsSid": text.sid,
            "SmsStatus": "received",
            "To": NUMBER,
            "ToCity": "",
            "ToCountry": "US",
            "ToState": "",
            "ToZip": "",
        }


def segments(body: str) -> int:
    """How many segments Twilio bills: 160/153 GSM-7 septets, or 70/67 UTF-16 units (R22).

    Counted without the SMS channel's own code: a test holds the two against each other.
    """
    if set(body) <= _GSM_7 | _GSM_7_DOUBLE:
        return _share(sum(2 if letter in _GSM_7_DOUBLE else 1 for letter in body), 160, 153)
    return _share(len(body.encode("utf-16-le")) // 2, 70, 67)


def _share(size: int, single: int, joined: int) -> int:
    return 1 if size <= single else -(-size // joined)


def messages(twiml: bytes) -> list[str]:
    """The texts of the `<Message>` verbs in a TwiML answer; none where it is empty or not TwiML."""
    try:
        root = ElementTree.fromstring(twiml)  # noqa: S314 - our own hub wrote it, and expat bounds entities
    except ElementTree.ParseError:
        return []
    found = ("".join(message.itertext()).strip() for message in root.iter("Message"))
    return [text for text in found if text]


def error(code: int, message: str = "", seconds: float = 0) -> web.Response:
    """An error as Twilio writes it."""
    status, words = ERRORS.get(code, (400, "The request could not be processed"))
    body = {
        "code": code,
        "message": message or words,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    headers = {"Retry-After": f"{seconds:g}"} if seconds else {}
    return web.json_response(body, status=status, headers=headers)


def _refuse(rule: Rule) -> web.Response:
    if rule.kind is Kind.THROTTLED:
        return error(20429, seconds=rule.seconds)
    if rule.kind is Kind.DOWN:
        return web.json_response(
            {"code": 20503, "message": ERRORS[20503][1], "more_info": "", "status": rule.code or 503},
            status=rule.code or 503,
        )
    return error(rule.code, rule.text)


def _matches(text: Text, query: Mapping[str, str]) -> bool:
    """Whether a message passes the filters To, From and DateSent (`DateSent<` and `DateSent>` inclusive)."""
    outgoing = text.direction is Direction.OUT
    to, sender = (text.address, NUMBER) if outgoing else (NUMBER, text.address)
    moment = text.sent or text.time
    if query.get("To", to) != to or query.get("From", sender) != sender:
        return False
    return all(
        _in_range(moment, sign, query[f"DateSent{sign}"])
        for sign in ("", "<", ">")
        if f"DateSent{sign}" in query
    )


def _in_range(moment: datetime, sign: str, limit: str) -> bool:
    start = datetime.fromisoformat(limit)
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    if not sign:
        return moment.date() == start.date()  # Twilio compares days
    end = start + (timedelta(days=1) if len(limit) <= len("2026-11-22") else timedelta(seconds=1))
    return moment < end if sign == "<" else moment >= start


def _page(
    request: web.Request, name: str, items: Iterable[object], page: int, size: int, total: int
) -> dict[str, object]:
    def uri(number: int) -> str:
        return str(request.rel_url.update_query(Page=str(number), PageSize=str(size)))

    items = list(items)
    return {
        name: items,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + len(items) - 1 if items else 0,
        "uri": str(request.rel_url),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if (page + 1) * size < total else None,
        "previous_page_uri": uri(page - 1) if page else None,
    }


def _now() -> datetime:
    return datetime.now(UTC)
