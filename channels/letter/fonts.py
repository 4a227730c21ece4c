"""Which fonts a language is set in, what they can show, and how wide a text is in them.

The faces come from packages (all Noto, SIL Open Font License, free to embed), never from the system, so that a
letter looks the same on every machine. `directories` is the one place that knows those packages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import typst
import uharfbuzz
from fontTools.ttLib import TTFont
from fontTools.unicodedata import script as script_of
from langcodes import Language

PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
LATIN = "Noto Sans"

# Which family comes first for a script (ISO 15924). Scripts that are not here start with Latin's.
_FAMILIES = {
    "Arab": "Noto Sans Arabic",
    "Armn": "Noto Sans Armenian",
    "Beng": "Noto Sans Bengali",
    "Deva": "Noto Sans Devanagari",
    "Ethi": "Noto Sans Ethiopic",
    "Geor": "Noto Sans Georgian",
    "Gujr": "Noto Sans Gujarati",
    "Guru": "Noto Sans Gurmukhi",
    "Hebr": "Noto Sans Hebrew",
    "Khmr": "Noto Sans Khmer",
    "Knda": "Noto Sans Kannada",
    "Laoo": "Noto Sans Lao",
    "Mlym": "Noto Sans Malayalam",
    "Mymr": "Noto Sans Myanmar",
    "Orya": "Noto Sans Oriya",
    "Sinh": "Noto Sans Sinhala",
    "Taml": "Noto Sans Tamil",
    "Telu": "Noto Sans Telugu",
    "Thai": "Noto Sans Thai",
    "Hans": "Noto Sans CJK SC",
    "Hant": "Noto Sans CJK TC",
    "Jpan": "Noto Sans CJK JP",
    "Kore": "Noto Sans CJK KR",
}
_HONG_KONG = "Noto Sans CJK HK"  # traditional characters in the shapes used in Hong Kong and Macau
_SYMBOLS = ("Noto Sans Symbols", "Noto Emoji")

# Space between lines, in ems on top of the capitals' height: tall scripts need more.
_LEADING = {
    "Arab": 0.88,
    "Deva": 0.82,
    "Beng": 0.82,
    "Ethi": 0.84,
    "Khmr": 1.1,
    "Mymr": 1.1,
    "Thai": 0.92,
    "Laoo": 0.92,
}
_LEADING_HAN, _LEADING_ELSE = 0.86, 0.72
_HAN = ("Hans", "Hant", "Jpan", "Kore")

# Characters that print nothing, which no font needs to know: joiners, direction marks, variation selectors.
INVISIBLE = frozenset(
    map(chr, (0x09, 0x0A, 0xAD, 0x061C, 0x2060, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)))
) | frozenset(map(chr, (*range(0x2066, 0x206A), *range(0xFE00, 0xFE10))))

_UNSEEN = dict.fromkeys(map(ord, INVISIBLE))

DOTTED_CIRCLE = 0x25CC

_script_of = lru_cache(maxsize=10_000)(script_of)


def directories() -> tuple[Path, ...]:
    """The folders the faces lie in.

    Raises:
        FileNotFoundError: a font package is not installed.
    """
    return tuple(_directory(package) for package in PACKAGES)


def _directory(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"The fonts of {package} are missing: pip install {package.replace('_', '-')}."
        )
    return Path(spec.origin).parent


@cache
def library() -> typst.Fonts:
    """The faces as Typst takes them: the packaged ones and no others."""
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(path) for path in directories()],
    )


@cache
def script(language: str) -> str:
    """The script (ISO 15924) a language is written in: `"Arab"` for `"ur"`, `"Hant"` for `"zh-TW"`."""
    return Language.get(language).maximize().script or "Latn"


@cache
def stack(language: str) -> tuple[str, ...]:
    """The families a text in this language is set in, the first that has a character wins.

    The language's own family comes first, so that spaces and digits do not switch fonts; all others follow,
    because an English letter may hold an Arabic greeting.
    """
    own = _own_family(language)
    han = own if own.startswith("Noto Sans CJK") else _FAMILIES["Hans"]
    others = [family for family in _FAMILIES.values() if not family.startswith("Noto Sans CJK")]
    return tuple(dict.fromkeys((own, LATIN, *others, han, *_SYMBOLS)))


def _own_family(language: str) -> str:
    written = script(language)
    if written == "Hant" and Language.get(language).maximize().territory in ("HK", "MO"):
        return _HONG_KONG
    return _FAMILIES.get(written, LATIN)


def leading(language: str) -> float:
    """Space between lines for the language's script, in ems."""
    return _LEADING_HAN if script(language) in _HAN else _LEADING.get(script(language), _LEADING_ELSE)


def has_italics(language: str) -> bool:
    """Whether the language's own family has an italic; elsewhere emphasis is set a little bolder."""
    return _own_family(language) == LATIN


@cache
def place(family: str) -> tuple[str, int]:
    """The file of a family's upright face, and its number in it."""
    for face in library().fonts():
        if face.family == family and face.style == "normal" and face.path:
            return face.path, face.index
    raise FileNotFoundError(f"No font called {family!r} in {', '.join(PACKAGES)}; reinstall these packages.")


