"""Are the facts of a text still there in its translation?

Two kinds of fact:

- *verbatim*: placeholders, email addresses, links, handles, terms that must stay, phone numbers, codes. They
  must be in the translation character by character (digits of any script count as the same digits).
- *numbers*: amounts, times, years. Each language writes them its own way (1,250 = 1.250 = 1 250,
  6:30 p.m. = 18:30, 35.5 = 35,5, 17,500 = 1.75万), so they are compared by what they can stand for.

A missing verbatim fact blocks approval; a number that does not fit is a warning, because on translations by
people that check is wrong in 1 to 8 % of the sentences, by language; a small number that is missing may have
been written as a word and is noted. What no such check sees: a lost "not", two numbers that changed places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from notify.translation.numbers import Number, fold_digits, number_words, numbers, unpaired

Span = tuple[int, int]
"""Where something stands in a text: start and end, in characters."""


class Severity(StrEnum):
    """What a finding asks for."""

    BLOCKING = "blocking"  # a person mends it, or signs it off by name with a reason
    WARNING = "warning"  # a person looks at it
    NOTE = "note"  # good to know


class Kind(StrEnum):
    """What a finding is about."""

    PLACEHOLDER = "placeholder"
    EMAIL = "email address"
    URL = "link"
    HANDLE = "handle"
    TERM = "protected term"
    PHONE = "phone number"
    CODE = "code"
    NUMBER = "number"
    EMPTY = "empty translation"
    EMPHASIS = "emphasis"
    LAYOUT = "layout"
    SCORE = "score"
    UNFIT = "does not fit"
    LANGUAGE = "language"
    UNTRANSLATED = "left untranslated"
    DROPPED = "left out"
    DATE = "day or date"
    UNIT = "unit"
    ORDER = "order"
    NEGATION = "negation"
    LENGTH = "length"
    REPETITION = "repetition"
    SCRIPT = "characters"
    FORBIDDEN = "forbidden term"
    GLOSSARY = "glossary term"


@dataclass(frozen=True, slots=True)
class TextFinding:
    """One thing that a check says about a sentence and its translation."""

    severity: Severity
    kind: Kind
    message: str  # for staff, in plain words
    fact: str = ""  # what is missing or came from nowhere
    source: Span | None = None  # where, in the source sentence
    target: Span | None = None  # where, in the translation
    place: str = ""  # which part of the text: "title", "short", "body", "action 1"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that has to be in a translation character by character."""

    kind: Kind
    text: str
    start: int
    end: int


def check(
    source: str,
    target: str,
    keep: Iterable[str] = (),
    source_language: str = "en",
    target_language: str = "",
) -> tuple[TextFinding, ...]:
    """Compare a translation with its source.

    Args:
        source: a sentence or a text.
        target: its translation.
        keep: terms that are never translated; case counts.
        source_language: BCP 47; tells which words of the source stand for numbers.
        target_language: BCP 47; tells which words say which half of the day an hour is in. May be unknown.

    Returns:
        What does not fit, the gravest first; nothing when all facts are there. A text compared with itself
        has no findings.
    """
    facts = verbatim_facts(source, keep)
    missing, rest = _look_for(facts, fold_digits(source), fold_digits(target))
    added = [fact for fact in verbatim_facts(rest) if fact.kind in _NEVER_FROM_NOWHERE]
    findings = [
        *(_missing_fact(fact) for fact in missing),
        *(_added_fact(fact) for fact in added),
        *_compare_numbers(
            numbers(_blank(source, facts), source_language),
            numbers(_blank(rest, added), target_language),
            source,
            source_language,
        ),
    ]
    return tuple(sorted(findings, key=lambda finding: list(Severity).index(finding.severity)))


def blocks(findings: Iterable[TextFinding]) -> bool:
    """Whether any finding forbids approval."""
    return any(finding.severity is Severity.BLOCKING for finding in findings)


# Letters and digits of alphabets whose words blanks divide: a fact inside such a word is another fact.
# Chinese or Thai letters may stand right beside one.
_WORD = "A-Za-z0-9\u00c0-\u024f\u0300-\u036f\u0370-\u052f"
# What a link is made of: no blanks, no quotes, nothing from general punctuation or East Asian scripts on.
_LINK = r"[!#-;=?-~\u00a1-\u1fff\u2070-\u2bff]"
_LINK_END = r"[^\s<>\".,;:!?)\]}'*_’”»¡¿،؛؟।]"
_DOMAINS = (
    "gov|org|com|net|edu|info|mil|int|us|eu|uk|ie|ca|mx|au|nz|za|in|"
    "fr|de|ch|at|nl|be|lu|es|pt|br|it|se|no|dk|fi|pl"
)

