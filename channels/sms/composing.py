"""From an approved text to the exact words of one text message.

    {City}: {short text}
    Full text: {url}
    Reply STOP to stop.

Right to left. A phone takes the direction of a line from its first letter, and shows a phone number inside
an Arabic line group by group from the right, the plus sign last. Two invisible marks prevent that, each one
UCS-2 unit: U+200F before a line whose first letter is Latin, U+200E before a phone number. Not the isolates
U+2066-2069: older phones show boxes for them, and they need a second mark behind the number; and no mark
ever stands behind a URL, since phones take invisible characters for a part of the link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from channels.contract import ApprovedText, CannotCompose, City, Rendering
from channels.sms.segments import GSM, alphabet_of, count, has_right_to_left, length, normalise
from channels.sms.settings import SmsSettings
from templates import direction, language_name, phrases

LONGEST = 1600  # characters in one message, Twilio's cap (21617)

_LEFT_TO_RIGHT = "\u200e"
_RIGHT_TO_LEFT = "\u200f"
_LINK = re.compile(r"(?<!\S)\S*(?:://|@)\S*")
_NUMBER = re.compile(r"\+?\(?\d[\d().\u2010-\u2015/ -]*\d")  # groups of digits, as phone numbers are written
_SPELT = re.compile(r"\d(-\d){2}")  # 3-1-1
_PHONE_DIGITS = 7
_FEW = 5  # so many characters are worth naming when only they make a text dearer


def compose(text: ApprovedText, city: City, settings: SmsSettings) -> Rendering:
    """Put the message together, count it and price it.

    Raises:
        CannotCompose: there is no short text (21602), or it is too long (21617, R22); with the cure.
    """
    if not normalise(text.short).text:
        raise CannotCompose(
            f"There is no short text in {_language(text)}; a text message needs one. Write it."
        )
    normalised = normalise("\n".join(_lines(text, city)))
    body = normalised.text
    body = keep_direction(body) if direction(text.language) == "rtl" else keep_numbers(body)
    _check_length(body, text, settings)
    parts = count(body)
    return Rendering(
        channel="sms",
        language=text.language,
        preview=body,
        parts=parts,
        cost=parts * settings.price_per_segment,
        notes=(*normalised.notes, *_dear(body)),
        measure=_measure(body, parts),
        content=body,
    )


def _measure(body: str, parts: int) -> str:
    """How much of the segments begun is used (R24)."""
    alphabet = alphabet_of(body)
    room = alphabet.single if parts == 1 else alphabet.joined * parts
    return f"{length(body)} of {room} {alphabet.name} characters"


def _lines(text: ApprovedText, city: City) -> Iterator[str]:
    fixed = phrases(text.language)
    yield f"{city.name}: {text.short.strip()}"
    if text.url:
        yield fixed["sms_more"].format(url=text.url)
    yield fixed["sms_stop"]


def _language(text: ApprovedText) -> str:
    return language_name(text.language, "en")


def _check_length(body: str, text: ApprovedText, settings: SmsSettings) -> None:
    alphabet, parts = alphabet_of(body), count(body)
    room = alphabet.single if settings.max_segments == 1 else settings.max_segments * alphabet.joined
    excess = max(length(body) - room, _characters(body) - LONGEST)
    if excess <= 0 and parts <= settings.max_segments:
        return
    raise CannotCompose(
        f"The text message in {_language(text)} takes {parts} segments; {settings.max_segments} are allowed:"
        f" {min(room, LONGEST)} characters of {alphabet.name}, counting the city's name, the link and STOP."
        f" Shorten the short text by {max(excess, 1)} characters, or raise NOTIFY_SMS__MAX_SEGMENTS."
    )


def _characters(body: str) -> int:
    return len(body.encode("utf-16-le")) // 2


def _dear(body: str) -> Iterator[str]:
    """A note where a handful of characters alone makes the text cost more than twice as much."""
    foreign = [character for character in dict.fromkeys(body) if character not in GSM]
    if 0 < len(foreign) <= _FEW:
        shown = " ".join(foreign)
        yield f"Not in the GSM alphabet: {shown}. Because of that a segment holds 70 characters and not 160."


def is_right_to_left(text: str) -> bool:
    """Whether most letters of a text are written from right to left."""
    kinds = list(map(unicodedata.bidirectional, text))
    return kinds.count("R") + kinds.count("AL") > kinds.count("L")


def keep_direction(body: str) -> str:
    """Mark a right-to-left text so that its lines and phone numbers are shown the right way round."""
    return "\n".join(map(_marked, body.split("\n")))


def keep_numbers(body: str) -> str:
    """Mark the phone numbers that stand beside right-to-left words in another text: those turn them round too."""
    return "\n".join(map(_numbers_marked, body.split("\n")))


def _numbers_marked(line: str) -> str:
    return "".join(_guard(part) for part in _pieces(line)) if has_right_to_left(line) else line


def _marked(line: str) -> str:
    if not has_right_to_left(line):
        return line
    marked = _numbers_marked(line)
    return marked if _starts_right_to_left(marked) else _RIGHT_TO_LEFT + marked


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """The line in pieces, each with whether it is a link."""
    end = 0
    for link in _LINK.finditer(line):
        yield line[end : link.start()], False
        yield link[0], True
        end = link.end()
    yield line[end:], False


def _guard(part: tuple[str, bool]) -> str:
    words, is_link = part
    return words if is_link else _NUMBER.sub(_marked_number, words)


def _marked_number(found: re.Match[str]) -> str:
    return _LEFT_TO_RIGHT + found[0] if _is_phone(found[0]) else found[0]


def _is_phone(number: str) -> bool:
    """Whether groups of digits are a phone number; a range of hours or days does read from the right."""
    digits = sum(map(str.isdigit, number))
    grouped = digits < len(number)
    return grouped and (number[0] == "+" or digits >= _PHONE_DIGITS or bool(_SPELT.fullmatch(number)))


def _starts_right_to_left(line: str) -> bool:
    directions = map(unicodedata.bidirectional, line)
    return next((kind != "L" for kind in directions if kind in ("L", "R", "AL")), True)
