"""Which import gave a contact its name, area and groups, so that undoing takes them back wherever they went.

A merge moves such values to the contact that stays. What they overrule there is left in the shell, for the day
on which the import is undone.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from contacts.models import Contact, ImportFill

FIELDS = ("name", "area", "groups")


def note(session: Session, contact: Contact) -> None:
    """Write down field by field what an import gave a contact whom it made and nobody has changed since."""
    if contact.import_id is None or contact.updated_at != contact.created_at:
        return
    known = {fill.field for fill in _of(session, contact) if fill.import_id == contact.import_id}
    for name in FIELDS:
        if getattr(contact, name) and name not in known:
            _add(session, contact.import_id, contact, name, getattr(contact, name))
    session.flush()


def is_imported(session: Session, contact: Contact, name: str) -> bool:
    """Whether a field holds what an import gave it."""
    return any(fill.field == name and fill.value == getattr(contact, name) for fill in _of(session, contact))


def hand_over(session: Session, gone: Contact, kept: Contact, fields: Collection[str]) -> None:
    """Let the imports that gave fields to one contact answer for them at another, who gets them now.

    Args:
        session: an open session that may write.
        gone: whose fields they were.
        kept: whose they are from now on. Of the groups, those that it had before stay its own.
        fields: their names.
    """
    for fill in _of(session, gone):
        if fill.field == "groups" and "groups" in fields:
            new = _split(fill.value) - _split(kept.groups)
            if new:
                _add(session, fill.import_id, kept, "groups", _joined(new))
        elif fill.field in fields and fill.value == getattr(gone, fill.field):
            fill.contact_id = kept.id or 0
            session.add(fill)
    session.flush()


def take_back(session: Session, contact: Contact, fill: ImportFill) -> bool:
    """Take a value away that an import gave, and give back what it overruled in a merge.

    Returns:
        Whether it was still there.
    """
    value = getattr(contact, fill.field)
    if fill.field == "groups":
        contact.groups = _joined(_split(value) - _split(fill.value))
    elif value == fill.value:
        setattr(contact, fill.field, _given_back(session, contact, fill.field))
    session.add(contact)
    return bool(value != getattr(contact, fill.field))


def _given_back(session: Session, contact: Contact, name: str) -> str:
    query = select(Contact).where(Contact.merged_into == contact.id).order_by(col(Contact.id))
    for shell in session.exec(query):
        value: str = getattr(shell, name)
        if value:
            hand_over(session, shell, contact, [name])
            setattr(shell, name, "")
            session.add(shell)
            return value
    return ""


def _of(session: Session, contact: Contact) -> list[ImportFill]:
    query = select(ImportFill).where(ImportFill.contact_id == contact.id).order_by(col(ImportFill.id))
    return list(session.exec(query))


def _add(session: Session, import_id: int, contact: Contact, name: str, value: str) -> None:
    session.add(ImportFill(import_id=import_id, contact_id=contact.id or 0, field=name, value=value))


def _split(groups: str) -> set[str]:
    return {*groups.split("|")} - {""}


def _joined(groups: set[str]) -> str:
    return f"|{'|'.join(sorted(groups))}|" if groups else ""