_VERBATIM: dict[Kind, str] = {
    # the order is that of reading: what one kind has claimed, the next ones do not see
    Kind.PLACEHOLDER: r"\{\{?\s*[\w.]+\s*\}?\}|%\(\w+\)[sd]|%[sd](?!\w)|</?[A-Za-z][^<>]*>",
    Kind.EMAIL: r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    Kind.URL: rf"(?:https?://|www\.)(?:{_LINK}*(?<={_LINK_END}))"
    rf"|(?<![A-Za-z0-9.@-])(?:[A-Za-z0-9-]+\.)+(?:{_DOMAINS})(?![A-Za-z0-9])(?:/(?:{_LINK}*(?<={_LINK_END}))?)?",
    Kind.TERM: "",  # made from the caller's list
    Kind.HANDLE: rf"(?<![{_WORD}_])[@#][A-Za-z\u00c0-\u024f][0-9A-Za-z_\u00c0-\u024f]+",
    Kind.PHONE: "|".join(
        (
            # +44 20 7946 0958; 614-555-0100; 555-0100; 06 12 34 56 78; 2-1-1; 311
            r"\+\d(?:[ .()/\u00a0-]{0,2}\d){6,14}",
            r"(?<![\d.,/-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .\u00a0-])\d{3}[ .\u00a0-]\d{4}(?!\d)",
            r"(?<![\d.,/-])[2-9]\d\d-\d{4}(?![\d-])",
            r"(?<![\d.,])(?=(?:\D?\d){9})0\d{1,4}(?:[ \u00a0]\d{2,8}){1,4}(?!\d)",
            r"(?<![\d.,-])\d-\d-\d(?![\d-])",
            r"(?<![\d.,/$€£-])(?:[2-9]11|988|112|999)(?![\d/%-]|[.,]\d)",
        )
    ),
    # A1, I-95, COVID-19, 1-800-273-TALK; but not 6PM, 6-8PM, 21ST, nor $5M
    Kind.CODE: rf"(?<![{_WORD}$€£.,-])(?!(?:\d{{1,2}}(?:[AP]M)?-)?\d{{1,2}}[AP]M(?![A-Z0-9]))"
    rf"(?!\d+(?:ST|ND|RD|TH)(?![A-Z0-9]))(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*(?![{_WORD}])",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _VERBATIM.items()}
_NEVER_FROM_NOWHERE = frozenset({Kind.PLACEHOLDER, Kind.EMAIL, Kind.URL, Kind.PHONE})

# What may not stand beside a fact in the translation, lest it be a longer one of its kind.
_NEIGHBOURS: dict[Kind, tuple[str, str]] = {
    Kind.PLACEHOLDER: ("", ""),
    Kind.EMAIL: (r"(?<![A-Za-z0-9._%+-])", r"(?![A-Za-z0-9]|\.[A-Za-z0-9])"),
    Kind.URL: (r"(?<![A-Za-z0-9@])(?<![A-Za-z0-9]\.)", r"(?!/?[A-Za-z0-9_@%]|[/.:?#&=]+[A-Za-z0-9_])"),
    Kind.PHONE: (r"(?<!\d)(?<!\d[.-])", r"(?!\d|[.-]\d)"),
}
_BESIDE_WORDS = (rf"(?<![{_WORD}])", rf"(?![{_WORD}])")


def verbatim_facts(text: str, keep: Iterable[str] = ()) -> list[Fact]:
    """The facts of a text that stay as they are, in their order, none inside another.

    Args:
        text: anything.
        keep: terms that are never translated; case counts, and the longest wins.
    """
    facts: list[Fact] = []
    rest = fold_digits(text)
    for kind, pattern in _PATTERNS.items():
        found = [
            _fact(kind, text, hit.span())
            for hit in _finder(kind, pattern, keep).finditer(rest)
            if hit.group()
        ]
        rest = _blank(rest, found)
        facts += found
    return sorted(facts, key=lambda fact: fact.start)


def _fact(kind: Kind, text: str, span: Span) -> Fact:
    return Fact(kind, text[slice(*span)], *span)


def _finder(kind: Kind, pattern: re.Pattern[str], keep: Iterable[str]) -> re.Pattern[str]:
    return pattern if kind is not Kind.TERM else _terms(tuple(keep))


