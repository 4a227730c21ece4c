"""Playbooks in use: the city signs each language once; a signed one needs no second review on the night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session, SQLModel, select

from channels.contract import Action
from contacts.columns import Moment, now
from notify import audit
from notify.staff import Deed, Staff, StaffError
from notify.statements import Draft, Kind, Text
from templates import playbook_files
from templates.playbook_files import Playbook, PlaybookText


class PlaybookSignature(SQLModel, table=True):
    """One language of a playbook, signed: exactly these words."""

    __tablename__ = "playbook_signature"
    __table_args__ = (UniqueConstraint("playbook", "language", "digest"),)

    id: int | None = Field(default=None, primary_key=True)
    playbook: str
    language: str
    digest: str
    staff_id: int = Field(foreign_key="staff.id")
    at: datetime = Field(default_factory=now, sa_type=Moment)


def signed_languages(session: Session, playbook: Playbook) -> frozenset[str]:
    """The languages whose words are signed as they are now."""
    signed = set(
        session.exec(
            select(PlaybookSignature.language, PlaybookSignature.digest).where(
                PlaybookSignature.playbook == playbook.name
            )
        )
    )
    return frozenset(
        language
        for language, text in playbook.texts.items()
        if (language, playbook_files.digest(text)) in signed
    )


def sign(session: Session, playbook: Playbook, languages: Iterable[str], signer: Staff) -> list[str]:
    """Sign languages of a playbook; returns those that were not signed before.

    Raises:
        StaffError: the signer is no approver.
        KeyError: the playbook has no such language.
    """
    if not signer.may(Deed.APPROVE):
        raise StaffError(f"{signer.email} may not sign playbooks: this needs the role approver.")
    already = signed_languages(session, playbook)
    new = [language for language in dict.fromkeys(languages) if language not in already]
    for language in new:
        digest = playbook_files.digest(playbook.texts[language])
        session.add(
            PlaybookSignature(
                playbook=playbook.name, language=language, digest=digest, staff_id=signer.id or 0
            )
        )
        audit.record(
            session,
            signer.email,
            "playbook.sign",
            f"playbook {playbook.name}",
            language=language,
            digest=digest,
        )
    session.flush()
    return new


def to_draft(
    session: Session, playbook: Playbook, values: Mapping[str, str], timezone: str, country: str
) -> Draft:
    """A statement out of a playbook, with every language that could be filled.

    Raises:
        PlaybookError: naming each value that is missing, unknown or does not fit.
    """
    filled = playbook_files.fill(playbook, values, timezone, country)
    source = filled.pop(playbook.source_language)
    return Draft(
        text=_text(source),
        kind=Kind(playbook.kind),
        language=playbook.source_language,
        series=playbook.name,
        playbook=playbook.name,
        translations={language: _text(text) for language, text in filled.items()},
        signed=signed_languages(session, playbook),
    )


def load(name: str, directory: Path | None) -> Playbook:
    """A playbook from the city's own, or from those that ship.

    Raises:
        PlaybookError: there is none, or its files are wrong.
    """
    return playbook_files.load(name, directory)


def _text(text: PlaybookText) -> Text:
    return Text(
        text.title, text.short, text.body, tuple(Action(each.label, each.value) for each in text.actions)
    )
