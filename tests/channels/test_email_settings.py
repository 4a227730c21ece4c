"""Settings: every wrong one is named, with its cure, and no secret is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from email_servers import CITY
from pydantic import BaseModel, ValidationError

from channels.contract import MissingSettings
from channels.email import EmailChannel, EmailSettings

GOOD = {"host": "smtp.city.example", "from": "City of Riverton <news@riverton.example>"}


@pytest.mark.parametrize(
    ("security", "port", "effective"),
    [("starttls", 0, 587), ("tls", 0, 465), ("none", 0, 25), ("starttls", 2525, 2525)],
)
def test_the_port_follows_the_security(security: str, port: int, effective: int) -> None:
    settings = EmailSettings.model_validate({**GOOD, "security": security, "port": port})
    assert settings.effective_port == effective


def test_the_defaults_are_safe() -> None:
    settings = EmailSettings.model_validate(GOOD)
    assert (settings.security, settings.connections, settings.rate) == ("starttls", 10, 0)


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("City of Riverton <news@riverton.example>", "City of Riverton", "news@riverton.example"),
        ('"Riverton, City of" <news@riverton.example>', "Riverton, City of", "news@riverton.example"),
        ("Ciudad de Río <news@riverton.example>", "Ciudad de Río", "news@riverton.example"),
        ("  news@riverton.example ", "", "news@riverton.example"),
        ("<news@riverton.example>", "", "news@riverton.example"),
        ("City <news@bücher.example>", "City", "news@xn--bcher-kva.example"),
    ],
)
def test_the_sender_is_a_name_and_an_address(value: str, name: str, address: str) -> None:
    settings = EmailSettings.model_validate({**GOOD, "from": value})
    assert (settings.sender_name, settings.sender_mailbox.address) == (name, address)


def test_the_sender_may_be_given_by_its_own_name() -> None:
    assert EmailSettings(host="x", sender="news@riverton.example").sender == "news@riverton.example"


WRONG = [
    ({"host": ""}, "HOST"),
    ({"host": "two words"}, "HOST"),
    ({"host": None}, "HOST"),
    ({"port": "smtp"}, "PORT"),
    ({"port": 70000}, "PORT"),
    ({"from": "nobody"}, "FROM"),
    ({"from": "City <news@riverton.example>, eve@x.example"}, "FROM"),
    ({"from": "City\r\nBcc: eve@x.example <news@riverton.example>"}, "FROM"),
    ({"from": "josé@riverton.example"}, "FROM"),
    ({"reply_to": "nobody"}, "REPLY_TO"),
    ({"unsubscribe_mailto": "a b@x.example"}, "UNSUBSCRIBE_MAILTO"),
    ({"security": "ssl"}, "SECURITY"),
    ({"connections": 0}, "CONNECTIONS"),
    ({"connections": 1000}, "CONNECTIONS"),
    ({"rate": -1}, "RATE"),
    ({"rate": "inf"}, "RATE"),
    ({"timeout": 0}, "TIMEOUT"),
    ({"ca_file": "/nowhere/at/all.pem"}, "CA_FILE"),
    ({"dkim_selector": "a b"}, "DKIM_SELECTOR"),
    ({"username": "city"}, "PASSWORD"),
    ({"password": "s3cret-w0rd"}, "USERNAME"),
    ({"username": "city", "password": "s3cret-w0rd", "security": "none"}, "SECURITY"),
    ({"pasword": "s3cret-w0rd"}, "PASWORD"),
]


@pytest.mark.parametrize(("change", "name"), WRONG, ids=[str(change) for change, _ in WRONG])
def test_a_wrong_setting_is_named_with_its_cure(change: dict[str, object], name: str) -> None:
    with pytest.raises(ValidationError) as error:
        EmailSettings.model_validate({**GOOD, **change})
    (problem,) = error.value.errors()
    assert problem["msg"].startswith(f"NOTIFY_EMAIL__{name} ")
    assert problem["loc"] == (name.lower(),)
    assert problem["msg"].endswith(".")
    assert len(problem["msg"].split(". ")) >= 2  # the problem, then the cure
    assert "s3cret-w0rd" not in str(error.value) + repr(error.value.errors())


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        EmailSettings.model_validate({"port": "x"})
    assert {problem["loc"] for problem in error.value.errors()} == {("host",), ("port",), ("from",)}


def test_a_password_in_the_clear_is_fine_within_this_machine() -> None:
    values = {**GOOD, "host": "127.0.0.1", "security": "none", "username": "city", "password": "x"}
    assert EmailSettings.model_validate(values).password


def test_the_password_is_in_no_repr() -> None:
    settings = EmailSettings.model_validate({**GOOD, "username": "city", "password": "s3cret-w0rd"})
    assert "s3cret-w0rd" not in repr(settings) + str(settings.model_dump())


def test_a_certificate_authority_that_is_there_is_taken(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.touch()
    assert EmailSettings.model_validate({**GOOD, "ca_file": str(pem)}).ca_file == pem


class Nothing(BaseModel):
    """The settings of no channel."""


def test_a_channel_without_settings_says_which_to_set() -> None:
    with pytest.raises(MissingSettings, match="NOTIFY_EMAIL__HOST"):
        EmailChannel(Nothing(), CITY)