@cache
def _terms(keep: tuple[str, ...]) -> re.Pattern[str]:
    terms = sorted({fold_digits(term.strip()) for term in keep} - {""}, key=len, reverse=True)
    return re.compile("|".join(as_written(term, Kind.TERM) for term in terms) or r"(?!)")


def as_written(fact: str, kind: Kind) -> str:
    """A pattern that finds a fact in a translation: whole, its accents composed or not, its blanks of any kind.

    Args:
        fact: as it is in the source, its digits folded.
        kind: what may stand beside it depends on what it is.
    """
    forms = {unicodedata.normalize(form, fact) for form in ("NFC", "NFD")} | {fact}
    before, after = _NEIGHBOURS.get(kind, _BESIDE_WORDS)
    if kind in (Kind.TERM, Kind.HANDLE, Kind.CODE):
        before = before if re.match(rf"[{_WORD}]", fact) else ""
        after = after if re.search(rf"[{_WORD}]\Z", fact) else ""
    return f"{before}(?:{'|'.join(_loosely(form, kind) for form in sorted(forms))}){after}"


def _loosely(form: str, kind: Kind) -> str:
    exact = re.escape(form)
    if kind not in (Kind.TERM, Kind.PHONE):
        return exact
    return re.sub(r"\\?[ \u00a0\u202f]", "[ \u00a0\u202f]", exact).replace(r"\-", "[-\u2011]")


def _look_for(facts: Sequence[Fact], source: str, target: str) -> tuple[list[Fact], str]:
    """The facts that are not in the target, and the target without those that are."""
    missing: list[Fact] = []
    for fact in sorted(facts, key=lambda fact: (-len(fact.text), fact.start)):
        found = _pattern(fact, source).search(target)
        if found is None:
            missing.append(fact)
        else:
            target = _blank(target, [_fact(fact.kind, target, found.span())])
    return sorted(missing, key=lambda fact: fact.start), target


def _pattern(fact: Fact, source: str) -> re.Pattern[str]:
    """What finds a fact in a translation; its neighbours count only where the source keeps to that itself."""
    strict = re.compile(as_written(source[fact.start : fact.end], fact.kind))
    return (
        strict if strict.match(source, fact.start) else re.compile(re.escape(source[fact.start : fact.end]))
    )


def _blank(text: str, facts: Iterable[Fact]) -> str:
    """The text with blanks where the facts are; all else stays where it is."""
    for fact in facts:
        text = text[: fact.start] + " " * (fact.end - fact.start) + text[fact.end :]
    return text


def _missing_fact(fact: Fact) -> TextFinding:
    message = f"The translation lacks the {fact.kind} {fact.text}."
    return TextFinding(Severity.BLOCKING, fact.kind, message, fact.text, source=(fact.start, fact.end))


def _added_fact(fact: Fact) -> TextFinding:
    message = f"The translation has the {fact.kind} {fact.text}, which is not in the source."
    return TextFinding(Severity.BLOCKING, fact.kind, message, fact.text, target=(fact.start, fact.end))


def _compare_numbers(
    wanted: list[Number], present: list[Number], source: str, language: str
) -> Iterator[TextFinding]:
    missing, added = unpaired(wanted, present)
    words = number_words(source, language)
    strange = words.unexplained(added)
    lost = [(number, number.small and not strange) for number in missing]
    new = [(number, words.larger or (not words.known and number.small)) for number in strange]
    # One number gone and another come is a wrong hour or amount; one alone may have become a word.
    certain = Severity.BLOCKING if _any_certain(lost) and _any_certain(new) else Severity.WARNING
    for number, maybe_a_word in lost:
        yield _missing_number(number, Severity.NOTE if maybe_a_word else certain, maybe_a_word=maybe_a_word)
    for number, maybe_a_word in new:
        yield _added_number(number, Severity.NOTE if maybe_a_word else certain)


def _any_certain(numbers: Iterable[tuple[Number, bool]]) -> bool:
    return any(not maybe_a_word for _, maybe_a_word in numbers)


def _missing_number(number: Number, severity: Severity, *, maybe_a_word: bool) -> TextFinding:
    message = f"The translation lacks the number {number.text}" + (
        "; it may be written as a word." if maybe_a_word else "."
    )
    return TextFinding(severity, Kind.NUMBER, message, number.text, source=(number.start, number.end))


def _added_number(number: Number, severity: Severity) -> TextFinding:
    message = f"The translation has the number {number.text}, which the source does not have in digits."
    return TextFinding(severity, Kind.NUMBER, message, number.text, target=(number.start, number.end))
