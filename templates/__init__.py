"""The WORDS that do not change from statement to statement: playbooks, residents' phrases, layouts.

`phrases/<language>.toml` holds every fixed sentence a resident can read, one file for each language.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from babel import Locale, UnknownLocaleError

FALLBACK = "en"

# Scripts and languages written from right to left that the locale data does not know as such.
_RIGHT_TO_LEFT = frozenset({"prs", "rhg", "sd", "ks", "syr", "azb", "pnb", "ckb"})


def directory() -> Path:
    """Where the templates are on disk."""
    return Path(str(files(__package__)))


def languages() -> tuple[str, ...]:
    """Languages that have a phrase file, as BCP 47 tags."""
    return tuple(sorted(path.stem for path in (directory() / "phrases").glob("*.toml")))


@cache
def phrases(language: str) -> dict[str, str]:
    """The fixed sentences in a language; in its base language, then English, where there is no file.

    Args:
        language: a BCP 47 tag.

    Returns:
        Sentence by key, with `{placeholders}` to be filled by `str.format`.
    """
    for tag in (language, language.split("-")[0], FALLBACK):
        path = directory() / "phrases" / f"{tag}.toml"
        if path.is_file():
            return tomllib.loads(path.read_text("utf-8"))
    raise FileNotFoundError(f"No phrases at all: {FALLBACK}.toml is missing from {directory() / 'phrases'}.")


@cache
def direction(language: str) -> str:
    """`"rtl"` or `"ltr"`: how the language's script runs."""
    if language.split("-")[0] in _RIGHT_TO_LEFT:
        return "rtl"
    try:
        return str(Locale.parse(language, sep="-").text_direction)
    except (UnknownLocaleError, ValueError):
        return "ltr"


@cache
def language_name(language: str, in_language: str | None = None) -> str:
    """The language's name, in itself or in another language; the tag where nobody knows it."""
    try:
        locale = Locale.parse(language, sep="-")
        return (
            str(locale.get_display_name(in_language.replace("-", "_") if in_language else None)) or language
        )
    except (UnknownLocaleError, ValueError):
        return language
