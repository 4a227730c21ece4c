"""The cell that says what somebody agreed to: yes, no, stop, or the names of channels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from channels.contract import AddressKind
from contacts.values import BadValue, Problem, clean_line

_ALSO_CALLED = {
    AddressKind.PHONE: ("phone", "text", "texts", "texto", "celular", "móvil", "teléfono"),
    AddressKind.EMAIL: ("email", "e-mail", "mail", "correo"),
    AddressKind.CHAT: ("telegram", "chat"),
    AddressKind.POSTAL: ("letter", "post", "postal", "address", "carta"),
}

# In the languages of templates/phrases and a few more. In doubt a word belongs to none of them.
_YES = frozenset(
    ["yes", "y", "true", "t", "1", "1.0", "all", "x", "✓", "✔", "on", "ok", "sí", "si", "sì", "oui", "sim", "ja", "tak",
     "да", "так", "نعم", "بله", "ہاں", "हाँ", "हां", "是", "네", "예", "có", "oo", "wi", "haa", "ndiyo"]
)  # fmt: skip
_NO = frozenset(
    ["no", "n", "false", "f", "0", "0.0", "none", "-", "off", "n/a", "non", "não", "nein", "nee", "nie", "нет", "ні",
     "لا", "خیر", "نہیں", "नहीं", "否", "아니요", "아니오", "không", "hindi", "maya", "hapana"]
)  # fmt: skip
_STOP = frozenset(
    ["stop", "opted out", "opt out", "opt-out", "optout", "opted-out", "unsubscribed", "unsubscribe",
     "revoked", "refused", "do not contact", "dnc", "alto", "baja", "no contactar", "arrêt", "désabonné", "stopp",
     "abgemeldet", "widerrufen", "стоп", "توقف", "إيقاف", "停止", "退订", "수신거부", "dừng"]
)  # fmt: skip
_BETWEEN_CHANNELS = re.compile(r"[\s,;/|+&]+|\b(?:and|y|e)\b(?!-)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the consent cell says."""

    stop: bool = False
    channels: frozenset[str] = frozenset()

    def about(self, channel: str) -> bool | None:
        return False if self.stop else (channel in self.channels or None)


class AnswerReader:
    """Reads such cells.

    Args:
        channels: how addresses are written on each channel.
    """

    def __init__(self, channels: Mapping[str, AddressKind]) -> None:
        self._every = frozenset(channels)
        self._called = _channels_called(channels)

    def read(self, raw: str) -> Answer:
        """What a cell says.

        Raises:
            BadValue: it is no answer.
        """
        text = clean_line(raw).casefold().strip(" .!")
        if text in _STOP:
            return Answer(stop=True)
        if text in _NO or not text:
            return Answer()
        if text in _YES:
            return Answer(channels=self._every)
        words = [word for word in _BETWEEN_CHANNELS.split(text) if word]
        if not words or not all(word in self._called for word in words):
            raise BadValue(Problem.CONSENT_UNKNOWN)
        return Answer(channels=frozenset().union(*(self._called[word] for word in words)))


def _channels_called(channels: Mapping[str, AddressKind]) -> dict[str, frozenset[str]]:
    """The channels that each word in a consent cell means."""
    called: dict[str, frozenset[str]] = {}
    for name, kind in channels.items():
        for word in (name.casefold(), *_ALSO_CALLED[kind]):
            called[word] = called.get(word, frozenset()) | {name}
    return called | {name.casefold(): frozenset({name}) for name in channels}
