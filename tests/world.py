"""A small city for tests: Ana writes, Ben approves, Tara translates, and a few residents."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from sqlmodel import Session

from contacts.importing import ImportReport, import_contacts
from notify import staff, statements
from notify.hub import Hub, address_kinds
from notify.staff import Role, Staff
from notify.statements import Statement
from notify.translation.desk import approving, editing

ANA, BEN, TARA = "ana@city.example", "ben@city.example", "tara@city.example"

ENGLISH = """---
title: The library is open again
short: The library on Mill Street is open again from Monday 9:00.
kind: update
language: en
actions:
  - label: Opening hours
    value: https://city.example/library
  - label: Call us
    value: (206) 555-0134
---
The library on Mill Street is open again from **Monday 9:00**.

Thank you for your patience.
"""

SPANISH = """---
title: La biblioteca está abierta de nuevo
short: La biblioteca de Mill Street abre de nuevo desde el lunes a las 9:00.
actions:
  - label: Horario
    value: https://city.example/library
  - label: Llámenos
    value: (206) 555-0134
---
La biblioteca de Mill Street abre de nuevo desde el **lunes a las 9:00**.

Gracias por su paciencia.
"""


def hire(session: Session) -> tuple[Staff, Staff, Staff]:
    """Ana, Ben and Tara."""
    return (
        staff.add(session, ANA, [Role.AUTHOR]),
        staff.add(session, BEN, [Role.APPROVER]),
        staff.add(session, TARA, [Role.TRANSLATOR]),
    )


def approved(session: Session, source: str = ENGLISH, **translations: str) -> Statement:
    """A statement that Ana wrote, Tara translated and Ben approved."""
    ana, ben, tara = hire(session)
    statement = statements.draft(session, statements.parse(source), ana)
    for language, text in translations.items():
        tag = language.replace("_", "-")
        editing.set_by_hand(session, statement, tag, statements.parse(text).text, tara)
        approving.approve(session, statement, tag, tara)
    statements.submit(session, statement, ANA)
    statements.approve(session, statement, ben)
    session.flush()
    return statement


def crisis(source: str = ENGLISH) -> str:
    """The same statement as a crisis: it may ring at night, so tests pass at any hour."""
    return source.replace("kind: update", "kind: crisis")


def residents(
    hub: Hub, folder: Path, rows: Sequence[dict[str, str]], list_name: str = "residents"
) -> ImportReport:
    """Import rows as a liaison would."""
    path = folder / f"{list_name}.csv"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    with hub.database.session() as session:
        found = import_contacts(
            session, path, list_name=list_name, country="US", actor="liaison", channels=address_kinds()
        )
        session.commit()
    return found


def phone(number: int) -> str:
    """A valid fictional number for each resident, up to 10,000."""
    return f"+1206{555 + number // 10000:03d}{number % 10000:04d}"


def readers(count: int, language: str = "en", start: int = 0) -> list[dict[str, str]]:
    """Residents who agreed to text messages and mail."""
    return [
        {
            "name": f"Resident {index}",
            "phone": phone(index),
            "email": f"resident{index}@example.org",
            "language": language,
            "consent": "all",
            "consent_wording": "Yes, write to me.",
        }
        for index in range(start, start + count)
    ]