@cache
def coverage(family: str) -> frozenset[str]:
    """Every character the family has a glyph for."""
    path, index = place(family)
    with TTFont(path, fontNumber=index, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def missing(text: str, families: Sequence[str]) -> tuple[str, ...]:
    """The characters that none of the families can show, in code point order; they would print as boxes."""
    left = set(unicodedata.normalize("NFC", text)) - INVISIBLE
    for family in families:
        if not left:
            break
        left -= coverage(family)
    return tuple(sorted(left))


@dataclass(frozen=True, slots=True)
class Shape:
    """What shaping a text comes to."""

    width: float  # in ems
    dotted: bool  # a mark without its letter was given a dotted circle


@cache
def _face(family: str) -> tuple[uharfbuzz.Font, int, int | None]:
    """A family's regular weight, its units in an em, and its dotted circle's glyph."""
    path, index = place(family)
    face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path), index)
    font = uharfbuzz.Font(face)
    font.set_variations({"wght": 400})
    return font, face.upem, font.get_nominal_glyph(DOTTED_CIRCLE)


def is_latin(text: str) -> bool:
    """Whether every letter is a Latin one, which sorting machines read."""
    return all(_script_of(character) in ("Latn", "Zyyy", "Zinh") for character in text)


# Latin letters, digits and signs that need no shaping, but for these, which neighbours push away.
_PLAIN = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xC0, 0x180)))) - set("'\"?!()[]{}*<>|\\`~^$×÷ďľťĩŉ")
# What is left of kerning that moves letters apart, in ems: so much before a letter, at most.
_APART = {"J": 0.11, "T": 0.02, "Ţ": 0.02, "Ť": 0.02, "Ŧ": 0.02}


@cache
def _advances() -> dict[str, float]:
    """How far each plain character moves the pen at most, in ems."""
    font, upem, _ = _face(LATIN)
    return {
        character: font.get_glyph_h_advance(font.get_nominal_glyph(ord(character))) / upem
        + _APART.get(character, 0)
        for character in _PLAIN
    }


def is_plain(text: str) -> bool:
    """Whether a text is nothing but Latin letters, digits and signs that every stack prints as they are."""
    return set(text.translate(_UNSEEN)) <= _PLAIN


def width(text: str, families: tuple[str, ...]) -> float:
    """How wide a text is on one line, in ems: summed where Latin letters just stand in a row, shaped elsewhere.

    Names and addresses are mostly plain Latin, and a sum is ten times cheaper. It is never less than what
    shaping gives, and hardly ever more. Where another family comes first, its own spaces, digits or Latin
    letters may be wider: there it is a tenth more.
    """
    try:
        plain = sum(map(_advances().__getitem__, text.translate(_UNSEEN)))
    except KeyError:
        return shape(text, families).width
    return plain * (1.0 if families[0] == LATIN else 1.1)


@lru_cache(maxsize=20_000)
def shape(text: str, families: tuple[str, ...]) -> Shape:
    """Measure a text on one line, each character in the first family that has it.

    Args:
        text: without line feeds.
        families: the stack, in order.
    """
    shapes = [_shape_run(run, families) for run in _runs(text)]
    return Shape(sum(one.width for one in shapes), any(one.dotted for one in shapes))


def _runs(text: str) -> Iterator[str]:
    """Split by script; spaces, digits and marks stay with what they follow, or at the start with what follows."""
    current = next((written for written in map(_script_of, text) if written not in ("Zyyy", "Zinh")), "Zyyy")

    def run_of(character: str) -> str:
        nonlocal current
        written = _script_of(character)
        if written not in ("Zyyy", "Zinh"):
            current = written
        return current

    for _, run in groupby(text, run_of):
        yield "".join(run)


def _shape_run(run: str, families: tuple[str, ...]) -> Shape:
    font, upem, circle = _face(families[0])
    buffer = uharfbuzz.Buffer()
    buffer.add_codepoints([ord(character) for character in run])
    buffer.guess_segment_properties()
    uharfbuzz.shape(font, buffer)
    infos, positions = buffer.glyph_infos, buffer.glyph_positions
    unknown = {info.cluster for info in infos if info.codepoint == 0} if len(families) > 1 else set()
    known = [(info, at) for info, at in zip(infos, positions, strict=True) if info.cluster not in unknown]
    rest = [_shape_run(part, families[1:]) for part in _clusters(run, infos, unknown)]
    drawn = circle and chr(DOTTED_CIRCLE) not in run and any(info.codepoint == circle for info, _ in known)
    width = sum(abs(at.x_advance) for _, at in known) / upem
    return Shape(width + sum(part.width for part in rest), bool(drawn) or any(part.dotted for part in rest))


def _clusters(run: str, infos: Sequence[uharfbuzz.GlyphInfo], unknown: set[int]) -> Iterator[str]:
    """The stretches of a run that belong to the unknown clusters, neighbours together."""
    starts = sorted({info.cluster for info in infos})
    ends = [*starts[1:], len(run)]
    for is_unknown, group in groupby(zip(starts, ends, strict=True), lambda span: span[0] in unknown):
        spans = list(group)
        if is_unknown:
            yield run[spans[0][0] : spans[-1][1]]
