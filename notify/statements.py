"""What the mayor says, and its life: draft, review, approved, withdrawn.

Everything a residents' eye will meet, in all languages, goes into one hash; an approval signs that hash. The
dispatcher asks `require_approved`, the same function that every page and command asks.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from channels.contract import Action
from contacts.columns import Moment, now
from notify import audit
from notify.staff import Deed, Staff, StaffError
from templates import direction, front_matter, language_name, phrases


class Kind(StrEnum):
    """What sort of statement: a crisis goes first and may ring at night."""

    CRISIS = "crisis"
    UPDATE = "update"
    NOTICE = "notice"


class State(StrEnum):
    """Where a statement is in its life."""

    DRAFT = "draft"
    REVIEW = "review"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class Origin(StrEnum):
    """Where a translation comes from."""

    PLAYBOOK = "playbook"
    MEMORY = "memory"
    MACHINE = "machine"
    HUMAN = "human"


_FOR_READERS_OF = "-x-"

TITLE_MAX, SHORT_MAX, BODY_MAX, ACTIONS_MAX, LABEL_MAX = (
    200,
    900,
    20_000,
    6,
    80,
)  # characters; actions in number


class StatementError(ValueError):
    """The text or the step is not possible; each line names the place and the cure."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class NotApproved(StatementError):
    """Residents may not read this: it is not approved as it is now."""


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


