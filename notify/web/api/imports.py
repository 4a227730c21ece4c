"""Imports: a sheet is sent and brought in, tried out, looked at, and taken back.

A call lasts as long as its import. If the connection breaks, the import goes on, and can be looked at; the same
sheet sent again goes on where a crash left it. For sheets of hours there is `notify contacts import`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Annotated, Any

from fastapi import Form, Response
from sqlalchemy import ColumnElement, true
from sqlmodel import Session, col, select

from contacts import importing
from contacts.columns import now
from contacts.dates import read_day
from contacts.importing import Attestation, ImportFailed, ImportReport
from contacts.languages import language_tag
from contacts.models import Basis, ImportRun, ImportState
from contacts.values import SheetProblem, clean_line
from notify import liaisons
from notify.apikeys import Scope
from notify.hub import address_kinds
from notify.web.api.calls import Answer, Call, Caller, Trace
from notify.web.api.door import FORM
from notify.web.api.fields import PathId
from notify.web.api.import_shapes import (
    SHOWN_ERRORS,
    ColumnShape,
    ImportPage,
    ImportReportShape,
    ImportShape,
    NewImport,
    RowErrorShape,
    UndoneShape,
)
from notify.web.api.paging import Paging
from notify.web.api.problems import Problem, at, not_possible, not_there
from notify.web.api.routing import Routes
from notify.web.api.seeing import BASE, visible_list

LONGEST_NAME = 100  # characters of a file's name

_one_at_a_time = Lock()  # an import takes what memory and disk the machine can spare


def add_routes(routes: Routes) -> None:
    """The routes of imports."""
    read, write = Scope.IMPORTS_READ, Scope.IMPORTS_WRITE
    one = "/imports/{import_id:id}"
    routes.add("GET", "/imports", list_imports, scope=read, gives=ImportPage, refuses=[422])
    routes.add(
        "POST", "/imports", import_sheet, scope=write, gives=ImportReportShape, repeatable=True,
        largest=routes.largest_upload, makes=("import_id", "import_id"),
    )  # fmt: skip
    routes.add("GET", one, get_import, scope=read, gives=ImportShape, refuses=[404])
    routes.add(
        "POST", f"{one}/undo", undo_import, scope=write, gives=UndoneShape, refuses=[404], repeatable=True,
        has_body=False,
    )  # fmt: skip


def list_imports(call: Caller, asked: Paging) -> Response:
    """The imports into lists that the key's person keeps."""
    after = call.cursors.after("imports", asked)

    def look(session: Session) -> Answer:
        query = select(ImportRun).where(col(ImportRun.id) > after, _kept(session, call))
        found = list(session.exec(query.order_by(col(ImportRun.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following("imports", asked, [each.id or 0 for each in found])
        return Answer(ImportPage(items=[_shape(each) for each in found[:count]], next_cursor=cursor))

    return call.read(look)


def get_import(call: Caller, import_id: PathId) -> Response:
    """One import: how far it is, and what it did."""
    return call.read(lambda session: Answer(_shape(_run(session, call, import_id))))


def import_sheet(call: Caller, form: Annotated[NewImport, Form(media_type=FORM)]) -> Response:
    """Bring a sheet in, or try it out. An opt-out on record always stands: no sheet can revive it."""
    with _saved(call, form) as path:
        return call.about(_print(path, form)).work(lambda: _bring_in(call, path, form))


def undo_import(call: Caller, import_id: PathId) -> Response:
    """Take an import back. Noes stay, and whatever somebody has used since."""

    def do() -> Answer:
        with call.hub.database.reading() as session:
            _check_whole(session, call, _run(session, call, import_id))
        with _alone(), _taken(), call.hub.database.session() as session:
            undone = importing.undo(session, import_id, actor=call.actor)
        trace = Trace("contacts.undo_import", f"import {import_id}", undone.to_dict())
        return Answer(UndoneShape.model_validate(undone), trace=trace)

    return call.work(do)


def _bring_in(call: Call, path: Path, form: NewImport) -> Answer:
    name, city = _list_name(call, path, form), call.hub.settings.city
    attestation = _attestation(call, form)
    with _alone(), _taken(), call.hub.database.session() as session:
        report = importing.import_contacts(
            session, path, list_name=name, country=city.country, actor=call.actor, attestation=attestation,
            channels=address_kinds(), language=city.languages[0], dry_run=form.dry_run,
            proof_key=call.hub.settings.key(), **_reading(form),
        )  # fmt: skip
    if form.dry_run:
        return Answer(_report(report), trace=Trace("contacts.try_import", f"list {form.list_id}"))
    url = f"{BASE}/imports/{report.import_id}"
    trace = Trace(
        "contacts.import", f"import {report.import_id}", {"list": form.list_id, "rows": report.rows}
    )
    return Answer(_report(report), headers={"Location": url}, trace=trace)


def _reading(form: NewImport) -> dict[str, Any]:
    """How the sheet is to be read, as `contacts.importing` calls it."""
    return {
        "encoding": form.encoding or None,
        "delimiter": form.delimiter or None,
        "sheet_name": form.sheet_name or None,
        "mapping": _mapping(form.columns) or None,
    }


def _mapping(said: list[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in said]
    if not all(sign for _, sign, _ in pairs):
        raise not_possible(
            "/columns", "mapping", "Write each as Header=field, or #3=field for the third column."
        )
    return {header.strip(): name.strip() for header, _, name in pairs}


def _attestation(call: Call, form: NewImport) -> Attestation | None:
    day = _day(call, form.attest_date)
    with at("/attest_language"):
        language = language_tag(form.attest_language) if form.attest_language else ""
    if not form.attest_wording:
        return None
    return Attestation(form.attest_wording, form.attest_source, day, language, Basis(form.attest_basis))


def _day(call: Call, written: str) -> date:
    """The day of an attestation; today where none is given."""
    if not written:
        return now().date()
    with at("/attest_date"):
        found = read_day(written, country=call.hub.settings.city.country)
    return found.date() if isinstance(found, datetime) else found


def _list_name(call: Call, path: Path, form: NewImport) -> str:
    """The list for everybody in the sheet, if it is in the key's hands, and the sheet names no others.

    Raises:
        Problem: it is not, or the sheet does.
    """
    with call.hub.database.reading() as session:
        try:
            listed = visible_list(session, call, form.list_id)
        except Problem:
            raise not_possible(
                "/list_id", "list_unknown", "There is no such list, or it is not yours."
            ) from None
    with _taken():
        fields = {column.field for column in importing.preview(path, **_reading(form)).columns}
    if "lists" in fields and not liaisons.keeps_all(call.person):
        raise not_possible(
            "/file", "other_lists", "The sheet names lists. Only administrators bring those in."
        )
    return listed.name


@contextmanager
def _saved(call: Call, form: NewImport) -> Iterator[Path]:
    """The file that was sent, on disk, where nobody else may read it; afterwards it is gone."""
    folder = call.hub.settings.state_dir / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as private:
        path = Path(private) / _file_name(form.file.filename or "")
        with path.open("xb") as target:
            shutil.copyfileobj(form.file.file, target)
        yield path


def _file_name(sent: str) -> str:
    """The last part of a file's name, as it goes into the record of the import."""
    last = clean_line(sent.replace("\\", "/").rpartition("/")[2]).strip(". ")
    stem, dot, ending = last.rpartition(".")
    short = f"{stem[: LONGEST_NAME - 10]}{dot}{ending[:9]}"
    return short if len(short.encode()) <= 255 and short else "sheet.csv"


def _print(path: Path, form: NewImport) -> bytes:
    """What tells one import from another."""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").digest()
    return content + form.model_dump_json(exclude={"file"}).encode()


@contextmanager
def _alone() -> Iterator[None]:
    """Let no other import of this process run meanwhile.

    Raises:
        Problem: one does.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise _busy("Another sheet is being brought in, or taken back.")
    try:
        yield
    finally:
        _one_at_a_time.release()


@contextmanager
def _taken() -> Iterator[None]:
    """Say of a sheet that is not taken why.

    Raises:
        Problem: instead of `ImportFailed`.
    """
    try:
        yield
    except ImportFailed as error:
        if error.code is SheetProblem.BUSY:
            raise _busy(error.message) from None
        if error.code is SheetProblem.NO_SUCH_IMPORT:
            raise Problem(409, error.code, str(error)) from None
        raise not_possible("/file", error.code, str(error)) from None


def _busy(why: str) -> Problem:
    return Problem(409, "busy", f"{why} Ask again in a while.", headers={"Retry-After": "10"})


def _kept(session: Session, call: Call) -> ColumnElement[bool]:
    if liaisons.keeps_all(call.person):
        return true()
    return col(ImportRun.list_id).in_([each.id for each in liaisons.lists_of(session, call.person)])


def _run(session: Session, call: Call, import_id: int) -> ImportRun:
    found = session.exec(select(ImportRun).where(ImportRun.id == import_id, _kept(session, call))).first()
    if found is None:
        raise not_there("import")
    return found


def _check_whole(session: Session, call: Call, run: ImportRun) -> None:
    """Make sure that an import was into lists of the key's person only."""
    kept = {each.id for each in liaisons.lists_of(session, call.person)}
    if not liaisons.keeps_all(call.person) and not set(_list_ids(run)) <= kept:
        detail = "The import was also into lists that the key's person does not keep. Ask an administrator."
        raise Problem(403, "other_lists", detail)


def _list_ids(run: ImportRun) -> list[int]:
    return list(run.options.get("list_ids") or [run.list_id])


def _shape(run: ImportRun) -> ImportShape:
    counts: Mapping[str, Any] = run.counts
    return ImportShape(
        id=run.id or 0, file_name=run.file_name, list_ids=_list_ids(run), state=ImportState(run.state),
        rows_done=run.rows_done, counts={name: count for name, count in counts.items() if name != "undone"},
        undone=counts.get("undone"), actor=run.actor, created_at=run.created_at, finished_at=run.finished_at,
    )  # fmt: skip


def _report(report: ImportReport) -> ImportReportShape:
    return ImportReportShape(
        import_id=report.import_id, dry_run=report.dry_run, encoding=report.encoding, delimiter=report.delimiter,
        sheet_name=report.sheet_name, ignored_columns=report.ignored_columns, resumed_at=report.resumed_at,
        columns=[ColumnShape(header=header, field=name) for name, header in report.columns.items()],
        counts=report.counts(),
        errors=[RowErrorShape.model_validate(each) for each in report.errors[:SHOWN_ERRORS]],
    )  # fmt: skip
