"""The words of a statement in one language, as their author hands them in: read and checked."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from channels.contract import Action
from templates import front_matter

TITLE_MAX, SHORT_MAX, BODY_MAX, LABEL_MAX = 200, 900, 20_000, 80  # characters
ACTIONS_MAX = 6


class Kind(StrEnum):
    """What sort of statement: a crisis goes first and may ring at night."""

    CRISIS = "crisis"
    UPDATE = "update"
    NOTICE = "notice"


class StatementError(ValueError):
    """The text or the step is not possible; each line names the place and the cure."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Text:
    """One statement's words in one language."""

    title: str
    short: str
    body: str
    actions: tuple[Action, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A plain tree, the same for the same words."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement as its author hands it in."""

    text: Text
    kind: Kind
    language: str
    series: str = ""  # "weekly": a timetable takes the newest approved statement of its series
    playbook: str = ""
    translations: dict[str, Text] = field(default_factory=dict)  # from a playbook
    signed: frozenset[str] = frozenset()  # languages of those translations that the city has signed


def parse(source: str) -> Draft:
    """Read a statement from Markdown with a head.

    The head has `title`, `short` (the text message), and may have `kind` (crisis, update, notice),
    `language` (BCP 47), `series`, and `actions`, a list of `label` and `value`.

    Raises:
        StatementError: a line for each field that does not fit.
    """
    try:
        head, body = front_matter.read(source)
    except front_matter.FrontMatterError as error:
        raise StatementError(str(error)) from None
    problems = [
        f"{key}: there is no such field. Fields are title, short, kind, language, series, actions."
        for key in sorted(set(head) - {"title", "short", "kind", "language", "series", "actions"})
    ]
    kind, language = str(head.get("kind", Kind.UPDATE)), str(head.get("language", "en"))
    if kind not in set(Kind):
        problems.append(f"kind: {kind!r} is not one of crisis, update, notice.")
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        problems.append(f"language: {language!r} is no BCP 47 tag. Write en, es, zh-Hans …")
    series = str(head.get("series") or "")
    if not re.fullmatch(r"[\w-]{0,40}", series):
        problems.append("series: use up to 40 letters, digits and dashes.")
    text = Text(
        _plain(head.get("title")), _plain(head.get("short")), body, _actions(head.get("actions"), problems)
    )
    problems += check_text(text)
    if problems:
        raise StatementError(*problems)
    return Draft(text, Kind(kind), language, series)


def check_text(text: Text) -> list[str]:
    """Everything that does not fit in one text: a line for each, naming field and cure."""
    problems = []
    for name, value, most in (
        ("title", text.title, TITLE_MAX),
        ("short", text.short, SHORT_MAX),
        ("body", text.body, BODY_MAX),
    ):
        if not value.strip():
            problems.append(f"{name}: it is empty. Write it.")
        elif len(value) > most:
            problems.append(
                f"{name}: {len(value)} characters, at most {most}. Shorten it by {len(value) - most}."
            )
        problems += [f"{name}: {fault}" for fault in _faults(value, one_line=name != "body")]
    if len(text.actions) > ACTIONS_MAX:
        problems.append(
            f"actions: {len(text.actions)} of them, at most {ACTIONS_MAX}. Keep those that matter most."
        )
    for number, action in enumerate(text.actions, 1):
        problems += [f"actions, item {number}: {fault}" for fault in _action_faults(action)]
    return problems


def _plain(value: object) -> str:
    return "" if value is None else str(value).strip()


def _actions(value: object, problems: list[str]) -> tuple[Action, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(item, dict) and set(item) == {"label", "value"} for item in value
    ):
        problems.append("actions: write a list, each item with label: and value:.")
        return ()
    return tuple(Action(_plain(item["label"]), _plain(item["value"])) for item in value)


def _faults(value: str, *, one_line: bool) -> list[str]:
    allowed = "" if one_line else "\n\r\t"
    found = {
        character
        for character in value
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed
    }
    names = ", ".join(sorted(f"U+{ord(character):04X}" for character in found))
    return [f"it holds control characters ({names}) or line breaks. Remove them."] if found else []


def _action_faults(action: Action) -> list[str]:
    faults = _faults(action.label + action.value, one_line=True)
    if not action.label or len(action.label) > LABEL_MAX:
        faults.append(f"the label needs 1 to {LABEL_MAX} characters.")
    if not _is_reachable(action.value):
        faults.append("the value is no https link, phone number or email address. Correct it.")
    return faults


def _is_reachable(value: str) -> bool:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        try:
            parts = urlsplit(value)
        except ValueError:
            return False
        return parts.scheme in {"https", "http"} and bool(parts.hostname) and not re.search(r"\s", value)
    if "@" in value:
        try:
            validate_email(value, check_deliverability=False)
        except EmailNotValidError:
            return False
        return True
    # Short numbers such as 988 or 211 are what a crisis statement points to.
    return (
        bool(re.fullmatch(r"\+?[\d\s().-]{3,30}", value))
        and 3 <= len(phonenumbers.normalize_digits_only(value)) <= 15
    )
