"""Playbooks: statements written before they are needed, read from files, checked, and filled in.

A playbook is a folder:

    <name>/playbook.toml    title, summary, kind, source_language, and its placeholders
    <name>/<language>.md    front matter (title, short, actions) and a Markdown body, one file a language

Texts hold placeholders in braces, `{place}`, and no other brace. A paragraph and a list item are one line
each; a line of a body or an action that needs an optional placeholder is left out when it has no value.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import langcodes
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from templates import directory as templates_directory
from templates import front_matter
from templates.playbook_values import MAX_LENGTH, BadValueError, PlaceholderType, Setting, isolated, read


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and what to do about it."""

    subject: str
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}. {self.cure}"


class PlaybookError(ValueError):
    """A playbook, or the values for one, cannot be used; `problems` names every reason with its cure."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value that staff give when the playbook is used."""

    key: str
    type: PlaceholderType
    label: str  # for staff, as a form shows it
    help: str  # what to write, and what to look out for
    example: str
    required: bool
    max_length: int  # in characters


@dataclass(frozen=True, slots=True)
class PlaybookAction:
    """One thing a resident can do; `value` is a URL, a phone number or an email address, or a placeholder."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PlaybookText:
    """The playbook in one language: as it is on file, or filled."""

    language: str  # BCP 47
    title: str
    short: str  # for channels that have little room
    body: str  # Markdown (CommonMark)
    actions: tuple[PlaybookAction, ...] = ()


@dataclass(frozen=True, slots=True)
class Playbook:
    """A statement written before it is needed, in every language it has."""

    name: str
    title: str  # in English, for staff
    summary: str  # when to use it, and what it promises
    kind: str  # crisis, update or notice
    source_language: str  # BCP 47
    placeholders: dict[str, Placeholder] = field(repr=False)  # by key, in the order of the file
    texts: dict[str, PlaybookText] = field(repr=False)  # by language, the source first

    def examples(self) -> dict[str, str]:
        """The example values of the required placeholders: what `fill` takes."""
        return {p.key: p.example for p in self.placeholders.values() if p.required}


def names(directory: Path | None = None) -> tuple[str, ...]:
    """The playbooks there are, in alphabetical order.

    Args:
        directory: the city's own playbooks, beside those that come with the project.
    """
    found = (path.parent.name for shelf in _shelves(directory) for path in shelf.glob("*/playbook.toml"))
    return tuple(sorted(set(found)))


def load(name: str, directory: Path | None = None) -> Playbook:
    """Read one playbook and check it.

    Args:
        name: the name of its folder.
        directory: the city's own playbooks; they go before those that come with the project.

    Raises:
        PlaybookError: there is no such playbook, or its files are wrong; each file and key is named.
    """
    folder = _folder(name, directory)
    problems: list[Problem] = []
    head = _read_head(folder / "playbook.toml", problems)
    texts = [_read_text(path, problems) for path in sorted(folder.glob("*.md"))]
    if head is None or problems:
        raise PlaybookError(problems)
    playbook = _assemble(name, head, [text for text in texts if text])
    problems.extend(_check(playbook))
    if problems:
        raise PlaybookError(problems)
    return playbook


def fill(
    playbook: Playbook, values: Mapping[str, str], timezone: str, country: str = "US"
) -> dict[str, PlaybookText]:
    """Put values into a playbook's texts, each written the way its language writes it.

    An empty optional value counts as not given. A `text` value is one language's: `news` is for the source
    language, `news@es` for Spanish. A language that lacks one is left out of the result, and needs a
    translation like any other statement.

    Args:
        playbook: as `load` gave it.
        values: by placeholder key.
        timezone: the city's, IANA: times without an offset are on its clock, and all are shown on it.
        country: the city's, ISO 3166-1 alpha-2: whose phone numbers and short numbers, and which clock.

    Returns:
        The filled texts by language, the source first.

    Raises:
        PlaybookError: values are missing, unknown or do not fit; every one is named.
    """
    written = _read_values(playbook, _given(playbook, values), _setting(timezone, country))
    given = {key for key, _ in written}
    links = {key for key, p in playbook.placeholders.items() if p.type is PlaceholderType.LINK}
    return {
        language: _fill_text(text, {key: written[key, language] for key in given}, links)
        for language, text in playbook.texts.items()
        if all((key, language) in written for key in given)
    }


def digest(text: PlaybookText) -> str:
    """SHA-256, in hexadecimal, of one language's text: what a signature of a playbook binds to."""
    canonical = json.dumps(asdict(text), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(canonical.encode("utf-8")).hexdigest()


def _shelves(directory: Path | None) -> list[Path]:
    built_in = templates_directory() / "playbooks"
    return [built_in] if directory is None else [directory, built_in]


def _folder(name: str, directory: Path | None) -> Path:
    known = names(directory)
    if name not in known:
        cure = f"Use one of: {', '.join(known)}." if known else "Make a folder with a playbook.toml in it."
        raise PlaybookError([Problem(f"playbook {name!r}", "is not known", cure)])
    return next(
        path for shelf in _shelves(directory) if (path := shelf / name).joinpath("playbook.toml").is_file()
    )


_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\r\n]*$")]
_Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _PlaceholderEntry(_Strict):
    type: PlaceholderType
    label: _Line
    help: _Prose
    example: _Line
    required: bool = True
    max_length: Annotated[int, Field(ge=1, le=2000)] | None = None


