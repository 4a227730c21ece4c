"""Importing a spreadsheet, beside the plain way in the same run.

    uv run python tests/bench/bench_import.py [--rows 1000000] [--rounds 1] [--check]

The plain way: csv.DictReader, phonenumbers, email-validator, and one insert a chunk into each of the same tables,
with the same consent evidence. It looks nothing up, resumes nothing and undoes nothing. The second line of it goes
into one bare table without indexes and keeps no evidence. Each way runs in a process of its own, whose peak memory
is told. The sheet: 85% North American numbers in six forms, 10% from Germany, Spain and Britain, 5% that are none,
about 4% repeated, 3% wrong or international mailboxes; language, area, two lists, and consent with its date.

--check fails below 3 times the plain way's rate, or above 100 MB.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert

from contacts import lists
from contacts.importing import import_contacts
from contacts.models import ConsentEvent, Contact, Endpoint, Membership, Subscription
from notify.database import Database

LEAST = 3.0  # times the plain way
MOST_MB = 100
CHUNK = 5000
LISTS = ("Weekly news", "Emergencies")
WORDING = "Yes, the city may write to me about news and emergencies."
HEADER = ["Name", "Phone", "Email", "Language", "Area", "Consent", "Consent date", "Consent wording"]
AREAS = [f"Ward {number}" for number in range(1, 21)]
LANGUAGES = ["en"] * 6 + ["es", "es", "zh-Hans", "vi", "ar", "ht"]
US_FORMS = [
    "({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "+1 {a} {b} {c}", "1-{a}-{b}-{c}", "{a}{b}{c}",
]  # fmt: skip
US_AREAS = [206, 212, 312, 415, 512, 617, 702, 718, 808, 919]


def write_sheet(path: Path, rows: int) -> None:
    """A sheet as cities have them, the same every time."""
    chance = random.Random(20261122)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        before: list[list[str]] = []
        for number in range(rows):
            if before and chance.random() < 0.04:
                writer.writerow(chance.choice(before))
                continue
            row = [
                f"Resident {number}", _phone(chance), _mail(chance, number), chance.choice(LANGUAGES),
                chance.choice(AREAS), chance.choice(("yes", "yes", "yes", "sms,email")),
                f"2026-{chance.randint(1, 10):02d}-{chance.randint(1, 28):02d}", WORDING,
            ]  # fmt: skip
            writer.writerow(row)
            if number % 50 == 0:
                before = [*before[-200:], row]


def _phone(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.85:
        parts = {
            "a": chance.choice(US_AREAS),
            "b": chance.randint(200, 999),
            "c": f"{chance.randrange(10**4):04d}",
        }
        return chance.choice(US_FORMS).format(**parts)
    if kind < 0.95:
        return chance.choice(["+49 151 2{n:07d}", "+34 612 {n:06d}", "+44 7911 {n:06d}"]).format(
            n=chance.randrange(10**6)
        )
    return chance.choice(["unknown", "555-01", "12345", "+999 1234567"])


def _mail(chance: random.Random, number: int) -> str:
    kind = chance.random()
    if kind < 0.97:
        return f"resident.{number}@{chance.choice(('example.org', 'mail.example.com', 'post.example.net'))}"
    return chance.choice([f"resident{number}@bücher.example.org", f"resident{number}@", "none"])


def database(folder: Path) -> Database:
    """The one that `prepare` made."""
    return Database(f"sqlite:///{folder / 'notify.db'}")


def prepare(folder: Path) -> None:
    """An empty database, as a new hub makes it."""
    import notify.tables  # noqa: F401

    made = database(folder)
    made.upgrade()
    made.dispose()


def ours(sheet: Path, folder: Path) -> int:
    """`notify contacts import`, without its progress bar."""
    with database(folder).session() as session:
        return import_contacts(session, sheet, list_name=LISTS, country="US", actor="bench").created


def plain(sheet: Path, folder: Path) -> int:
    """The libraries for each cell, one insert a chunk and table."""
    made = 0
    with database(folder).session() as session:
        list_ids = [lists.get_or_create(session, name).id or 0 for name in LISTS]
        session.commit()
        for chunk in _understood(sheet):
            for model, rows in _rows(chunk, list_ids, made).items():
                session.connection().execute(insert(model), rows)
            session.commit()
            made += len(chunk)
    return made


def bare(sheet: Path, folder: Path) -> int:
    """The libraries for each cell, and one table without anything."""
    made = 0
    with sqlite3.connect(folder / "bare.db") as connection:
        connection.execute("CREATE TABLE resident (name, phone, email, language, area, consent, agreed_at)")
        for chunk in _understood(sheet):
            rows = [
                (
                    row["Name"],
                    row["sms"],
                    row["email"],
                    row["Language"],
                    row["Area"],
                    row["Consent"],
                    str(row["at"]),
                )
                for row in chunk
            ]
            connection.executemany("INSERT INTO resident VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.commit()
            made += len(rows)
    return made


def _understood(sheet: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows with an address that the libraries take, in chunks; repeated addresses are left out."""
    import phonenumbers
    from email_validator import EmailNotValidError, validate_email

    seen: set[str] = set()
    with sheet.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        while rows := list(islice(reader, CHUNK)):
            chunk = []
            for row in rows:
                found: dict[str, Any] = dict(row, sms=None, email=None)
                with suppress(phonenumbers.NumberParseException):
                    number = phonenumbers.parse(row["Phone"], "US")
                    if phonenumbers.is_valid_number(number):
                        found["sms"] = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                with suppress(EmailNotValidError):
                    mailbox = validate_email(row["Email"], check_deliverability=False)
                    found["email"] = mailbox.normalized.lower()
                for channel in ("sms", "email"):
                    if found[channel] in seen:
                        found[channel] = None
                    elif found[channel]:
                        seen.add(found[channel])
                if found["sms"] or found["email"]:
                    found["at"] = datetime.strptime(row["Consent date"], "%Y-%m-%d").replace(tzinfo=UTC)
                    chunk.append(found)
            yield chunk


