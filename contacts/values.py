"""Values from outside: what a good address comes to, what can be wrong with a value or a file, and its cure.

All texts are in one table. They never show the value, so that they can be logged, exported and read aloud.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

# Zero-width and direction marks that come along when a value is copied from a page or a chat.
INVISIBLE = dict.fromkeys(
    [0xAD, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
)
_INVISIBLE_BUT_JOINERS = {mark: None for mark in INVISIBLE if mark not in (0x200C, 0x200D)}


@dataclass(frozen=True, slots=True)
class Address:
    """A normalised address. Personal data, so nothing of it is in the repr.

    Attributes:
        address: what the channel sends to.
        key: equal for equal places.
    """

    address: str = field(repr=False)
    key: str = field(repr=False)


class Problem(StrEnum):
    """Why a value was not taken."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    NUL = "nul"
    TOO_MANY_CELLS = "too_many_cells"
    BROKEN_QUOTES = "broken_quotes"
    NO_ADDRESS = "no_address"
    NO_LIST = "no_list"
    LIST_UNKNOWN = "list_unknown"
    FORMULA = "formula"
    CELL_ERROR = "cell_error"
    DAMAGED_NUMBER = "damaged_number"

    PHONE_NOT_A_NUMBER = "phone_not_a_number"
    PHONE_NOT_VALID = "phone_not_valid"
    PHONE_COUNTRY = "phone_country"
    PHONE_EXTENSION = "phone_extension"
    PHONE_SHORT = "phone_short"

    EMAIL_NO_AT = "email_no_at"
    EMAIL_SEVERAL = "email_several"
    EMAIL_NOT_VALID = "email_not_valid"

    CHAT_NOT_A_NUMBER = "chat_not_a_number"

    POSTAL_TOO_FEW_LINES = "postal_too_few_lines"
    POSTAL_TOO_MANY_LINES = "postal_too_many_lines"
    POSTAL_LAST_LINE_US = "postal_last_line_us"
    POSTAL_LAST_LINE_GB = "postal_last_line_gb"
    POSTAL_LINE_START = "postal_line_start"
    POSTAL_LINE_EMPTY = "postal_line_empty"
    POSTAL_NO_FIXED_ADDRESS = "postal_no_fixed_address"
    POSTAL_BFPO_ABROAD = "postal_bfpo_abroad"
    POSTAL_COUNTRY = "postal_country"
    POSTAL_POSTCODE = "postal_postcode"
    POSTAL_REGION = "postal_region"

    LANGUAGE_UNKNOWN = "language_unknown"
    LANGUAGE_SEVERAL = "language_several"

    CONSENT_UNKNOWN = "consent_unknown"
    DATE_UNKNOWN = "date_unknown"
    DATE_IN_FUTURE = "date_in_future"


_SEPARATE = "Put one value in each cell, and further ones in rows of their own."

