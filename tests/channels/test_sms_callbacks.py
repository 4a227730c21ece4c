"""What Twilio calls back: receipts and residents' texts, signed; and what it is answered (R4, R6, R11)."""

from __future__ import annotations

import logging
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.contract import CallbackRefused, CallbackRequest, City, Event, EventKind, Verdict
from channels.sms import SmsChannel
from channels.sms.callbacks import status_url

TOKEN = "0123456789abcdef0123456789abcdef"
BASE = "https://notify.riverton.example"
HOOK = f"{BASE}/hooks/sms"
RESIDENT = "+15550100142"
SID = "SM" + "1" * 32
RECEIPT = {
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
    "From": "+15550100199",
    "MessageSid": SID,
    "SmsSid": SID,
    "To": RESIDENT,
}
INBOUND = {
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
    "From": RESIDENT,
    "FromZip": "",
    "MessageSid": SID,
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsStatus": "received",
    "To": "+15550100199",
}


def channel(**settings: object) -> SmsChannel:
    values = {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "from": "+15550100199", **settings}
    return SmsChannel(SmsChannel.Settings.model_validate(values), City("Riverton", public_url=BASE))


def request(form: dict[str, str], url: str = HOOK, token: str = TOKEN) -> CallbackRequest:
    signature = RequestValidator(token).compute_signature(url, form)
    return CallbackRequest(url, {"x-twilio-signature": signature}, urlencode(form).encode())


def receipt(status: str, url: str = f"{HOOK}?d=42&t=tok", **form: str) -> Event:
    (event,) = channel().read_callback(
        request(RECEIPT | {"MessageStatus": status, "SmsStatus": status} | form, url)
    )
    return event


def inbound(body: str, settings: dict[str, object] | None = None, **form: str) -> Event:
    (event,) = channel(**(settings or {})).read_callback(request(INBOUND | {"Body": body} | form))
    return event


# -- signatures

# The examples of https://www.twilio.com/docs/usage/security, the present one and the one before it.
FIELDS = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", "To": "+18005551212"}


@pytest.mark.parametrize(
    ("url", "caller", "signature"),
    [
        ("https://example.com/myapp.php?foo=1&bar=2", "+14158675310", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2", "+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    ],
)
def test_the_signatures_in_twilios_documentation_are_accepted(url, caller, signature):
    body = urlencode(FIELDS | {"From": caller, "Caller": caller}).encode()
    call = CallbackRequest(url, {"x-twilio-signature": signature}, body)
    assert channel(auth_token="12345").read_callback(call) == ()


def changed(call: CallbackRequest, **parts: object) -> CallbackRequest:
    return CallbackRequest(**({"url": call.url, "headers": call.headers, "body": call.body} | parts))


STOP = request(INBOUND | {"Body": "STOP"})


@pytest.mark.parametrize(
    "forged",
    [
        changed(STOP, headers={}),
        changed(STOP, headers={"x-twilio-signature": ""}),
        changed(STOP, headers={"x-twilio-signature": "é" * 28}),
        changed(STOP, headers={"x-twilio-signature": STOP.headers["x-twilio-signature"][::-1]}),
        changed(STOP, body=STOP.body.replace(b"0142", b"0143")),
        changed(STOP, body=STOP.body + b"&OptOutType=START"),
        changed(STOP, body=b""),
        changed(STOP, url=HOOK + "?d=1"),
        changed(STOP, url="https://elsewhere.example/hooks/sms"),
        request(INBOUND | {"Body": "STOP"}, token="another account's"),
        changed(STOP, body=b"\xff\xfe=1"),
        changed(STOP, body=b"a=1&" * 300),
    ],
)
def test_what_twilio_did_not_sign_is_refused(forged):
    with pytest.raises(CallbackRefused) as refused:
        channel().read_callback(forged)
    assert RESIDENT not in str(refused.value)
    assert TOKEN not in str(refused.value)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_no_unsigned_request_gets_through_or_breaks_anything(body, signature):
    with pytest.raises(CallbackRefused):
        channel().read_callback(CallbackRequest(HOOK, {"x-twilio-signature": signature}, body))


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
)
def test_a_signed_request_is_read_whatever_its_fields(form):
    events = channel().read_callback(request(form))
    assert len(events) <= 1


def test_a_url_with_its_port_is_accepted_as_twilio_signs_it_either_way():
    form = INBOUND | {"Body": "hi"}
    signature = RequestValidator(TOKEN).compute_signature(
        "https://notify.riverton.example:443/hooks/sms", form
    )
    call = CallbackRequest(HOOK, {"x-twilio-signature": signature}, urlencode(form).encode())
    assert len(channel().read_callback(call)) == 1


# -- receipts


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("accepted", EventKind.SENT),
        ("queued", EventKind.SENT),
        ("sending", EventKind.SENT),
        ("sent", EventKind.SENT),
        ("delivered", EventKind.DELIVERED),
        ("read", EventKind.DELIVERED),
        ("undelivered", EventKind.UNDELIVERED),
        ("failed", EventKind.UNDELIVERED),
    ],
)
def test_a_receipt_names_delivery_token_and_message(status, kind):
    event = receipt(status)
    assert (event.kind, event.key, event.token, event.provider_id) == (kind, 42, "tok", SID)
    assert event.address == RESIDENT


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("30005", Verdict.BAD_ADDRESS),
        ("30006", Verdict.BAD_ADDRESS),
        ("21610", Verdict.OPTED_OUT),
        ("30003", Verdict.UNREACHABLE),
        ("30007", Verdict.REFUSED),
        ("30034", Verdict.MISCONFIGURED),
        ("30027", Verdict.THROTTLED),
        ("99999", Verdict.UNREACHABLE),
    ],
)
def test_a_failed_delivery_says_what_it_means_for_the_address(code, verdict):
    event = receipt("undelivered", ErrorCode=code)
    assert (event.verdict, event.code) == (verdict, code)


