"""What an import did: every row counted once, every refusal with its cure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contacts.sheets import RowError

# Counts that reading the file again gives again, and those that only writing gives.
READ = ("rows", "rejected", "error_count")
WRITTEN = (
    "created", "updated", "unchanged", "duplicates", "endpoints", "consents", "consents_without_wording",
    "opt_outs", "opt_outs_kept", "languages_kept",
)  # fmt: skip


@dataclass
class ImportReport:
    """What an import did, or on a dry run would have done.

    Every row is counted once: rows = created + updated + unchanged + duplicates + rejected.

    Attributes:
        file: its name.
        list_name: the lists that all contacts were put on, with commas between them.
        encoding: as found out; "xlsx" for a workbook.
        delimiter: as found out; empty for a workbook.
        sheet_name: which one of a workbook; empty for CSV.
        import_id: by which it can be undone; None on a dry run.
        resumed_at: the last row that was done before, where a broken-off import went on; 0 otherwise.
        columns: the headers that were understood, by field.
        ignored_columns: the headers that were not.
        dry_run: nothing was kept.
        rows: rows with something in them.
        created: rows that made a contact.
        updated: rows that added something to a contact.
        unchanged: rows whose contact was known with all of it, or was erased and had said no.
        duplicates: rows of a contact that an earlier row of the file was about.
        rejected: rows that were not imported.
        endpoints: addresses added.
        consents: yeses recorded.
        consents_without_wording: those of them without the exact words (R31).
        opt_outs: noes recorded.
        opt_outs_kept: yeses refused, because the resident had said no, and addresses of the erased who had.
        languages_kept: rows that name another language than the contact's.
        error_count: things wrong in rows.
        errors: the first of them.
    """

    file: str
    list_name: str
    encoding: str
    delimiter: str
    columns: dict[str, str]
    ignored_columns: list[str]
    dry_run: bool
    sheet_name: str = ""
    import_id: int | None = None
    resumed_at: int = 0
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    endpoints: int = 0
    consents: int = 0
    consents_without_wording: int = 0
    opt_outs: int = 0
    opt_outs_kept: int = 0
    languages_kept: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Every count, by its name."""
        return {name: getattr(self, name) for name in (*READ, *WRITTEN)}

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        plain = dict(vars(self))
        plain["errors"] = [
            {name: str(getattr(each, name)) for name in ("column", "masked", "code", "message", "cure")}
            | {"row": each.row}
            for each in self.errors
        ]
        return plain