def _rows(chunk: list[dict[str, Any]], list_ids: list[int], made: int) -> dict[Any, list[dict[str, Any]]]:
    """What the same import keeps of a chunk, table by table."""
    moment = datetime.now(UTC)
    rows: dict[Any, list[dict[str, Any]]] = {
        model: [] for model in (Contact, Endpoint, Membership, ConsentEvent, Subscription)
    }
    for place, row in enumerate(chunk, made + 1):
        rows[Contact].append(
            {"id": place, "name": row["Name"], "language": row["Language"], "area": row["Area"], "groups": "",
             "created_at": moment, "updated_at": moment, "import_id": 1}
        )  # fmt: skip
        rows[Membership] += [{"list_id": each, "contact_id": place, "import_id": 1} for each in list_ids]
        for number, channel in enumerate(("sms", "email")):
            if not row[channel]:
                continue
            endpoint_id = 2 * place + number
            rows[Endpoint].append(
                {"id": endpoint_id, "contact_id": place, "channel": channel, "address": row[channel],
                 "address_key": row[channel], "state": "usable", "state_reason": "", "opted_out": False, "held": "",
                 "soft_bounces": 0, "created_at": moment, "import_id": 1}
            )  # fmt: skip
            for offset, list_id in enumerate(list_ids):
                event_id = 4 * place + 2 * number + offset
                rows[ConsentEvent].append(
                    {"id": event_id, "contact_id": place, "endpoint_id": endpoint_id, "list_id": list_id,
                     "decision": True, "basis": "consent", "method": "import", "wording": row["Consent wording"],
                     "wording_language": "", "reference": f"residents.csv, row {place}", "actor": "bench", "ip": "",
                     "import_id": 1, "at": row["at"], "recorded_at": moment}
                )  # fmt: skip
                rows[Subscription].append(
                    {"list_id": list_id, "endpoint_id": endpoint_id, "active": True, "basis": "consent",
                     "event_id": event_id}
                )  # fmt: skip
    return rows


WAYS: dict[str, tuple[str, Callable[[Path, Path], int]]] = {
    "ours": ("notify contacts import", ours),
    "plain": ("the plain way, same tables and evidence", plain),
    "bare": ("the plain way, one bare table", bare),
}


def run_one(way: str, sheet: Path, folder: Path) -> None:
    """In a process of its own: rows, seconds and megabytes as JSON."""
    start = time.perf_counter()
    made = WAYS[way][1](sheet, folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"made": made, "seconds": seconds, "cpu": time.process_time(), "mb": peak}))


def measure(sheet: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Every way in turn, so many times."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                prepare(Path(folder))
                command = [sys.executable, __file__, "--one", way, "--sheet", str(sheet), "--folder", folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[way].append(json.loads(done.stdout))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--sheet", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one, given.sheet, given.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "residents.csv"
        write_sheet(sheet, given.rows)
        found = measure(sheet, given.rounds)
    rates = {way: median(given.rows / each["seconds"] for each in runs) for way, runs in found.items()}
    peaks = {way: max(each["mb"] for each in runs) for way, runs in found.items()}
    from rich.console import Console  # not in the processes whose memory is measured
    from rich.table import Table

    grid = Table(title=f"Importing {given.rows:,} rows into SQLite")
    for column in ("", "rows/s", "seconds", "processor s", "contacts", "peak MB", "times the plain way"):
        grid.add_column(column, justify="right" if column else "left")
    for way, (name, _) in WAYS.items():
        made, seconds = found[way][0]["made"], given.rows / rates[way]
        grid.add_row(
            name, f"{rates[way]:,.0f}", f"{seconds:.1f}", f"{found[way][0]['cpu']:.1f}", f"{made:,.0f}",
            f"{peaks[way]:.0f}", f"{rates[way] / rates['plain']:.2f}",
        )  # fmt: skip
    Console(width=110).print(grid)
    if given.check and (rates["ours"] < LEAST * rates["plain"] or peaks["ours"] > MOST_MB):
        sys.exit(f"Below {LEAST} times the plain way, or above {MOST_MB} MB.")


if __name__ == "__main__":
    main()
