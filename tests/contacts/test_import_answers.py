"""What residents' lists say in the column for consent, in residents' languages."""

from __future__ import annotations

import pytest

from channels.contract import AddressKind
from contacts.answers import Answer, AnswerReader
from contacts.values import BadValue, Problem

CHANNELS = {"sms": AddressKind.PHONE, "email": AddressKind.EMAIL, "letter": AddressKind.POSTAL}
EVERY = frozenset(CHANNELS)

read = AnswerReader(CHANNELS).read


@pytest.mark.parametrize(
    "cell", ["yes", "Sí", "OUI", "ja", "Да", "نعم", "是", "네", "có", "haa", "Ndiyo", "हाँ", " ✓ "]
)
def test_a_yes_in_any_language_is_a_yes_to_every_channel(cell: str) -> None:
    assert read(cell) == Answer(channels=EVERY)


@pytest.mark.parametrize(
    "cell", ["no", "Não", "nein", "нет", "لا", "否", "아니요", "không", "hapana", "-", "0"]
)
def test_a_no_in_any_language_is_no_consent(cell: str) -> None:
    assert read(cell) == Answer()


@pytest.mark.parametrize(
    "cell", ["STOP", "stop.", "Alto", "baja", "arrêt", "Abgemeldet", "СТОП", "停止", "수신거부"]
)
def test_a_stop_in_any_language_is_an_opt_out(cell: str) -> None:
    assert read(cell) == Answer(stop=True)


@pytest.mark.parametrize("cell", ["quizás", "maybe", "sms and fax", "да, но потом", "yes no"])
def test_what_is_no_answer_is_no_consent_but_an_error(cell: str) -> None:
    with pytest.raises(BadValue) as refused:
        read(cell)
    assert refused.value.code == Problem.CONSENT_UNKNOWN


@pytest.mark.parametrize(
    "cell",
    ["sms, email", "SMS, correo", "sms y correo", "texto / e-mail", "text and mail", "celular; correo"],
)
def test_channels_are_known_by_the_names_that_sheets_give_them(cell: str) -> None:
    assert read(cell) == Answer(channels=frozenset({"sms", "email"}))


def test_a_stop_is_about_every_channel_and_a_yes_about_those_named() -> None:
    assert [read("sms; mail").about(channel) for channel in CHANNELS] == [True, True, None]
    assert [read("stop").about(channel) for channel in CHANNELS] == [False, False, False]
