"""A package on trial: does it load, does it write words, and are they in the language that it says?

What it cannot tell: whether it translates well, nor which language a package reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from notify.translation.argos_model import Model
from notify.translation.argos_package import Package, PackageRefused
from notify.translation.codes import best_match
from notify.translation.identifying import identify, is_in, main_script
from templates import language_name, phrases
from templates import languages as phrase_languages

SAMPLES = (
    "page_withdrawn",
    "join_wrong_reach",
    "join_sent_email",
    "join_sent_phone",
    "join_sent_missing",
    "join_too_many",
    "confirm_old_text",
    "email_confirm_ignore",
)
"""Our own sentences that have no placeholder, in every language that residents' pages are in."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    problem: str  # why the package must not be used, or empty
    note: str = ""  # what a person should know of it all the same


def samples(language: str) -> list[str]:
    """Sentences in a language, BCP 47, or none."""
    known = best_match(language, phrase_languages())
    return [phrases(known)[key] for key in SAMPLES] if known else []


def try_out(package: Package) -> Trial:
    """Load a package, let it translate sentences, and look at the language that comes out."""
    try:
        model = Model(package, workers=1, beam=1)
    except PackageRefused as error:
        return Trial(error.why)
    texts = samples(package.source)
    if not texts:
        return Trial("", f"It loads. There are no sentences in {_name(package.source)} to try it with.")
    return _judged([text for text, _ in model.translate(texts)], package.target)


def _judged(written: list[str], target: str) -> Trial:
    together = " ".join(written)
    if main_script(together) is None:
        return Trial("it writes no words")
    verdict = is_in(together, target)
    if verdict is False:
        found = identify(together)[0]
        return Trial(f"it should translate to {_name(target)}, but what it writes looks like {_name(found)}")
    if verdict is None:
        return Trial("", f"It loads. Whether it writes {_name(target)} cannot be told by machine.")
    odd = sum(is_in(text, target) is False for text in written)
    return Trial("", f"{odd} of {len(written)} sentences came out in another language." if odd else "")


def _name(language: str) -> str:
    return f"{language_name(language, 'en')} ({language})"
