"""What columns are taken for, previews, encodings of the world, and hostile CSV files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import Session, select

from contacts import headers
from contacts.importing import ImportFailed, errors_into, import_contacts, preview
from contacts.models import Contact, ImportRun
from contacts.sheets import Row, RowError, open_sheet
from contacts.values import BadValue, Problem, SheetProblem

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (["Nombre", "Teléfono", "Correo electrónico", "Idioma"], ["name", "phone", "email", "language"]),
        (["NOMBRE", "APELLIDOS", "celular"], ["first_name", "last_name", "phone"]),
        (["Nom", "Prénom", "Téléphone", "Langue"], ["last_name", "first_name", "phone", "language"]),
        (["Vorname", "Nachname", "Handy", "PLZ"], ["first_name", "last_name", "phone", "postcode"]),
        (["Nome", "Telemóvel", "Endereço", "Código postal"], ["name", "phone", "address", "postcode"]),
        (["الاسم", "رقم الهاتف", "البريد الإلكتروني", "اللغة"], ["name", "phone", "email", "language"]),
        (["Имя", "Фамилия", "Телефон", "Язык"], ["first_name", "last_name", "phone", "language"]),
        (["姓名", "手机", "电子邮件", "语言"], ["name", "phone", "email", "language"]),
        (["Họ và tên", "Số điện thoại", "Ngôn ngữ"], ["name", "phone", "language"]),
        (["이름", "전화번호", "언어"], ["name", "phone", "language"]),
        (["Non", "Telefòn", "Lang"], ["name", "phone", "language"]),
        (["Magaca", "Taleefanka", "Luqadda"], ["name", "phone", "language"]),
        (["नाम", "मोबाइल", "भाषा"], ["name", "phone", "language"]),
    ],
)  # fmt: skip
def test_headers_are_understood_in_residents_languages(header: list[str], fields: list[str]) -> None:
    assert headers.guess(header) == fields


def test_no_header_means_two_things() -> None:
    meanings: dict[str, set[str]] = {}
    for field, aliases in headers.ALIASES.items():
        for alias in aliases:
            meanings.setdefault(headers.bare(alias), set()).add(field)
    assert {text for text, found in meanings.items() if len(found) > 1 or not text} == set()


@pytest.mark.parametrize(
    ("mapping", "places"),
    [
        ({"Kontakt": "phone"}, {"phone": 1, "email": 2, "name": 0}),
        ({"kontakt ": "phone", "Name": ""}, {"phone": 1, "email": 2}),
        ({"#2": "telegram"}, {"telegram": 1, "email": 2, "name": 0}),
        ({"Kontakt": "email"}, {"email": 1, "name": 0}),
    ],
)
def test_a_person_may_say_what_a_column_is(
    sheet: Write, mapping: dict[str, str], places: dict[str, int]
) -> None:
    assert open_sheet(sheet("Name,Kontakt,Mail\nAna,1,a@b.org\n"), mapping=mapping).places == places


@pytest.mark.parametrize(
    "mapping", [{"Nobody": "phone"}, {"Name": "shoe size"}, {"#9": "phone"}, {"#0": "phone"}]
)
def test_a_mapping_that_does_not_fit_is_refused(sheet: Write, mapping: dict[str, str]) -> None:
    with pytest.raises(ImportFailed) as refused:
        open_sheet(sheet("Name,Mail\nAna,a@b.org\n"), mapping=mapping)
    assert refused.value.code == SheetProblem.MAPPING


def test_columns_of_one_name_are_told_apart_by_number(sheet: Write) -> None:
    path = sheet("Phone,Phone\n1,2\n")
    with pytest.raises(ImportFailed, match="--map '#2='"):
        open_sheet(path)
    with pytest.raises(ImportFailed, match="Several columns"):
        open_sheet(path, mapping={"Phone": "phone"})
    assert open_sheet(path, mapping={"#1": ""}).places == {"phone": 1}


def test_a_preview_shows_the_form_and_no_personal_data(sheet: Write) -> None:
    path = sheet("Name;Handy;Sprache;Shoe size\nZebedee Ruiz;202 555 0143;español;44\n")
    seen = preview(path)
    assert (seen.encoding, seen.delimiter, seen.lines) == ("utf-8", ";", 2)
    assert [(each.header, each.field, each.example) for each in seen.columns] == [
        ("Name", "name", "Ze…"),
        ("Handy", "phone", "20…"),
        ("Sprache", "language", "español"),
        ("Shoe size", "", ""),
    ]
    told = json.dumps(seen.to_dict())
    assert "0143" not in told
    assert "Zebedee" not in told + repr(seen)


LETTERS = {
    "cp1251": "имя,телефон\nИван Петров,202\nОльга Сергеевна Кузнецова,203\nМария Ивановна Смирнова,204\n",
    "koi8_r": "имя,телефон\nИван Петров,202\nОльга Сергеевна Кузнецова,203\nМария Ивановна Смирнова,204\n",
    "cp1256": "الاسم,هاتف\nمحمد عبد الله الأحمد,202\nفاطمة الزهراء بنت علي,203\nخالد بن الوليد,204\n",
    "gb18030": "姓名,电话\n王小明和他的家人住在城市的北边,202\n李华经常去图书馆看书学习中文,203\n",
    "shift_jis": "name,phone\n山田太郎さんは東京に住んでいます,202\n佐藤花子さんは図書館へ行きました,203\n",
    "euc_kr": "이름,전화\n김철수는 서울에 살고 있습니다,202\n이영희는 도서관에 자주 갑니다,203\n",
    "cp1250": "name,phone\nŁukasz Wójcik,202\nZażółć gęślą jaźń,205\nMałgorzata Żółtowska z Łodzi,203\n",
}


@pytest.mark.parametrize("encoding", LETTERS)
def test_names_in_the_worlds_encodings_are_read_rightly(sheet: Write, encoding: str) -> None:
    text = LETTERS[encoding]
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    found = open_sheet(sheet(text.encode(encoding)), mapping={"#1": "name", "#2": "phone"})
    assert [row.cells["name"] for row in found.rows() if isinstance(row, Row)] == names


@pytest.mark.parametrize(
    "text", ["José Núñez", "François Lefèbvre", "Müller", "Ørjan Åse", "naïve “quotes” – dash", "10 €"]
)
def test_western_names_need_no_guess(sheet: Write, text: str) -> None:
    assert open_sheet(sheet(f"name,phone\n{text},202\n".encode("cp1252"))).encoding == "cp1252"


def test_a_few_letters_of_an_unknown_alphabet_are_refused_and_not_guessed(sheet: Write) -> None:
    with pytest.raises(ImportFailed, match="--encoding") as refused:
        open_sheet(sheet("name,phone\nИван,202\n".encode("cp1251")))
    assert refused.value.code == SheetProblem.ENCODING


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"name,phone,consent\n" + b"x" * (10 << 20) + b",202-555-0143,yes\n", SheetProblem.TOO_LONG),
        (b'name,phone,consent\n"' + b"x\n" * (5 << 20) + b'",202-555-0143,yes\n', SheetProblem.TOO_LONG),
        ("phone,name\n1,José\n".encode() + "2,José\n".encode("cp1252"), SheetProblem.MIXED_ENCODINGS),
        (b"phone,Phone,consent\n1,2,yes\n", SheetProblem.DUPLICATE_COLUMN),
        (b"\0" * 5000, SheetProblem.NO_COLUMN),
    ],
    ids=["10 MB in a line", "10 MB in a cell", "mixed encodings", "duplicate headers", "NUL bytes"],
)  # fmt: skip
def test_a_hostile_file_is_refused_and_nothing_of_it_is_kept(
    session: Session, sheet: Write, content: bytes, code: SheetProblem
) -> None:
    with pytest.raises(ImportFailed) as refused:
        import_contacts(session, sheet(content), list_name="News", country="US", actor="eva")
    assert refused.value.code == code
    assert session.execute(select(Contact)).all() == session.execute(select(ImportRun)).all() == []


def test_hostile_rows_cost_themselves_only(session: Session, sheet: Write) -> None:
    path = sheet(
        "name,phone,consent\nAna\0,202-555-0143,yes\n=1+1,202-555-0144,yes\n"
        f'{"x" * 30_000},202-555-0145,yes\n"@SUM(1)|calc",202-555-0146,yes\nBo,202-555-0147,yes,a,b\n'
    )
    report = import_contacts(session, path, list_name="News", country="US", actor="eva")
    assert [(each.row, each.code) for each in report.errors] == [
        (2, Problem.NUL),
        (4, Problem.TOO_LONG),
        (6, Problem.TOO_MANY_CELLS),
    ]
    assert [each.name for each in session.execute(select(Contact)).scalars()] == ["=1+1", "@SUM(1)|calc"]


def test_three_hundred_columns_are_read(session: Session, sheet: Write) -> None:
    head = ",".join(["phone", "consent", *(f"c{number}" for number in range(298))])
    report = import_contacts(
        session,
        sheet(head + "\n202-555-0143,yes" + ",=1" * 298 + "\n"),
        list_name="News",
        country="US",
        actor="eva",
    )
    assert (report.created, len(report.ignored_columns)) == (1, 298)


def test_errors_are_written_one_by_one(tmp_path: Path) -> None:
    with errors_into(tmp_path / "errors.csv") as write:
        for number in range(3):
            write(RowError.of(number, "Phone", "12345", BadValue(Problem.PHONE_SHORT)))
    rows = list(csv.DictReader((tmp_path / "errors.csv").read_text("utf-8-sig").splitlines()))
    assert [(row["row"], row["value"]) for row in rows] == [("0", "12…"), ("1", "12…"), ("2", "12…")]
