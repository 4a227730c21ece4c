"""What `notify doctor` finds about the SMS channel, and that it sends nothing."""

from __future__ import annotations

import pytest
from test_sms_adapter import ACCOUNT, SENDER, TOKEN, Twilio, channel, twilio  # noqa: F401 - the fixture

from channels.contract import City, Finding, Level
from channels.sms.checks import of_settings
from channels.sms.settings import SmsSettings

HOOK = "https://notify.riverton.example/hooks/sms"
SERVICE = "MG" + "0" * 32
AT = f"/2010-04-01/Accounts/{ACCOUNT}"


def account(**fields: object) -> dict[str, object]:
    return {"sid": ACCOUNT, "status": "active", "type": "Full", "friendly_name": "Riverton"} | fields


def number(**fields: object) -> dict[str, object]:
    base = {"sid": "PN" + "0" * 32, "phone_number": SENDER, "capabilities": {"sms": True}, "sms_url": HOOK}
    return {"incoming_phone_numbers": [base | fields], "page": 0, "next_page_uri": None}


def service(**fields: object) -> dict[str, object]:
    base = {"sid": SERVICE, "us_app_to_person_registered": True, "inbound_request_url": HOOK}
    return base | {"use_inbound_webhook_on_number": False} | fields


async def findings(server: Twilio, **settings: object) -> dict[str, Finding]:
    found = await channel(server.base, **settings).check()
    assert not server.forms
    assert not [item for item in found if item.level is not Level.OK and not item.cure]
    return {item.subject: item for item in found}


@pytest.fixture
def ready(twilio: Twilio) -> Twilio:  # noqa: F811
    twilio.resources = {
        f"{AT}.json": account(),
        f"{AT}/IncomingPhoneNumbers.json": number(),
        f"{AT}/SMS/ShortCodes.json": {"short_codes": [{"short_code": "55501", "sms_url": HOOK}], "page": 0},
        f"/v1/Services/{SERVICE}": service(),
    }
    return twilio


@pytest.mark.parametrize("sender", [SENDER, "55501", SERVICE])
async def test_a_channel_that_is_ready_says_so(ready, sender):
    found = await findings(ready, **{"from": sender})
    assert {name: item.level for name, item in found.items() if name != "SMS API"} == {
        "SMS account": Level.OK,
        "SMS sender": Level.OK,
        "SMS replies": Level.OK,
    }


async def test_a_stand_in_is_named_as_one(ready):
    assert "NOTIFY_SMS__API_BASE" in (await findings(ready))["SMS API"].cure


@pytest.mark.parametrize(
    ("changes", "settings", "subject", "level", "words"),
    [
        ({}, {"auth_token": "another"}, "SMS account", Level.ERROR, "NOTIFY_SMS__AUTH_TOKEN"),
        ({f"{AT}.json": None}, {}, "SMS account", Level.ERROR, "NOTIFY_SMS__ACCOUNT_SID"),
        ({f"{AT}.json": account(status="suspended")}, {}, "SMS account", Level.ERROR, "suspended"),
        ({f"{AT}.json": [1]}, {}, "SMS account", Level.ERROR, "not Twilio's API"),
        (
            {f"{AT}/IncomingPhoneNumbers.json": {"incoming_phone_numbers": []}},
            {},
            "SMS sender",
            Level.ERROR,
            "FROM",
        ),
        (
            {f"{AT}/IncomingPhoneNumbers.json": number(capabilities={"sms": False})},
            {},
            "SMS sender",
            Level.ERROR,
            "cannot send",
        ),
        (
            {f"{AT}/IncomingPhoneNumbers.json": {"x": 1, "y": 2}},
            {},
            "SMS sender",
            Level.ERROR,
            "not Twilio's API",
        ),
        ({f"{AT}/IncomingPhoneNumbers.json": number(sms_url="")}, {}, "SMS replies", Level.WARNING, HOOK),
        (
            {f"{AT}/SMS/ShortCodes.json": {"short_codes": []}},
            {"from": "55501"},
            "SMS sender",
            Level.ERROR,
            "FROM",
        ),
        ({f"/v1/Services/{SERVICE}": None}, {"from": SERVICE}, "SMS sender", Level.ERROR, "no such"),
        (
            {f"/v1/Services/{SERVICE}": service(us_app_to_person_registered=False)},
            {"from": SERVICE},
            "SMS sender",
            Level.WARNING,
            "A2P",
        ),
        (
            {f"/v1/Services/{SERVICE}": service(inbound_request_url=None)},
            {"from": SERVICE},
            "SMS replies",
            Level.WARNING,
            HOOK,
        ),
    ],
)
async def test_what_is_wrong_is_found_with_its_cure(ready, changes, settings, subject, level, words):
    ready.resources |= changes
    found = (await findings(ready, **settings))[subject]
    assert found.level is level
    assert words in found.message + found.cure


async def test_a_server_that_is_not_there_is_found(unused_tcp_port):
    found = await channel(f"http://127.0.0.1:{unused_tcp_port}").check()
    assert found[-1].level is Level.ERROR
    assert "cannot be reached" in found[-1].message


async def test_after_a_bad_account_nothing_more_is_asked(ready):
    await findings(ready, auth_token="another")
    assert len(ready.requests) == 1


REAL = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": SENDER}


@pytest.mark.parametrize(
    ("public_url", "level", "words"),
    [
        ("", Level.WARNING, "NOTIFY_PUBLIC_URL"),
        ("http://localhost:8000", Level.ERROR, "21609"),
        ("https://my_city.example", Level.ERROR, "underscore"),
        ("http://notify.riverton.example", Level.WARNING, "https://"),
    ],
)
def test_addresses_that_twilio_cannot_call_are_found(public_url, level, words):
    city = City("Riverton", public_url=public_url)
    (found,) = of_settings(SmsSettings.model_validate(REAL | {"from": "55501"}), city)
    assert found.level is level
    assert words in found.message + found.cure


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        (SENDER, "1 segment a second"),
        ("+18885550100", "3 segments a second"),
        ("+442079460000", ""),
        (SERVICE, ""),
    ],
)
def test_r9_numbers_that_are_slow_and_need_registration_are_named(sender, words):
    city = City("Riverton", public_url="https://notify.riverton.example")
    settings = SmsSettings.model_validate(REAL | {"from": sender})
    found = [item.message for item in of_settings(settings, city)]
    assert len(found) == bool(words)
    assert all(words in message and "R9" in message for message in found)
