"""What the interface takes and gives about imports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import UploadFile
from pydantic import AwareDatetime, ConfigDict, Field

from contacts.models import ImportState
from notify.web.api.fields import Body, PlainId, Shape, words

SHOWN_ERRORS = 1000
MOST_COLUMNS = 100


class NewImport(Body):
    """A spreadsheet, and how it is to be read."""

    file: UploadFile = Field(description="CSV in any common encoding, or XLSX, with a header line.")
    list_id: PlainId = Field(description="The list that everybody in the sheet is put on.", examples=[3])
    dry_run: bool = Field(default=False, description="Read and count everything, keep nothing.")
    attest_wording: Annotated[str, words(5000)] = Field(
        default="",
        description="Where the sheet has no consent column: the exact words these people agreed to.",
        examples=["Yes, write to me."],
    )
    attest_source: Annotated[str, words(200)] = Field(
        default="", description="Where that can be looked up.", examples=["sign-up sheets 1 to 40"]
    )
    attest_date: Annotated[str, words(40)] = Field(
        default="", description="On which day they agreed; today, if it is empty.", examples=["2026-05-01"]
    )
    attest_language: Annotated[str, words(60)] = Field(default="", description="Of the wording, BCP 47.")
    attest_basis: Literal["consent", "public_task"] = Field(
        default="consent", description="public_task: a law lets the city send printed mail to households."
    )
    encoding: Annotated[str, words(40)] = Field(default="", description="Of a CSV file; found out if empty.")
    delimiter: Annotated[str, words(1)] = Field(default="", description="Between cells; found out if empty.")
    sheet_name: Annotated[str, words(100)] = Field(
        default="", description="Of a workbook; the first if empty."
    )
    columns: list[Annotated[str, words(200, 1)]] = Field(
        default=[],
        max_length=MOST_COLUMNS,
        description="What some columns are, where the guess is wrong: Header=field, or #3=field for the third; "
        "nothing after = leaves a column out.",
        examples=[["Tel. 1=phone", "#4="]],
    )


class ColumnShape(Shape):
    """One column of the sheet that was understood."""

    header: str
    field: str


class RowErrorShape(Shape):
    """One thing wrong in one row."""

    row: int = Field(description="As a spreadsheet counts: the first line is 1.")
    column: str
    masked: str = Field(description="The value's first two characters.")
    code: str
    message: str
    cure: str


class ImportReportShape(Shape):
    """What an import did, or on a dry run would have done. Every row is counted once."""

    import_id: int | None = Field(description="By which it can be undone; null on a dry run.")
    dry_run: bool
    encoding: str
    delimiter: str
    sheet_name: str
    columns: list[ColumnShape]
    ignored_columns: list[str]
    resumed_at: int = Field(
        description="The last row that an import broken off before had done; 0 otherwise."
    )
    counts: dict[str, int] = Field(
        description="rows = created + updated + unchanged + duplicates + rejected; then endpoints, consents, opt_outs, "
        "and opt_outs_kept: yeses that were refused because the resident has said no."
    )
    errors: list[RowErrorShape] = Field(
        description=f"The first {SHOWN_ERRORS}; counts.error_count is all of them."
    )


class ImportShape(Shape):
    """One import."""

    id: int
    file_name: str
    list_ids: list[int]
    state: ImportState
    rows_done: int = Field(description="How far it is, as the sheet counts rows.")
    counts: dict[str, int]
    undone: dict[str, int] | None = Field(description="What undoing it did; null where it was not undone.")
    actor: str
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class ImportPage(Shape):
    """A page of imports in the order in which they began."""

    items: list[ImportShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class UndoneShape(Shape):
    """What undoing an import did: noes stay, and what somebody used since."""

    import_id: int
    contacts: int
    contacts_kept: int
    endpoints: int
    endpoints_kept: int
    memberships: int
    taken_back: int = Field(description="Addresses whose yes counts no more.")
    emptied: int = Field(description="Fields of contacts known before.")

    model_config = ConfigDict(from_attributes=True)