class Statement(SQLModel, table=True):
    """A statement: its texts are in revisions and translations."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(default_factory=lambda: secrets.token_urlsafe(6), unique=True)  # in residents' links
    kind: str
    source_language: str
    series: str = ""
    playbook: str = ""
    state: str = State.DRAFT
    revision: int = 1
    # What a language without an approved translation means, set when it is submitted; see `missing`.
    missing: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    author_id: int = Field(foreign_key="staff.id")
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def reference(self) -> str:
        """How the statement and its revision are named everywhere: S12r3."""
        return f"S{self.id}r{self.revision}"


class Wording(SQLModel):
    """The columns of a text."""

    title: str
    short: str
    body: str
    actions: str = "[]"  # JSON: [{"label": …, "value": …}]

    def text(self) -> Text:
        """The words."""
        return Text(
            self.title, self.short, self.body, tuple(Action(**item) for item in json.loads(self.actions))
        )

    def take(self, text: Text) -> None:
        """Replace the words."""
        self.title, self.short, self.body = text.title, text.short, text.body
        self.actions = json.dumps([asdict(action) for action in text.actions], ensure_ascii=False)


class Revision(Wording, table=True):
    """The source text as one editor left it."""

    __table_args__ = (UniqueConstraint("statement_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    number: int
    editor_id: int = Field(foreign_key="staff.id")
    at: datetime = Field(default_factory=now, sa_type=Moment)


class Translation(Wording, table=True):
    """The statement in another language. Stale when its source hash is not the present source's."""

    __table_args__ = (UniqueConstraint("statement_id", "language"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    language: str
    origin: str
    engine: str = ""  # with origin machine: which, and its version
    source_hash: str
    editor_id: int | None = Field(default=None, foreign_key="staff.id")  # None: no member of staff wrote it
    editors: list[int] = Field(
        default_factory=list, sa_type=JSON
    )  # all of the staff whose sentences are in it
    approved_by: int | None = Field(default=None, foreign_key="staff.id")
    approved_at: datetime | None = Field(default=None, sa_type=Moment)
    findings: str = "[]"  # JSON: what the checks said of the whole when it was made
    at: datetime = Field(default_factory=now, sa_type=Moment)

    @property
    def findings_list(self) -> list[dict[str, Any]]:
        """What the checks said of the whole."""
        return list(json.loads(self.findings))

    def note(self, findings: Iterable[Any]) -> None:
        """Keep what the checks say of the whole: dataclasses."""
        self.findings = json.dumps([asdict(each) for each in findings], ensure_ascii=False)


class Approval(SQLModel, table=True):
    """Who signed which content, when, in which role. Never changed."""

    __table_args__ = (Index("ix_approval_statement", "statement_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    revision: int
    content_hash: str
    languages: str  # "en ar es"
    staff_id: int = Field(foreign_key="staff.id")
    role: str
    at: datetime = Field(default_factory=now, sa_type=Moment)


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


def draft(session: Session, draft: Draft, author: Staff) -> Statement:
    """Keep a new statement; its playbook translations with it."""
    statement = Statement(
        kind=draft.kind,
        source_language=draft.language,
        series=draft.series,
        playbook=draft.playbook,
        author_id=_id(author),
    )
    session.add(statement)
    session.flush()
    revision = _add_revision(session, statement, draft.text, author)
    for language, text in sorted(draft.translations.items()):
        _add_playbook_translation(
            session, statement, revision, language, text, signed=language in draft.signed
        )
    audit.record(session, author.email, "statement.draft", _subject(statement), playbook=draft.playbook)
    return statement


def edit(session: Session, statement: Statement, text: Text, editor: Staff) -> None:
    """Replace the source text: a new revision, back to draft, every translation stale.

    Raises:
        StatementError: it is withdrawn, or the text does not fit.
    """
    if statement.state == State.WITHDRAWN:
        raise StatementError(f"{statement.reference} is withdrawn. Draft a new statement.")
    if problems := check_text(text):
        raise StatementError(*problems)
    statement.revision += 1
    statement.state = State.DRAFT
    session.add(statement)
    _add_revision(session, statement, text, editor)
    audit.record(session, editor.email, "statement.edit", _subject(statement), revision=statement.revision)


def submit(
    session: Session, statement: Statement, actor: str, missing: Mapping[str, str] | None = None
) -> None:
    """Hand a draft over for approval.

    Args:
        session: an open session that may write.
        statement: a draft.
        actor: who hands it over.
        missing: for languages, what their readers get without an approved translation: "hold" (nothing),
            "notice" (the source, with a notice in their language), or "both fr" (that, and the French text).

    Raises:
        StatementError: it is no draft.
    """
    _move(statement, {State.DRAFT}, State.REVIEW)
    statement.missing = dict(missing or {})
    session.add(statement)
    audit.record(session, actor, "statement.submit", _subject(statement), revision=statement.revision)


def approve(session: Session, statement: Statement, approver: Staff) -> Approval:
    """Sign exactly what residents will read, all approved languages included (R34).

    Raises:
        StaffError: not an approver, or the author or last editor of any of these words.
        StatementError: it is not in review.
    """
    if not approver.may(Deed.APPROVE):
        raise StaffError(f"{approver.email} may not approve: this needs the role approver.")
    if approver.id in writers(session, statement):
        raise StaffError(
            f"{approver.email} wrote or edited {statement.reference}. A second person has to approve it."
        )
    _move(statement, {State.REVIEW}, State.APPROVED)
    texts = ready_texts(session, statement)
    approval = Approval(
        statement_id=_id(statement),
        revision=statement.revision,
        content_hash=content_hash(statement, texts),
        languages=" ".join(sorted(texts)),
        staff_id=_id(approver),
        role="approver",
    )
    session.add_all([statement, approval])
    session.flush()
    audit.record(
        session, approver.email, "statement.approve", _subject(statement),
        content_hash=approval.content_hash, languages=approval.languages,
    )  # fmt: skip
    return approval


def withdraw(session: Session, statement: Statement, actor: str) -> None:
    """Take the statement back: what has not been sent will not be.

    Raises:
        StatementError: it already is withdrawn.
    """
    _move(statement, {State.DRAFT, State.REVIEW, State.APPROVED}, State.WITHDRAWN)
    statement.withdrawn_at = now()
    session.add(statement)
    audit.record(session, actor, "statement.withdraw", _subject(statement))


def words_changed(session: Session, statement: Statement, actor: str) -> None:
    """Void the approval after a translation was added, changed or taken away."""
    if statement.state == State.APPROVED:
        statement.state = State.REVIEW
        session.add(statement)
        audit.record(session, actor, "statement.approval_void", _subject(statement))


def find(session: Session, statement_id: int) -> Statement:
    """The statement with this number.

    Raises:
        StatementError: there is none.
    """
    statement = session.get(Statement, statement_id)
    if statement is None:
        raise StatementError(f"There is no statement {statement_id}. See `notify statement list`.")
    return statement


def source(session: Session, statement: Statement) -> Revision:
    """The present source text."""
    return session.exec(
        select(Revision).where(Revision.statement_id == statement.id, Revision.number == statement.revision)
    ).one()


def translations(session: Session, statement: Statement) -> list[Translation]:
    """Every translation of the statement, approved or not, by language."""
    return list(
        session.exec(
            select(Translation).where(Translation.statement_id == statement.id).order_by(Translation.language)
        )
    )


def source_hash(text: Text) -> str:
    """What a translation was made from."""
    return hashlib.sha256(_canonical(text.as_dict())).hexdigest()


def ready_texts(session: Session, statement: Statement) -> dict[str, Text]:
    """What residents would read now: the source, and each translation that is approved and not stale (R33)."""
    original = source(session, statement).text()
    made_from = source_hash(original)
    texts = {statement.source_language: original}
    for translation in translations(session, statement):
        if translation.approved_at is not None and translation.source_hash == made_from:
            texts.setdefault(translation.language, translation.text())
    return texts | _stand_ins(statement, texts)


def stand_in(source_language: str, language: str) -> str:
    """The tag of what readers of a language without a translation get: the source, with a notice in theirs.

    A private-use tag (RFC 5646, section 2.2.7): "en-x-so" is English, for readers of Somali.
    """
    return f"{source_language}{_FOR_READERS_OF}{language}"


def written_in(tag: str) -> str:
    """The language that a text is written in: a stand-in's is the source's."""
    return tag.partition(_FOR_READERS_OF)[0]


def reader_of(tag: str) -> str:
    """The language whose readers a stand-in is for."""
    return tag.partition(_FOR_READERS_OF)[2]


def is_stand_in(tag: str) -> bool:
    """Whether a text stands in for a missing translation."""
    return _FOR_READERS_OF in tag


def _stand_ins(statement: Statement, texts: dict[str, Text]) -> dict[str, Text]:
    """What the city chose for languages without an approved text; for `hold`, which is the rule, nothing."""
    found = {}
    for language, policy in sorted(statement.missing.items()):
        way, _, other = policy.partition(" ")
        if language not in texts and way in {"notice", "both"}:
            shown = [texts[statement.source_language], *([texts[other]] if other in texts else [])]
            found[stand_in(statement.source_language, language)] = _noticed(
                statement.source_language, language, shown
            )
    return found


def _noticed(source_language: str, language: str, shown: list[Text]) -> Text:
    """Texts one after the other, a notice in the reader's language first."""
    notice = phrases(language)["untranslated"].format(language=language_name(source_language, language))
    if direction(language) != direction(source_language):
        mark = "\u2067" if direction(language) == "rtl" else "\u2066"
        notice = f"{mark}{notice}\u2069"  # an isolate: the notice runs its own way (UAX 9)
    return Text(
        shown[0].title,
        " ".join([notice, *(text.short for text in shown)]),
        "\n\n---\n\n".join([notice, *(text.body for text in shown)]),
        shown[0].actions,
    )


def content_hash(statement: Statement, texts: dict[str, Text]) -> str:
    """SHA-256 over every word residents will read, the fixed sentences around the text included."""
    return hashlib.sha256(
        _canonical(
            {
                "kind": statement.kind,
                "source": statement.source_language,
                "texts": {language: text.as_dict() for language, text in texts.items()},
                "phrases": {language: phrases(language) for language in texts},
            }
        )
    ).hexdigest()


def require_approved(session: Session, statement_id: int) -> dict[str, Text]:
    """The texts that may be sent, if a second person signed exactly these (R33, R34).

    Raises:
        NotApproved: withdrawn, never signed, or changed since.
    """
    statement = find(session, statement_id)
    if statement.state != State.APPROVED:
        raise NotApproved(
            f"{statement.reference} is {_said(statement.state)}, not approved. {_cure(statement)}"
        )
    texts = ready_texts(session, statement)
    approval = last_approval(session, statement)
    if approval is None or approval.content_hash != content_hash(statement, texts):
        raise NotApproved(
            f"{statement.reference} has changed since it was approved. Submit and approve it again."
        )
    return texts


def last_approval(session: Session, statement: Statement) -> Approval | None:
    """The newest signature under the statement."""
    return session.exec(
        select(Approval)
        .where(Approval.statement_id == statement.id)
        .order_by(col(Approval.id).desc())
        .limit(1)
    ).first()


def writers(session: Session, statement: Statement) -> set[int]:
    """The staff who wrote what would be signed: the author, the last editor, the translations' editors."""
    approved = [each for each in translations(session, statement) if each.approved_at]
    editors = {person for each in approved for person in (each.editor_id, *each.editors) if person}
    return {statement.author_id, source(session, statement).editor_id} | editors


def _move(statement: Statement, allowed: set[State], to: State) -> None:
    if statement.state not in allowed:
        raise StatementError(f"{statement.reference} is {_said(statement.state)}. {_cure(statement)}")
    statement.state = to


def _said(state: str) -> str:
    return {State.DRAFT: "a draft", State.REVIEW: "in review"}.get(State(state), state)


def _cure(statement: Statement) -> str:
    return {
        State.DRAFT: f"Submit it first: notify statement submit {statement.id}",
        State.REVIEW: f"A second person has to approve it: notify statement approve {statement.id} --as EMAIL",
        State.APPROVED: "Nothing is left to do but to send it.",
        State.WITHDRAWN: "Draft a new statement.",
    }[State(statement.state)]


def _add_revision(session: Session, statement: Statement, text: Text, editor: Staff) -> Revision:
    revision = Revision(
        statement_id=_id(statement),
        number=statement.revision,
        editor_id=_id(editor),
        title="",
        short="",
        body="",
    )
    revision.take(text)
    session.add(revision)
    session.flush()
    return revision


def _add_playbook_translation(
    session: Session, statement: Statement, revision: Revision, language: str, text: Text, *, signed: bool
) -> None:
    translation = Translation(
        statement_id=_id(statement),
        language=language,
        origin=Origin.PLAYBOOK,
        source_hash=source_hash(revision.text()),
        approved_at=now() if signed else None,
        title="",
        short="",
        body="",
    )
    translation.take(text)
    session.add(translation)
    session.flush()


def _canonical(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _subject(statement: Statement) -> str:
    return f"statement {statement.id}"


def _id(row: Any) -> int:
    if row.id is None:
        raise RuntimeError("The row has not been saved yet.")
    return int(row.id)