class _Head(_Strict):
    title: _Line
    summary: _Prose
    kind: Literal["crisis", "update", "notice"]
    source_language: _Line = "en"
    placeholders: dict[_Key, _PlaceholderEntry] = {}


class _ActionEntry(_Strict):
    label: _Line
    value: _Line


class _FrontMatter(_Strict):
    title: _Line
    short: _Prose
    actions: list[_ActionEntry] = []


_Model = TypeVar("_Model", bound=BaseModel)

_CURES = {
    "missing": "Add it.",
    "extra_forbidden": "Take it out, or correct its spelling.",
    "string_type": "Put the value in quotation marks.",
    "string_too_short": "Write something there.",
}


def _parse(model: type[_Model], data: Any, subject: str, problems: list[Problem]) -> _Model | None:
    """Read data into a model; what does not fit goes to `problems`, by file and key."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "the file"
            cure = _CURES.get(fault["type"], "Correct it there.")
            problems.append(Problem(f"{subject}: {where}", fault["msg"][:1].lower() + fault["msg"][1:], cure))
        return None


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _read_file(path: Path, problems: list[Problem]) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        problems.append(
            Problem(_named(path), "cannot be read as text", "Save it as UTF-8 and let us read it.")
        )
        return None


def _read_head(path: Path, problems: list[Problem]) -> _Head | None:
    if (source := _read_file(path, problems)) is None:
        return None
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(_named(path), f"is not TOML: {error}", "Correct that line."))
        return None
    return _parse(_Head, data, _named(path), problems)


def _read_text(path: Path, problems: list[Problem]) -> PlaybookText | None:
    _check_language(path, problems)
    if (source := _read_file(path, problems)) is None:
        return None
    try:
        data, body = front_matter.read(source)
    except front_matter.FrontMatterError as error:
        cure = "Write title, short and actions there."
        problems.append(Problem(_named(path), str(error).rstrip("."), cure))
        return None
    if not body:
        problems.append(
            Problem(f"{_named(path)}: body", "is empty", "Write the text below the front matter.")
        )
    front = _parse(_FrontMatter, data, _named(path), problems)
    if front is None:
        return None
    actions = tuple(PlaybookAction(action.label, action.value) for action in front.actions)
    return PlaybookText(path.stem, front.title, front.short, body, actions)


def _check_language(path: Path, problems: list[Problem]) -> None:
    tag = path.stem
    if not langcodes.tag_is_valid(tag):
        problems.append(
            Problem(_named(path), f"{tag!r} is no language", "Name the file as in es.md or zh-Hans.md.")
        )
    elif (standard := langcodes.standardize_tag(tag)) != tag:
        problems.append(
            Problem(_named(path), f"{tag!r} has a standard form", f"Name the file {standard}.md.")
        )


def _assemble(name: str, head: _Head, texts: list[PlaybookText]) -> Playbook:
    placeholders = {
        key: Placeholder(
            key, e.type, e.label, e.help, e.example, e.required, e.max_length or MAX_LENGTH[e.type]
        )
        for key, e in head.placeholders.items()
    }
    texts = sorted(texts, key=lambda text: (text.language != head.source_language, text.language))
    by_language = {text.language: text for text in texts}
    return Playbook(
        name, head.title, head.summary, head.kind, head.source_language, placeholders, by_language
    )


_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def _used(*parts: str) -> set[str]:
    return {key for part in parts for key in _PLACEHOLDER.findall(part)}


def _all_used(text: PlaybookText) -> set[str]:
    return _used(*_parts(text).values())


def _parts(text: PlaybookText) -> dict[str, str]:
    parts = {"title": text.title, "short": text.short, "body": text.body}
    for number, action in enumerate(text.actions, 1):
        parts |= {f"actions.{number}.label": action.label, f"actions.{number}.value": action.value}
    return parts


def _check(playbook: Playbook) -> Iterator[Problem]:
    """What is wrong with files that can be read: languages that do not match, stray braces, bare links."""
    source = playbook.texts.get(playbook.source_language)
    if source is None:
        missing = f"{playbook.name}/{playbook.source_language}.md"
        yield Problem(missing, "is missing", "Write it, or correct source_language in playbook.toml.")
        return
    for key in playbook.placeholders.keys() - _all_used(source):
        subject = f"{playbook.name}/playbook.toml: placeholders.{key}"
        yield Problem(subject, "is used in no text", "Take it out, or use it.")
    for text in playbook.texts.values():
        yield from _check_text(playbook, text)
        yield from _check_against_source(playbook, text, source)


def _check_text(playbook: Playbook, text: PlaybookText) -> Iterator[Problem]:
    file = f"{playbook.name}/{text.language}.md"
    links = {key for key, p in playbook.placeholders.items() if p.type is PlaceholderType.LINK}
    optional = {key for key, p in playbook.placeholders.items() if not p.required}
    for part, content in _parts(text).items():
        if re.search(r"[{}]", _PLACEHOLDER.sub("", content)):
            cure = "Write placeholders as in {place}, in small letters, and use braces for nothing else."
            yield Problem(f"{file}: {part}", "holds a brace that is no placeholder", cure)
        for key in sorted(_used(content) - playbook.placeholders.keys()):
            cure = "Describe it in playbook.toml, or take it out."
            yield Problem(f"{file}: {part}", f"uses {{{key}}}, which is not described", cure)
    for key in sorted(_used(text.title, text.short) & optional):
        cure = "Use it in the body or an action, or make it required."
        yield Problem(f"{file}: title or short", f"uses the optional {{{key}}}", cure)
    for key in sorted(_used(re.sub(r"<\{\w+\}>", "", text.body)) & links):
        yield Problem(f"{file}: body", f"has the link {{{key}}} bare", f"Write it as <{{{key}}}>.")


def _check_against_source(playbook: Playbook, text: PlaybookText, source: PlaybookText) -> Iterator[Problem]:
    """Placeholders match those of the source: in all, in `short`, and in what actions lead to."""
    for part, own, theirs in (
        ("the text", Counter(_all_used(text)), Counter(_all_used(source))),
        ("short", Counter(_used(text.short)), Counter(_used(source.short))),
        ("actions", Counter(a.value for a in text.actions), Counter(a.value for a in source.actions)),
    ):
        subject = f"{playbook.name}/{text.language}.md: {part}"
        for key in sorted((theirs - own).keys()):
            yield Problem(subject, f"lacks {key!r}, which {source.language}.md has there", "Add it.")
        for key in sorted((own - theirs).keys()):
            yield Problem(subject, f"has {key!r}, which {source.language}.md lacks there", "Take it out.")


def _setting(timezone: str, country: str) -> Setting:
    try:
        return Setting(ZoneInfo(timezone), country)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        cure = "Use an IANA name such as America/Los_Angeles."
        raise PlaybookError([Problem("timezone", f"{timezone!r} is not known", cure)]) from error


_Shown = dict[tuple[str, str], str]  # by placeholder key and language


def _read_values(playbook: Playbook, values: Mapping[str, str], setting: Setting) -> _Shown:
    """What each value given looks like in each language it is for."""
    problems = [
        _missing(p) for p in playbook.placeholders.values() if p.key not in values and _needed(p, values)
    ]
    shown: _Shown = {}
    for name, value in values.items():
        try:
            shown |= _read_value(playbook, name, value, setting)
        except BadValueError as error:
            problems.append(Problem(name, str(error), error.cure))
    if problems:
        raise PlaybookError(problems)
    return shown


def _given(playbook: Playbook, values: Mapping[str, str]) -> dict[str, str]:
    """The values without the optional ones that a form sent empty."""
    optional = {key for key, p in playbook.placeholders.items() if not p.required}
    return {
        name: value
        for name, value in values.items()
        if value.strip() or name.partition("@")[0] not in optional
    }


def _needed(placeholder: Placeholder, values: Mapping[str, str]) -> bool:
    """Required, or given in some language and so needed in the source language."""
    return placeholder.required or any(name.startswith(f"{placeholder.key}@") for name in values)


def _missing(placeholder: Placeholder) -> Problem:
    return Problem(placeholder.key, "is missing", f"Give {placeholder.label!r}, as in: {placeholder.example}")


def _read_value(playbook: Playbook, name: str, value: str, setting: Setting) -> _Shown:
    key, at, language = name.partition("@")
    placeholder = playbook.placeholders.get(key)
    if placeholder is None:
        known = ", ".join(playbook.placeholders) or "none"
        raise BadValueError("is no placeholder of this playbook", f"Use one of: {known}.")
    if at and placeholder.type is not PlaceholderType.TEXT:
        raise BadValueError("is the same in every language", f"Give it once, as {key}.")
    if at and language not in playbook.texts:
        known = ", ".join(playbook.texts)
        raise BadValueError("is for a language that this playbook does not have", f"Use one of: {known}.")
    written = read(placeholder.type, value, placeholder.max_length, setting)
    return {(key, lang): written(lang) for lang in _languages_of(playbook, placeholder, language)}


def _languages_of(playbook: Playbook, placeholder: Placeholder, language: str) -> list[str]:
    if placeholder.type is PlaceholderType.TEXT:
        return [language or playbook.source_language]
    return list(playbook.texts)


def _fill_text(text: PlaybookText, shown: Mapping[str, str], links: set[str]) -> PlaybookText:
    """Fill one language; a body's line or an action that needs a value nobody gave is left out."""
    guarded = {key: value if key in links else isolated(value, text.language) for key, value in shown.items()}
    in_markdown = {key: value if key in links else escaped(value) for key, value in guarded.items()}
    lines = [line for line in text.body.split("\n") if _used(line) <= shown.keys()]
    body = re.sub(r"\n{3,}", "\n\n", _put("\n".join(lines), in_markdown)).strip()
    actions = tuple(
        PlaybookAction(_put(action.label, guarded), _put(action.value, shown))
        for action in text.actions
        if _used(action.label, action.value) <= shown.keys()
    )
    return PlaybookText(text.language, _put(text.title, guarded), _put(text.short, guarded), body, actions)


def _put(template: str, values: Mapping[str, str]) -> str:
    """Replace placeholders; a value that ends in a full stop takes over the one that follows it."""

    def value_of(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if value.endswith(".") else value + match[2]

    return re.sub(_PLACEHOLDER.pattern + r"(\.?)", value_of, template)


def escaped(value: str) -> str:
    """A value as Markdown that shows exactly these characters (CommonMark 0.31, section 2.4)."""
    value = re.sub(r"([\\`*_\[\]<>&~|])", r"\\\1", value)
    value = re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", value)
    return re.sub(r"^([-+#=])(?=[-+#=\s]|$)", r"\\\1", value)
