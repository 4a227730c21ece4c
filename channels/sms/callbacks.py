"""What Twilio calls back: receipts, and what residents write. One address serves both, `/hooks/sms`.

Shapes: https://www.twilio.com/docs/messaging/guides/webhook-request and
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status; signatures:
https://www.twilio.com/docs/usage/security#validating-requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from multidict import MultiDict
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from channels.contract import Answer, CallbackRefused, CallbackRequest, Event, EventKind
from channels.sms import keywords
from channels.sms.codes import verdict_of
from channels.sms.composing import is_right_to_left, keep_direction
from channels.sms.keywords import Keyword, Meaning
from channels.sms.segments import normalise
from channels.sms.settings import SmsSettings

PATH = "/hooks/sms"
_MOST_FIELDS = 200

_STATUSES = {
    "accepted": EventKind.SENT,
    "scheduled": EventKind.SENT,
    "queued": EventKind.SENT,
    "sending": EventKind.SENT,
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "read": EventKind.DELIVERED,
    "undelivered": EventKind.UNDELIVERED,
    "failed": EventKind.UNDELIVERED,
    "canceled": EventKind.UNDELIVERED,
}
_MEANINGS = {
    Meaning.STOP: EventKind.OPTED_OUT,
    Meaning.START: EventKind.OPTED_IN,
    Meaning.HELP: EventKind.HELP,
    # The core knows whether the number is opted out (R4), which lists there are, and the city's languages.
    Meaning.YES: EventKind.REPLY,
    Meaning.JOIN: EventKind.REPLY,
    Meaning.LANGUAGE: EventKind.REPLY,
}


def status_url(public_url: str, key: int, token: str) -> str:
    """Where Twilio reports what became of one delivery."""
    query = {"d": str(key), "t": token} if token else {"d": str(key)}
    return f"{public_url}{PATH}?{urlencode(query)}"


def read(request: CallbackRequest, settings: SmsSettings, languages: Sequence[str] = ()) -> tuple[Event, ...]:
    """Check the signature, then read the one event a request carries; none for a status nobody needs.

    Args:
        request: as Twilio sent it.
        settings: the channel's.
        languages: those the city speaks, BCP 47: a word that several languages have tells the city's.

    Raises:
        CallbackRefused: the signature is absent or wrong, or the body is no form.
    """
    form = _form(request.body)
    _check_signature(request, form, settings)
    if status := form.get("MessageStatus"):
        return _receipt(status, form, request.url)
    return (_inbound(form, settings, languages),) if "Body" in form else ()


def _form(body: bytes) -> MultiDict[str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise CallbackRefused("The body of the request is no form.") from None
    return MultiDict(pairs)


def _check_signature(request: CallbackRequest, form: MultiDict[str], settings: SmsSettings) -> None:
    validator = RequestValidator(settings.auth_token.get_secret_value())
    if not validator.validate(request.url, form, request.headers.get("x-twilio-signature", "")):
        raise CallbackRefused(
            "Twilio's signature is missing or does not match. If the request did come from Twilio,"
            " NOTIFY_PUBLIC_URL is not the address it called, or NOTIFY_SMS__AUTH_TOKEN is another account's."
        )


def _receipt(status: str, form: MultiDict[str], url: str) -> tuple[Event, ...]:
    kind = _STATUSES.get(status)
    if kind is None:
        return ()
    query = dict(parse_qsl(urlsplit(url).query))
    code = form.get("ErrorCode", "") if kind is EventKind.UNDELIVERED else ""
    return (
        Event(
            kind=kind,
            key=_number(query.get("d", "")),
            token=query.get("t", ""),
            provider_id=form.get("MessageSid"),
            address=form.get("To", ""),
            verdict=verdict_of(_number(code) or 0) if kind is EventKind.UNDELIVERED else None,
            code=code or None,
        ),
    )


def _number(text: str) -> int | None:
    """A whole number that a database can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _inbound(form: MultiDict[str], settings: SmsSettings, languages: Sequence[str]) -> Event:
    text = form["Body"].replace("\0", "")  # PostgreSQL holds no such character
    keyword = _keyword(form, text)
    named = keyword or keywords.read_topic(text)
    answered = "OptOutType" in form or (
        settings.provider_answers_stop and keywords.answered_by_provider(text)
    )
    return Event(
        kind=_MEANINGS[keyword.meaning] if keyword else EventKind.REPLY,
        provider_id=form.get("MessageSid"),
        address=form.get("From", ""),
        text=text,
        code=named.meaning.value if named else None,
        language=named.language(languages) if named else "",
        topic=named.topic if named else "",
        answered=answered,
    )


def _keyword(form: MultiDict[str], text: str) -> Keyword | None:
    """What the text asks for: as Twilio's Advanced Opt-Out understood it, else as our table does."""
    ours = keywords.read(text)
    theirs = form.get("OptOutType", "")
    if theirs in (Meaning.STOP, Meaning.START, Meaning.HELP):
        return Keyword(Meaning(theirs), ours.languages if ours else ())
    return ours


def answer(event: Event, text: str) -> Answer:
    """TwiML with a message for the resident, or with none.

    Nothing is said to a resident whom Twilio has answered already: there is one confirmation, not two (R6).
    """
    response = MessagingResponse()
    if text and not event.answered:
        plain = normalise(text).text
        response.message(keep_direction(plain) if is_right_to_left(plain) else plain)
    return Answer("text/xml", str(response).encode("utf-8"))
