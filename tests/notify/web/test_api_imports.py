"""Sheets that a program sends: tried out, brought in, looked at, taken back."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_city import ADA, API, EVA, OMAR, Office, Program, place, refused
from openpyxl import Workbook

from contacts import importing
from notify.web.app import create_app

SHEET = """name,phone,email,language,consent,consent_wording
Rosa Quintero,(206) 555-0143,rosa@example.org,Spanish,yes,"Sí, escríbanme."
Amal Haddad,+1 206 555 0144,,ar,sms,"نعم"
Nobody,555,,en,yes,Yes
"""


async def send(
    program: Program, sheet: str | bytes, *, name: str = "residents.csv", key: str = "", **form: Any
) -> httpx.Response:
    content = sheet if isinstance(sheet, bytes) else sheet.encode()
    headers = {"authorization": f"Bearer {program.key}"} | ({"idempotency-key": key} if key else {})
    return await program.http.post(
        f"{API}/imports", files={"file": (name, content)}, data=form, headers=headers
    )


def workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Name", "Email", "Consent"])
    sheet.append(["Rosa", "rosa@example.org", "yes"])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


async def test_a_sheet_is_tried_out_and_leaves_nothing(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    answer = await send(ada, SHEET, list_id=news, dry_run="true")
    report = answer.json()
    assert answer.status_code == 200 and "location" not in answer.headers
    assert (report["import_id"], report["dry_run"]) == (None, True)
    assert (report["counts"]["rows"], report["counts"]["created"], report["counts"]["rejected"]) == (3, 2, 1)
    assert {"header": "phone", "field": "phone"} in report["columns"]
    assert {(each["row"], each["column"], each["masked"], each["code"]) for each in report["errors"]} == {
        (4, "phone", "55…", "phone_short"), (4, "", "", "no_address"),
    }  # fmt: skip
    assert (await ada.get("/contacts")).json()["items"] == (await ada.get("/imports")).json()["items"] == []


async def test_a_sheet_is_brought_in_and_taken_back(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    answer = await send(ada, SHEET, list_id=news)
    report = answer.json()
    number = report["import_id"]
    assert answer.headers["location"] == f"/api/v1/imports/{number}"
    assert (report["counts"]["created"], report["counts"]["consents"]) == (2, 3)
    kept = (await ada.get(f"/imports/{number}")).json()
    assert (kept["state"], kept["list_ids"], kept["file_name"], kept["actor"]) == (
        "done",
        [news],
        "residents.csv",
        ADA,
    )
    assert kept["counts"] == report["counts"] and kept["undone"] is None and kept["finished_at"]
    names = [each["name"] for each in (await ada.get(f"/contacts?list_id={news}")).json()["items"]]
    assert names == ["Rosa Quintero", "Amal Haddad"]

    undone = await ada.ask("POST", f"/imports/{number}/undo")
    assert undone.status_code == 200 and undone.json()["contacts"] == 2
    after = (await ada.get(f"/imports/{number}")).json()
    assert (after["state"], after["undone"]["contacts"]) == ("undone", 2)
    assert (await ada.get("/contacts")).json()["items"] == []
    refused(await ada.ask("POST", f"/imports/{number}/undo"), 409, "no_such_import")
    (event,) = office.trail("contacts.import")
    assert (event.actor, event.subject) == (ADA, f"import {number}")
    assert len(office.trail("contacts.undo_import")) == 1


async def test_a_workbook_with_columns_named_by_hand(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    attested = {"wording": "Yes, write to me.", "source": "sheets 1 to 4", "date": "2026-05-01"}
    form = {f"attest_{name}": value for name, value in attested.items()}
    answer = await send(
        ada, workbook(), name="Año 2026.xlsx", list_id=news, columns=["Name=", "#2=email"], **form
    )
    report = answer.json()
    assert (report["encoding"], report["counts"]["created"], report["ignored_columns"]) == (
        "xlsx",
        1,
        ["Name"],
    )
    (rosa,) = (await ada.get("/contacts")).json()["items"]
    assert rosa["name"] == ""
    (event,) = (await ada.get(f"/contacts/{rosa['id']}/consent")).json()["items"]
    assert (event["wording"], event["at"]) == ("Yes, write to me.", "2026-05-01T00:00:00Z")
    assert event["reference"] == "sheets 1 to 4; Año 2026.xlsx, row 2"


async def test_the_same_sheet_with_the_same_key_is_brought_in_once(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    first = await send(ada, SHEET, list_id=news, key="a")
    again = await send(ada, SHEET, list_id=news, key="a")
    assert again.content == first.content and again.headers["idempotency-replayed"] == "true"
    assert len((await ada.get("/imports")).json()["items"]) == 1
    for other in (
        await send(ada, SHEET + "\n", list_id=news, key="a"),
        await send(ada, SHEET, list_id=news, dry_run=True, key="a"),
    ):
        assert place(refused(other, 422, "not_possible")) == ("Idempotency-Key", "other_request")


@pytest.mark.parametrize(
    ("sheet", "form", "pointer", "code"),
    [
        ("", {}, "/file", "empty"),
        ("name\nRosa\n", {}, "/file", "no_address_column"),
        ("email\nrosa@example.org\n", {}, "/file", "no_consent"),
        ("email,email,consent\na,b,yes\n", {}, "/file", "duplicate_column"),
        (SHEET, {"encoding": "klingon"}, "/file", "encoding"),
        (SHEET, {"columns": "Nothing=phone"}, "/file", "mapping"),
        (SHEET, {"columns": "phone"}, "/columns", "mapping"),
        (SHEET, {"list_id": 77}, "/list_id", "list_unknown"),
        (SHEET, {"attest_date": "yesterday"}, "/attest_date", "date_unknown"),
        (SHEET, {"attest_language": "Klingonish"}, "/attest_language", "language_unknown"),
        ("email\nrosa@example.org\n", {"attest_wording": "Yes."}, "/file", "attestation"),
        (b"%PDF-1.7", {}, "/file", "not_a_sheet"),
        (b"PK\x03\x04 no workbook", {}, "/file", "not_readable"),
    ],
)
async def test_a_sheet_that_cannot_be_taken_is_refused_with_its_cure(
    ada: Program, office: Office, sheet: str | bytes, form: dict[str, Any], pointer: str, code: str
) -> None:
    news = office.list_of(EVA, "News")
    problem = refused(await send(ada, sheet, **{"list_id": news, **form}), 422, "not_possible")
    assert place(problem) == (pointer, code)
    assert {each["state"] for each in (await ada.get("/imports")).json()["items"]} <= {"undone"}
    assert (await ada.get("/contacts")).json()["items"] == []


async def test_a_form_is_as_described(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    refused(await send(ada, SHEET), 400, "not_as_described")
    problem = refused(await send(ada, SHEET, list_id=news, rosa="x"), 400, "not_as_described")
    assert place(problem) == ("", "extra_forbidden")
    refused(await send(ada, SHEET, list_id=news, attest_basis="hearsay"), 400, "not_as_described")
    refused(await ada.post("/imports", {"list_id": news}), 415, "media_type")
    missing = await ada.http.post(
        f"{API}/imports", data={"list_id": str(news)}, files={"other": ("x", b"")},
        headers={"authorization": f"Bearer {ada.key}"},
    )  # fmt: skip
    refused(missing, 400, "not_as_described")


async def test_an_upload_has_an_end_and_leaves_no_file(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    await send(ada, SHEET, list_id=news)
    await send(ada, "name\n", list_id=news)
    office.town.hub.settings.api.upload_megabytes = 1
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(office.town.hub)), base_url="https://hub.example"
    ) as strict:
        refused(await send(Program(strict, ada.key), b"x" * 1_100_000, list_id=news), 413, "too_large")
    uploads = office.town.hub.settings.state_dir / "uploads"
    assert uploads.is_dir() and not list(uploads.iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\lists\\north.csv", "x" * 500 + ".csv", "....", "\u202egpj.csv"]
)
async def test_a_files_name_is_no_path(ada: Program, office: Office, name: str) -> None:
    news = office.list_of(EVA, "News")
    assert (await send(ada, SHEET, name=name, list_id=news)).status_code == 200
    (kept,) = (await ada.get("/imports")).json()["items"]
    assert len(kept["file_name"]) <= 100 and not set(kept["file_name"]) & set("/\\\u202e")


async def test_one_sheet_at_a_time(
    ada: Program, office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import asyncio

    news = office.list_of(EVA, "News")
    begun, go_on = threading.Event(), threading.Event()
    real = importing.import_contacts

    def slow(*given: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return real(*given, **more)

    monkeypatch.setattr(importing, "import_contacts", slow)
    first = asyncio.create_task(send(ada, SHEET, list_id=news))
    assert await asyncio.to_thread(begun.wait, 20)
    busy = await send(ada, SHEET, list_id=news)
    go_on.set()
    refused(busy, 409, "busy")
    assert busy.headers["retry-after"]
    assert (await first).status_code == 200


async def test_a_liaison_imports_into_their_own_lists_only(
    ada: Program, eva: Program, office: Office
) -> None:
    hers, his = office.list_of(EVA, "News"), office.list_of(OMAR, "Harbor")
    assert place(refused(await send(eva, SHEET, list_id=his), 422, "not_possible")) == (
        "/list_id",
        "list_unknown",
    )
    others = "email,consent,lists\nrosa@example.org,yes,Harbor\n"
    assert place(refused(await send(eva, others, list_id=hers), 422, "not_possible")) == (
        "/file",
        "other_lists",
    )
    own = (await send(eva, SHEET, list_id=hers)).json()["import_id"]
    foreign = (await send(ada, SHEET, list_id=his)).json()["import_id"]
    assert [each["id"] for each in (await eva.get("/imports")).json()["items"]] == [own]
    refused(await eva.get(f"/imports/{foreign}"), 404, "not_found")
    refused(await eva.ask("POST", f"/imports/{foreign}/undo"), 404, "not_found")
    assert (await eva.ask("POST", f"/imports/{own}/undo")).status_code == 200


async def test_no_sheet_revives_an_opt_out(ada: Program, office: Office) -> None:
    """R32."""
    news = office.list_of(EVA, "News")
    number = await ada.make(
        "/contacts", {"language": "es", "endpoints": [{"channel": "sms", "address": "+12065550143"}]}
    )
    await ada.make(
        f"/contacts/{number}/consent",
        {"endpoint_id": 1, "list_id": None, "decision": False, "method": "phone"},
    )
    report = (await send(ada, SHEET, list_id=news)).json()
    assert report["counts"]["opt_outs_kept"] == 1
    found = (await ada.get(f"/contacts/{number}")).json()["endpoints"][0]
    assert found["opted_out"] and not any(each["active"] for each in found["subscriptions"])
