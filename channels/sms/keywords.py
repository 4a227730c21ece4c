"""The words with which residents leave, come back and ask for help: data, and how a text is compared with it.

A text is a keyword only when it is nothing else: "Stop signs on Main St" is a reply (R3). Case, accents,
punctuation, spaces and full-width letters do not count. Networks act on the English words only (R2), so the
other languages are ours alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What a keyword asks for; the first three are the values of Twilio's own `OptOutType`."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"
    YES = "YES"  # opts in only a number that is opted out, else it is an answer (R4): the core knows which


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a text that is nothing but a keyword says."""

    meaning: Meaning
    language: str = ""  # BCP 47; empty where the word is used in several


# English words tell no language: networks and other languages' instructions make everybody use them.
_EVERYBODY = ""

# Words of other languages than English and Spanish: from general knowledge, to be read by a native speaker.
WORDS: dict[Meaning, dict[str, str]] = {
    Meaning.STOP: {
        _EVERYBODY: "STOP, STOP ALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPT OUT",
        "es": "ALTO, PARAR, PARE, CANCELAR, BAJA, DETENER, NO MÁS",
        "fr": "ARRÊT, ARRÊTER, ARRÊTEZ, STOPPER, DÉSABONNER, DÉSINSCRIRE",
        "pt": "PARAR, PARE, CANCELAR, SAIR, REMOVER, DESCADASTRAR",
        "ht": "KANPE, SISPANN, ANILE",
        "ar": "توقف, قف, أوقف, إيقاف, إلغاء, إلغاء الاشتراك",
        "zh": "停止, 停, 退订, 退訂, 取消, 取消订阅, 取消訂閱",
        "sw": "ACHA, SIMAMA, SIMAMISHA, SITISHA, KOMESHA, ONDOA",
    },
    Meaning.START: {
        _EVERYBODY: "START, UNSTOP",
        "es": "INICIO, INICIAR, REINICIAR, COMENZAR",
        "fr": "DÉMARRER, DÉBUT, REPRENDRE, COMMENCER",
        "pt": "INICIAR, COMEÇAR, INÍCIO, VOLTAR",
        "ht": "KÒMANSE",
        "ar": "ابدأ, بدء, اشتراك, اشترك",
        "zh": "开始, 開始, 订阅, 訂閱, 恢复, 恢復",
        "sw": "ANZA, ANZISHA, ENDELEA",
    },
    Meaning.HELP: {
        _EVERYBODY: "HELP, INFO",
        "es": "AYUDA, AUXILIO",
        "fr": "AIDE",
        "pt": "AJUDA",
        "ht": "ÈD",
        "ar": "مساعدة",
        "zh": "帮助, 幫助",
        "sw": "MSAADA",
    },
    Meaning.YES: {
        _EVERYBODY: "YES",
        "es": "SÍ",
        "fr": "OUI",
        "pt": "SIM",
        "ht": "WI",
        "ar": "نعم",
        "zh": "是",
        "sw": "NDIYO",
    },
}

# What Twilio acts on and answers by itself, written exactly so, as a single word (any case).
# https://help.twilio.com/articles/223134027; YES is among them only for a number that is opted out.
_ANSWERED = frozenset(
    "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT START UNSTOP HELP INFO".split(),  # noqa: SIM905
)
# Letters and digits; not the letter modifiers, among which is the stroke that stretches Arabic words.
_KEPT = frozenset({"Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No"})


def fold(text: str) -> str:
    """The text's letters and digits, without case, accents, vowel marks, and what stands between them."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in apart if unicodedata.category(character) in _KEPT)


def _entries() -> Iterator[tuple[str, Keyword]]:
    for meaning, languages in WORDS.items():
        for language, words in languages.items():
            for word in words.split(","):
                yield fold(word), Keyword(meaning, language)


def _table() -> dict[str, Keyword]:
    table: dict[str, Keyword] = {}
    for word, keyword in _entries():
        known = table.setdefault(word, keyword)
        if known.language != keyword.language:
            table[word] = Keyword(known.meaning)
    return table


_KEYWORDS = _table()


def read(text: str) -> Keyword | None:
    """The keyword a whole text is, or None when it says anything else."""
    return _KEYWORDS.get(fold(text))


def answered_by_provider(text: str) -> bool:
    """Whether Twilio's default handling replies to this text itself."""
    return text.strip().upper() in _ANSWERED
