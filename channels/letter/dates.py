"""A letter's date, as its language writes dates."""

from __future__ import annotations

from datetime import date

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list

_KIN = {"prs": "fa-AF"}  # Dari writes dates as Persian in Afghanistan does


def long_date(day: date, language: str) -> str:
    """`November 22, 2026`, `22 de noviembre de 2026`; `2026-11-22` in a language whose habit nobody wrote down."""
    locale = _locale(language)
    return str(format_date(day, "long", locale)) if locale else day.isoformat()


def listed(names: list[str], language: str) -> str:
    """`Ana and Tom`, in the language."""
    locale = _locale(language)
    return str(format_list(names, locale=locale)) if locale else ", ".join(names)


def _locale(language: str) -> Locale | None:
    try:
        return Locale.parse(_KIN.get(language, language), sep="-")
    except (UnknownLocaleError, ValueError):
        return None