MESSAGES: dict[Problem, tuple[str, str]] = {
    Problem.EMPTY: ("There is no value.", "Fill it in."),
    Problem.TOO_LONG: ("The value is far too long.", "Look for a missing quotation mark, and shorten it."),
    Problem.NUL: ("The value holds a NUL byte.", "Save the sheet again as CSV (UTF-8)."),
    Problem.TOO_MANY_CELLS: (
        "The row has more cells than the header has columns, so it was not imported.",
        "Put quotation marks around a value that holds the delimiter.",
    ),
    Problem.BROKEN_QUOTES: (
        "A quotation mark is missing or not doubled here or shortly before, so the row was not imported.",
        "Close every quoted value, and write a quotation mark inside one twice.",
    ),
    Problem.NO_ADDRESS: (
        "The row has no address that can be used, so it was not imported.",
        "Give a phone number, an email address, a Telegram chat or a postal address.",
    ),
    Problem.NO_LIST: (
        "The row names no list, so it was not imported.",
        "Fill in its list, or name one for the whole file with --list.",
    ),
    Problem.LIST_UNKNOWN: (
        "There is no list of this name.",
        "Check its spelling, or make the list first: notify list add.",
    ),
    Problem.FORMULA: (
        "The cell is a formula, and the file does not hold its result, so the row was not imported.",
        "Open it in a spreadsheet, save it there, or paste the values without formulas.",
    ),
    Problem.CELL_ERROR: (
        "The cell shows an error like #N/A in the spreadsheet, so the row was not imported.",
        "Correct the formula, or enter the value.",
    ),
    Problem.DAMAGED_NUMBER: (
        "A spreadsheet rounded this number, so its last digits are lost.",
        "Format the column as text, enter the number again, and save.",
    ),
    Problem.PHONE_NOT_A_NUMBER: (
        "This is not a phone number.",
        "Write digits only, for another country with + and its code. " + _SEPARATE,
    ),
    Problem.PHONE_NOT_VALID: (
        "No phone can have this number.",
        "Check for missing or extra digits, for another country with + and its code. " + _SEPARATE,
    ),
    Problem.PHONE_COUNTRY: (
        "No country has this calling code.",
        "Check the digits after +.",
    ),
    Problem.PHONE_EXTENSION: (
        "A number with an extension gets no text messages.",
        "Give a direct or mobile number.",
    ),
    Problem.PHONE_SHORT: (
        "This is a short or emergency number, or its area code is missing.",
        "Give the full number with its area code.",
    ),
    Problem.EMAIL_NO_AT: ("This is not an email address: it has no @.", "Write it as name@example.org."),
    Problem.EMAIL_SEVERAL: ("The value holds more than one email address.", _SEPARATE),
    Problem.EMAIL_NOT_VALID: (
        "No mailbox can have this address.",
        "Write the bare address, name@example.org, without a name, brackets or spaces.",
    ),
    Problem.CHAT_NOT_A_NUMBER: (
        "A Telegram chat is a whole number; a bot cannot write to a user name or a phone number.",
        "Let the resident press Start in the bot; then the chat is known by itself.",
    ),
    Problem.POSTAL_TOO_FEW_LINES: (
        "The postal address needs at least two lines.",
        "Give street and number, and the line with the postcode.",
    ),
    Problem.POSTAL_TOO_MANY_LINES: (
        "The postal address has more than six lines, so it does not fit the window.",
        "Shorten it to six lines without the name.",
    ),
    Problem.POSTAL_LAST_LINE_US: (
        "The last line of the postal address is not a city, a two-letter state and a ZIP code.",
        "Write it as Springfield MA 01103, or end with the country's name.",
    ),
    Problem.POSTAL_LAST_LINE_GB: (
        "The last line of the postal address is not a postcode.",
        "Write it as SW1A 1AA, or end with the country's name.",
    ),
    Problem.POSTAL_LINE_START: (
        'A line of the postal address starts with one of @ ( ) = [ ] " \\ / , < > ~.',
        "Remove the sign.",
    ),
    Problem.POSTAL_LINE_EMPTY: (
        "A line of the postal address holds no letter and no digit.",
        "Remove the line or fill it in.",
    ),
    Problem.POSTAL_NO_FIXED_ADDRESS: (
        "A letter cannot reach somebody without a fixed address.",
        "Choose another channel, or a place that keeps mail for this person.",
    ),
    Problem.POSTAL_BFPO_ABROAD: (
        "A forces address (BFPO) goes without a country.",
        "Remove the country, or the BFPO line.",
    ),
    Problem.POSTAL_COUNTRY: (
        "No country has this name or code.",
        "Write its name in English or its two-letter code (ISO 3166), or leave it empty.",
    ),
    Problem.POSTAL_POSTCODE: (
        "No place in this country has such a postcode.",
        "Check the postcode, and the country if one is given.",
    ),
    Problem.POSTAL_REGION: (
        "The ZIP code is not in this state.",
        "Check the state and the ZIP code; one of them is mistyped.",
    ),
    Problem.LANGUAGE_UNKNOWN: (
        "No language has this name or tag.",
        "Write its English name, its own name, or its BCP 47 tag (es, zh-Hans, ht).",
    ),
    Problem.LANGUAGE_SEVERAL: (
        "The value names more than one language.",
        "Write the one in which the resident wants to read.",
    ),
    Problem.CONSENT_UNKNOWN: (
        "This is no answer to whether the resident agreed, so no consent was recorded.",
        "Write yes, no or stop, or the names of the channels agreed to, with commas between them.",
    ),
    Problem.DATE_UNKNOWN: (
        "This is not a date, so no consent was recorded.",
        "Write it as 2026-11-22.",
    ),
    Problem.DATE_IN_FUTURE: (
        "Nobody can have agreed on a day that is still to come, so no consent was recorded.",
        "Check the date.",
    ),
}


class BadValue(ValueError):
    """A value that was not taken. Its text is the table's and never holds the value.

    Attributes:
        code: why.
        message: what is wrong, a sentence.
        cure: what to do about it, a sentence.
    """

    def __init__(self, code: Problem) -> None:
        self.code = code
        self.message, self.cure = MESSAGES[code]
        super().__init__(f"{self.message} {self.cure}")


class BadAddress(BadValue):
    """An address that nothing can be sent to."""


class SheetProblem(StrEnum):
    """Why a whole file was not taken."""

    NOT_READABLE = "not_readable"
    NOT_A_SHEET = "not_a_sheet"
    EMPTY = "empty"
    ENCODING = "encoding"
    MIXED_ENCODINGS = "mixed_encodings"
    TOO_LONG = "too_long"
    NO_COLUMN = "no_column"
    NO_ADDRESS_COLUMN = "no_address_column"
    DUPLICATE_COLUMN = "duplicate_column"
    TOO_MANY_COLUMNS = "too_many_columns"
    DELIMITER = "delimiter"
    NO_CONSENT = "no_consent"
    ATTESTATION = "attestation"
    NO_LIST = "no_list"
    MAPPING = "mapping"
    NO_SUCH_SHEET = "no_such_sheet"
    TOO_BIG = "too_big"
    PROTECTED = "protected"
    BUSY = "busy"
    NO_SUCH_IMPORT = "no_such_import"


class ImportFailed(ValueError):
    """A file that was not taken as a whole. The text names place and cure and no resident.

    Attributes:
        code: why.
        message: what is wrong, a sentence.
        cure: what to do about it, a sentence.
    """

    def __init__(self, code: SheetProblem, message: str, cure: str) -> None:
        self.code, self.message, self.cure = code, message, cure
        super().__init__(f"{message} {cure}")


def clean_line(raw: str) -> str:
    """The text on one line, in Unicode's composed form, without marks that nobody sees.

    Joiners stay: they are spelling in Persian, Hindi and Bengali (R23).
    """
    text = " ".join(raw.split())
    if text.isascii() and text.isprintable():
        return text
    shown = unicodedata.normalize("NFC", text).translate(_INVISIBLE_BUT_JOINERS)
    printable = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Co") else sign for sign in shown)
    return " ".join(printable.split())


def masked(value: str) -> str:
    """What may be shown of a value that may be personal data: its first two characters, and not all of it."""
    start = value.strip()[:2]
    return f"{start if len(value.strip()) > 2 else ''}…" if start else ""
