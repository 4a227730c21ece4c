"""What columns are called: guessed from the header in many languages (headers.toml), or said by a person."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contacts.values import ImportFailed, SheetProblem

MOST_COLUMNS = 1000
ADDRESS_FIELDS = ("phone", "email", "telegram", "address", "address1")

ALIASES: dict[str, list[str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

_VALUE = re.compile(r"@|\d(?:\D{0,2}\d){6}")  # in a row of residents: a mailbox, a number to call

_FAMILYS = ("name", "nom", "naam")  # what the family's name is called beside the given one


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    Attributes:
        places: the place of each field, from 0.
        ignored: headers that mean nothing to us, or that a person said to ignore.
    """

    places: dict[str, int]
    ignored: tuple[str, ...]


def bare(header: str) -> str:
    """A header without spaces, punctuation, case and accents."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", header).casefold()))


_FIELD_OF = {bare(alias): name for name, aliases in ALIASES.items() for alias in aliases}


def guess(header: Sequence[str]) -> list[str]:
    """The field of each column, empty where the header says nothing to us.

    Beside a family name, `name` is the given one: nombre and apellidos, имя and фамилия. Beside a given name,
    a bare "name" is the family's: nom and prénom.
    """
    fields = [_FIELD_OF.get(bare(text), "") for text in header]
    if "last_name" in fields and "first_name" not in fields and fields.count("name") == 1:
        fields[fields.index("name")] = "first_name"
    if "first_name" in fields and "last_name" not in fields and fields.count("name") == 1:
        place = fields.index("name")
        fields[place] = "last_name" if bare(header[place]) in _FAMILYS else "name"
    return fields


def is_header(cells: Sequence[str], said: Collection[str] = ()) -> bool:
    """Whether a row plainly names columns, and is no title, no remark and no resident.

    Args:
        cells: of the row.
        said: headers that a person said something about.
    """
    named = {bare(text) for text in said if not text.startswith("#")} - {""}
    if named & {bare(text) for text in cells}:
        return True
    fields = {name for name in guess(cells) if name}
    enough = len(fields) > 1 or sum(map(bool, guess(cells))) == sum(map(bool, cells))
    return enough and not fields.isdisjoint(ADDRESS_FIELDS) and not any(map(_VALUE.search, cells))


def columns(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> Columns:
    """Find out which column holds what.

    Args:
        header: the cells of the row that names them.
        mapping: what a person says: fields by header, or by a column's number as #3; an empty field ignores
            the column.

    Raises:
        ImportFailed: two columns are the same, none holds an address, or the mapping does not fit.
    """
    if len(header) > MOST_COLUMNS:
        raise ImportFailed(
            SheetProblem.TOO_MANY_COLUMNS,
            f"The sheet has {len(header)} columns.",
            "Keep the few that matter.",
        )
    fields = guess(header)
    for place, name in _said(header, mapping or {}).items():
        fields = ["" if name and field == name else field for field in fields]
        fields[place] = name
    _check(header, fields)
    places = {name: place for place, name in enumerate(fields) if name}
    unknown = (text for text, name in zip(header, fields, strict=True) if text and not name)
    return Columns(places, tuple(text[:40] for text in unknown))


def _said(header: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    return {_place(header, text): _checked_field(name) for text, name in mapping.items()}


def _place(header: Sequence[str], text: str) -> int:
    number = text[1:]
    if text.startswith("#") and number.isdecimal() and 0 < int(number) <= len(header):
        return int(number) - 1
    found = [place for place, each in enumerate(header) if bare(each) == bare(text) and bare(text)]
    found = [place for place in found if header[place] == text.strip()] or found
    if len(found) == 1:
        return found[0]
    problem = "Several columns are" if found else "No column is"
    raise ImportFailed(
        SheetProblem.MAPPING,
        f"{problem} called {text[:40]!r}.",
        "Write the header as the file has it, or the column's number as #3.",
    )


def _checked_field(name: str) -> str:
    wanted = name.strip()
    if wanted and wanted not in ALIASES:
        raise ImportFailed(
            SheetProblem.MAPPING,
            f"There is no field called {wanted[:40]!r}.",
            f"Choose one of: {', '.join(ALIASES)}; or nothing, to ignore the column.",
        )
    return wanted


def _check(header: Sequence[str], fields: Sequence[str]) -> None:
    if not any(fields):
        raise ImportFailed(
            SheetProblem.NO_COLUMN,
            "No row at the top names columns that Notify knows.",
            "Put one there: name, phone, email, address1, city, state, postcode, language, consent; "
            "or say what a column is, as in --map 'Handy=phone'.",
        )
    _check_twice(header, fields)
    if not any(name in ADDRESS_FIELDS for name in fields):
        raise ImportFailed(
            SheetProblem.NO_ADDRESS_COLUMN,
            "No column holds an address.",
            "Add a column phone, email, telegram, or address1 with city, state and postcode.",
        )


def _check_twice(header: Sequence[str], fields: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for place, name in enumerate(fields):
        if name and name in seen:
            first, second = header[seen[name]], header[place]
            raise ImportFailed(
                SheetProblem.DUPLICATE_COLUMN,
                f"Columns {seen[name] + 1} ({first[:40]}) and {place + 1} ({second[:40]}) are both the {name}.",
                f"Ignore one, as in --map '#{place + 1}=', or give it a name that says what it is.",
            )
        seen[name] = place
