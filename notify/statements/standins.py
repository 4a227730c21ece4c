"""Stand-ins: what readers get whose language has no approved text, where the city chose that over nothing."""

from __future__ import annotations

from notify.statements.models import Statement
from notify.statements.texts import Text
from templates import direction, language_name, phrases

_FOR_READERS_OF = "-x-"


def stand_in(source_language: str, language: str) -> str:
    """The tag of what readers of a language without a translation get: the source, with a notice in theirs.

    A private-use tag (RFC 5646, section 2.2.7): "en-x-so" is English, for readers of Somali.
    """
    return f"{source_language}{_FOR_READERS_OF}{language}"


def written_in(tag: str) -> str:
    """The language that a text is written in: a stand-in's is the source's."""
    return tag.partition(_FOR_READERS_OF)[0]


def reader_of(tag: str) -> str:
    """The language whose readers a stand-in is for."""
    return tag.partition(_FOR_READERS_OF)[2]


def is_stand_in(tag: str) -> bool:
    """Whether a text stands in for a missing translation."""
    return _FOR_READERS_OF in tag


def stand_ins(statement: Statement, texts: dict[str, Text]) -> dict[str, Text]:
    """What the city chose for languages without an approved text; for `hold`, which is the rule, nothing."""
    found = {}
    for language, policy in sorted(statement.missing.items()):
        way, _, other = policy.partition(" ")
        if language not in texts and way in {"notice", "both"}:
            shown = [texts[statement.source_language], *([texts[other]] if other in texts else [])]
            found[stand_in(statement.source_language, language)] = _noticed(
                statement.source_language, language, shown
            )
    return found


def _noticed(source_language: str, language: str, shown: list[Text]) -> Text:
    """Texts one after the other, a notice in the reader's language first."""
    notice = phrases(language)["untranslated"].format(language=language_name(source_language, language))
    if direction(language) != direction(source_language):
        mark = "\u2067" if direction(language) == "rtl" else "\u2066"
        notice = f"{mark}{notice}\u2069"  # an isolate: the notice runs its own way (UAX 9)
    return Text(
        shown[0].title,
        " ".join([notice, *(text.short for text in shown)]),
        "\n\n---\n\n".join([notice, *(text.body for text in shown)]),
        shown[0].actions,
    )
