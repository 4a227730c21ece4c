"""Dates in cells: ISO 8601, or as the country writes days in numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from contacts.values import INVISIBLE, BadValue, Problem

_MONTH_FIRST = frozenset({"US", "PH", "PR", "GU", "VI", "AS", "MP", "FM", "MH", "PW"})
_DIGITS = {sign: str(int(sign)) for sign in "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯０１２３４５６７８９"}
_OLDEST = date(1990, 1, 1)


def read_day(raw: str, *, country: str) -> date | datetime:
    """A day, or a moment where the time is given, as ISO 8601 or as the country writes days in numbers.

    The digits may be of any script, and the year may have two of them, as spreadsheets like to show it.

    Args:
        raw: as it was written.
        country: ISO 3166-1 alpha-2.

    Raises:
        BadValue: it is no date, or one from before anybody could have agreed.
    """
    text = _ascii_digits(raw)
    day = "%m/%d/" if country in _MONTH_FIRST else "%d/%m/"
    found = _iso(text)
    for form in (f"{day}%Y", f"{day}%y", "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d"):
        found = found or _written(text, form)
    if found is None or found.year < _OLDEST.year:
        raise BadValue(Problem.DATE_UNKNOWN)
    return found


def _ascii_digits(raw: str) -> str:
    return raw if raw.isascii() else "".join(_DIGITS.get(sign, sign) for sign in raw.translate(INVISIBLE))


def _iso(raw: str) -> date | datetime | None:
    try:
        return date.fromisoformat(raw)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written(raw: str, form: str) -> date | None:
    try:
        return datetime.strptime(raw, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def begin(day: date) -> datetime:
    """The first moment of a day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def end(day: date) -> datetime:
    """The last moment of a day."""
    return datetime.combine(day, time.max, tzinfo=UTC)
