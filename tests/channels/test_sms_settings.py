"""The settings of the SMS channel: what is taken, what is refused, and what an error tells."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import BaseModel, ValidationError

from channels.contract import City, MissingSettings
from channels.sms import SmsChannel
from channels.sms.settings import SmsSettings

SID = "AC" + "0123456789abcdef" * 2
GOOD = {"account_sid": SID, "auth_token": "hush-hush", "from": "+15550100199"}


def problem(**values: object) -> dict[str, object]:
    with pytest.raises(ValidationError) as refused:
        SmsSettings.model_validate(GOOD | values)
    assert "hush-hush" not in str(refused.value)
    (found,) = refused.value.errors()
    return found


def test_three_settings_are_enough():
    settings = SmsSettings.model_validate(GOOD)
    assert settings.api_base == "https://api.twilio.com"
    assert (settings.rate, settings.concurrency, settings.max_segments) == (100, 100, 6)
    assert settings.price_per_segment == Decimal("0.0079")
    assert settings.provider_answers_stop
    assert settings.status_callbacks
    assert settings.is_real


@pytest.mark.parametrize("name", sorted(GOOD))
def test_each_of_the_three_is_needed(name):
    with pytest.raises(ValidationError) as refused:
        SmsSettings.model_validate({key: value for key, value in GOOD.items() if key != name})
    assert [(error["type"], error["loc"]) for error in refused.value.errors()] == [("missing", (name,))]


@pytest.mark.parametrize(
    ("given_as", "sender", "service"),
    [
        ("+1 (555) 010-0199", "+15550100199", False),
        ("55501", "55501", False),
        (55501, "55501", False),
        ("MG" + "0" * 32, "MG" + "0" * 32, True),
    ],
)
def test_a_sender_is_a_number_a_short_code_or_a_service(given_as, sender, service):
    settings = SmsSettings.model_validate(GOOD | {"from": given_as})
    assert (settings.sender, settings.is_service) == (sender, service)


@pytest.mark.parametrize(
    ("values", "place", "cure"),
    [
        ({"account_sid": "SK" + "0" * 32}, "account_sid", "Twilio console"),
        ({"account_sid": ""}, "account_sid", "Twilio console"),
        ({"auth_token": "  "}, "auth_token", "Twilio console"),
        ({"from": "5550100199999"}, "from", "country code"),
        ({"from": "Riverton"}, "from", "cannot receive STOP"),
        ({"from": ""}, "from", "country code"),
        ({"from": "MG123"}, "from", "messaging service"),
        ({"api_base": "http://api.twilio.com"}, "api_base", "https://"),
        ({"api_base": "http://10.0.0.5:8080"}, "api_base", "https://"),
        ({"api_base": "api.twilio.com"}, "api_base", "https://api.twilio.com"),
        ({"api_base": "ftp://127.0.0.1"}, "api_base", "https://api.twilio.com"),
        ({"api_base": "https://user:pw@host"}, "api_base", "https://api.twilio.com"),
        ({"rate": -1}, "rate", "0"),
        ({"concurrency": 0}, "concurrency", "1"),
        ({"max_segments": 11}, "max_segments", "10"),
        ({"timeout": 0}, "timeout", "0"),
        ({"price_per_segment": "-0.01"}, "price_per_segment", "0"),
        ({"form": "+15550100199"}, "form", "not permitted"),
    ],
)
def test_what_does_not_fit_is_refused_with_place_and_cure(values, place, cure):
    found = problem(**values)
    assert found["loc"] == (place,)
    assert cure in str(found["msg"])


@pytest.mark.parametrize("base", ["http://127.0.0.1:8010", "http://localhost:8010/", "http://[::1]:8010"])
def test_a_stand_in_on_this_machine_may_speak_http(base):
    settings = SmsSettings.model_validate(GOOD | {"api_base": base})
    assert settings.api_base == base.rstrip("/")
    assert not settings.is_real


def test_the_token_is_in_no_repr():
    settings = SmsSettings.model_validate(GOOD)
    assert "hush-hush" not in repr(settings) + str(settings) + repr(SmsChannel(settings, City("Riverton")))


def test_another_channels_settings_are_refused_with_the_names_of_ours():
    class Other(BaseModel):
        pass

    with pytest.raises(MissingSettings, match="NOTIFY_SMS__ACCOUNT_SID"):
        SmsChannel(Other(), City("Riverton"))