@pytest.mark.parametrize("status", ["undelivered", "failed"])
@pytest.mark.parametrize("form", [{}, {"ErrorCode": ""}, {"ErrorCode": "None"}])
def test_a_failure_without_a_code_may_pass(status, form):
    assert receipt(status, **form).verdict is Verdict.UNREACHABLE


def test_a_delivered_message_carries_no_verdict():
    assert receipt("delivered", ErrorCode="30003").verdict is None


@pytest.mark.parametrize("status", ["partially_delivered", "new_in_2027", "receiving"])
def test_a_status_that_says_nothing_is_no_event(status):
    assert channel().read_callback(request(RECEIPT | {"MessageStatus": status})) == ()


@pytest.mark.parametrize("query", ["", "?d=", "?d=abc", "?d=-1", "?d=" + "9" * 30, "?d=%D9%A3", "?t=tok"])
def test_a_receipt_with_no_usable_number_is_found_by_the_messages_own_id(query):
    event = receipt("delivered", HOOK + query)
    assert (event.key, event.provider_id) == (None, SID)


def test_the_callback_address_carries_number_and_token_and_survives_any_token():
    url = status_url(BASE, 42, "a&b=c/é+")
    assert url.startswith(f"{HOOK}?d=42&t=")
    assert receipt("sent", url).token == "a&b=c/é+"
    assert status_url(BASE, 7, "") == f"{HOOK}?d=7"


# -- what residents write


@pytest.mark.parametrize(
    ("body", "kind", "language", "answered"),
    [
        ("STOP", EventKind.OPTED_OUT, "", True),
        ("stop", EventKind.OPTED_OUT, "", True),
        ("Stop!", EventKind.OPTED_OUT, "", False),
        ("OPT OUT", EventKind.OPTED_OUT, "", False),
        ("ALTO", EventKind.OPTED_OUT, "es", False),
        ("توقف", EventKind.OPTED_OUT, "ar", False),
        ("START", EventKind.OPTED_IN, "", True),
        ("inicio", EventKind.OPTED_IN, "", False),
        ("HELP", EventKind.HELP, "", True),
        ("AYUDA", EventKind.HELP, "es", False),
        ("Stop signs on Main St", EventKind.REPLY, "", False),
        ("no more texts please", EventKind.REPLY, "", False),
        ("", EventKind.REPLY, "", False),
    ],
)
def test_what_a_resident_writes(body, kind, language, answered):
    event = inbound(body)
    assert (event.kind, event.language, event.answered) == (kind, language, answered)
    assert (event.address, event.text, event.provider_id) == (RESIDENT, body, SID)


def test_r4_yes_is_a_reply_that_says_it_is_a_yes():
    event = inbound("Yes.")
    assert (event.kind, event.code) == (EventKind.REPLY, "YES")
    assert inbound("maybe").code is None


def test_where_twilio_does_not_answer_we_do():
    assert not inbound("STOP", {"provider_answers_stop": False}).answered


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("STOP", EventKind.OPTED_OUT), ("START", EventKind.OPTED_IN), ("HELP", EventKind.HELP)],
)
def test_advanced_opt_out_has_decided_and_answered(kind, expected):
    event = inbound("lopeta", {"provider_answers_stop": False}, OptOutType=kind)
    assert (event.kind, event.answered) == (expected, True)


def test_a_nul_character_that_no_database_takes_is_dropped():
    assert inbound("hi\0there").text == "hithere"


def test_a_picture_without_a_word_is_a_reply():
    assert inbound("", NumMedia="1", MediaUrl0="https://api.twilio.com/x").kind is EventKind.REPLY


# -- what is answered


def spoken(event: Event, text: str) -> list[str | None]:
    answer = channel().answer(event, text)
    assert answer.media_type == "text/xml"
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "Response"
    return [message.text for message in root]


def test_an_answer_is_twiml_and_the_text_is_data():
    assert spoken(inbound("ALTO"), "Riverton: <b>no más</b> & adiós") == ["Riverton: <b>no más</b> & adiós"]


@pytest.mark.parametrize(("body", "text"), [("hello", ""), ("STOP", "You are out")])
def test_r6_nothing_is_said_where_there_is_nothing_to_say_or_twilio_said_it(body, text):
    assert spoken(inbound(body), text) == []


def test_an_arabic_answer_reads_from_the_right():
    (text,) = spoken(inbound("مساعدة"), "Riverton، مكتب رئيس البلدية: اتصل على 555-0100")
    assert text == "\u200fRiverton، مكتب رئيس البلدية: اتصل على \u200e555-0100"


def test_no_personal_data_in_logs_or_reprs(caplog):
    caplog.set_level(logging.DEBUG)
    event = inbound("my name is Ana")
    with pytest.raises(CallbackRefused):
        channel().read_callback(changed(STOP, headers={}))
    shown = caplog.text + repr(event) + repr(STOP) + repr(channel().answer(event, "secret words"))
    assert not any(secret in shown for secret in (RESIDENT, "Ana", TOKEN, "secret words"))
