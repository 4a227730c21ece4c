"""The demo's fictional residents: the same on every machine, nobody real, and as untidy as real lists."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, SQLModel, create_engine

import templates
from contacts.importing import ImportReport, import_contacts
from templates.demo import make_residents

FOLDER = templates.directory() / "demo"
FICTION = re.compile(r"\+1\d{3}55501\d\d")


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


BOTH = [*rows("residents.csv"), *rows("residents-extra.csv")]


@pytest.mark.parametrize("name", make_residents.FILES)
def test_the_files_are_what_the_script_writes(name: str) -> None:
    written = make_residents.as_csv(make_residents.FILES[name]())
    assert (FOLDER / name).read_bytes() == written.encode("utf-8")


def test_no_number_mailbox_or_place_can_be_somebodys() -> None:
    numbers = [
        phonenumbers.parse(row["phone"], "US") for row in BOTH if re.search(r"\d{3}.?.?555", row["phone"])
    ]
    assert len(numbers) > 100
    assert all(map(phonenumbers.is_valid_number, numbers))
    assert all(FICTION.match(f"+1{number.national_number}") for number in numbers)
    assert {row["email"].lower().rpartition("@")[2] for row in BOTH if "@" in row["email"]} <= {
        "example.com",
        "example.net",
        "example.org",
    }
    assert {row["city"] for row in BOTH} == {"Rivermouth", ""}


def test_there_is_one_sentence_to_agree_to_in_each_language() -> None:
    assert make_residents.WORDING.keys() == make_residents.READERS.keys()
    assert make_residents.READERS.keys() <= set(templates.languages())


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}")
    SQLModel.metadata.create_all(engine)
    return engine


@pytest.fixture(scope="module")
def reports(engine: Engine) -> list[ImportReport]:
    found = []
    for name in make_residents.FILES:
        with Session(engine) as session:
            path = Path(FOLDER / name)
            found.append(import_contacts(session, path, list_name=path.stem, country="US", actor="test"))
            session.commit()
    return found


def test_every_wrong_row_is_found_and_no_other(reports: list[ImportReport]) -> None:
    wrong = [error for error in reports[0].errors if error.column]
    names = {rows("residents.csv")[error.row - 2]["name"] for error in reports[0].errors}
    assert len(names) == 14
    assert names.isdisjoint(row["name"] for row in make_residents.volunteers())
    assert reports[0].rejected == 10
    assert reports[1].errors == []
    assert Counter(error.column for error in wrong) == {
        "phone": 3,
        "email": 2,
        "telegram": 1,
        "language": 2,
        "address1": 3,
        "consent": 1,
        "consent_date": 1,
    }


def test_people_who_are_twice_on_the_lists_are_one_contact(reports: list[ImportReport]) -> None:
    first, second = reports
    assert first.duplicates == 12
    assert first.created + first.duplicates + first.rejected == first.rows == 210
    assert (second.created, second.updated) == (15, 13)


def test_who_left_stays_away_though_another_list_says_yes(
    engine: Engine, reports: list[ImportReport]
) -> None:
    assert reports[0].opt_outs > 0
    assert reports[1].opt_outs_kept > 0


def test_there_are_many_languages_and_homes_that_read_several(
    engine: Engine, reports: list[ImportReport]
) -> None:
    with Session(engine) as session:
        languages = dict(session.execute(text("SELECT language, count(*) FROM contact GROUP BY 1")).all())  # type: ignore[arg-type]
        shared = session.execute(
            text(
                "SELECT count(*) FROM (SELECT 1 FROM endpoint JOIN contact ON contact.id = contact_id"
                " WHERE channel = 'letter' GROUP BY address_key HAVING count(DISTINCT language) > 1) AS homes"
            )
        ).scalar_one()
    assert len(languages) == 14
    assert min(languages["ar"], languages["zh-Hans"]) >= 10
    assert shared >= 10
