"""What is kept of one contact, complete, for the contact; and a list as a table, for who keeps it.

A table is written as it is read, chunk by chunk, with the columns that were asked for and no others, and
no cell is one that a spreadsheet would run.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlmodel import Session, col

from channels.contract import AddressKind
from contacts import lists
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ListKind,
    Membership,
    Subscription,
)
from contacts.sheets import safe_cell

DEFAULT_COLUMNS = ("name", "language", "area", "consent")
FORMATS = (".csv", ".xlsx")

# How the import calls the columns with addresses, so that what went out can come in again.
_ADDRESS_COLUMNS = {AddressKind.PHONE: "phone", AddressKind.EMAIL: "email", AddressKind.POSTAL: "address"}


class CannotExport(ValueError):
    """There is no such column or kind of file, or the file cannot be written; the message names the cure."""


def columns(channels: Mapping[str, AddressKind]) -> dict[str, str]:
    """Every column a list can be exported with, and the channel whose addresses are in it, if any.

    Args:
        channels: how addresses are written on each channel.
    """
    addresses = {_ADDRESS_COLUMNS.get(kind, channel): channel for channel, kind in channels.items()}
    first, last = ("contact", "name", "language", "area", "groups"), ("consent", "consent_date", "opted_out")
    return {**dict.fromkeys(first, ""), **addresses, **dict.fromkeys(last, "")}


def export_list(
    session: Session,
    list_id: int,
    path: Path,
    wanted: Sequence[str],
    *,
    channels: Mapping[str, AddressKind],
    where: ColumnElement[bool] | None = None,
) -> int:
    """Write the contacts on a list to a CSV or XLSX file that only its owner can read.

    Args:
        session: an open session.
        list_id: the list.
        path: the file; its ending says which kind.
        wanted: the columns, in their order, of those that `columns` names.
        channels: how addresses are written on each channel.
        where: a further condition on `Contact`.

    Returns:
        How many contacts are in the file.

    Raises:
        CannotExport: no such column, another ending, or the file cannot be written.
    """
    _check(path, wanted, columns(channels))
    rows = _Rows(session, list_id, wanted, columns(channels), where)
    part = path.with_name(f".{path.name}.part")
    write = _write_csv if path.suffix.lower() == ".csv" else _write_xlsx
    try:
        write(part, wanted, rows)
        part.replace(path)
    except OSError as error:
        raise CannotExport(f"{path} cannot be written: {error.strerror}. Name another place.") from None
    finally:
        part.unlink(missing_ok=True)
    return rows.count


def own_data(
    session: Session, contact_id: int, *, only_lists: Collection[int] | None = None
) -> dict[str, Any]:
    """Everything that these tables hold about a contact, as a plain tree.

    Args:
        session: an open session.
        contact_id: who.
        only_lists: leave out what is about other lists; None: everything, as a resident may ask for.

    Raises:
        LookupError: there is no such contact.
    """
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise LookupError(f"There is no contact {contact_id}.")
    endpoints = _endpoints(session, contact_id)
    on_lists = _lists_of(session, contact_id, only_lists)
    return {
        "contact": contact_id,
        "name": contact.name,
        "language": contact.language,
        "area": contact.area,
        "groups": [name for name in contact.groups.split("|") if name],
        "since": contact.created_at,
        "changed": contact.updated_at,
        "addresses": [_endpoint(each) for each in endpoints],
        "lists": [
            {"list": each.name, "kind": each.kind, "titles": each.titles, "id": each.id} for each in on_lists
        ],
        "consent": [_event(*row) for row in _events(session, endpoints, only_lists)],
    }


def _endpoints(session: Session, contact_id: int) -> list[Endpoint]:
    query = select(Endpoint).where(
        col(Endpoint.contact_id) == contact_id, col(Endpoint.state) != EndpointState.ERASED
    )
    return list(session.execute(query.order_by(col(Endpoint.id))).scalars())


def _lists_of(session: Session, contact_id: int, only: Collection[int] | None) -> list[ContactList]:
    query = (
        select(ContactList)
        .join(Membership, col(Membership.list_id) == col(ContactList.id))
        .where(col(Membership.contact_id) == contact_id, col(ContactList.kind) != ListKind.REMOVED)
    )
    if only is not None:
        query = query.where(col(ContactList.id).in_(only))
    return list(session.execute(query.order_by(col(ContactList.name))).scalars())


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint": endpoint.id,
        "channel": endpoint.channel,
        "address": endpoint.address,
        "works": endpoint.state == EndpointState.USABLE,
        "why_not": endpoint.state_reason,
        "opted_out_of_everything": endpoint.opted_out,
        "held": endpoint.held,
        "since": endpoint.created_at,
    }


def _events(
    session: Session, endpoints: Sequence[Endpoint], only: Collection[int] | None
) -> list[tuple[ConsentEvent, Endpoint, str]]:
    """What was said about these addresses, in the order in which it was decided, with the list's name."""
    places = {each.id or 0: each for each in endpoints}
    query = (
        select(ConsentEvent, col(ContactList.name))
        .outerjoin(ContactList, col(ContactList.id) == col(ConsentEvent.list_id))
        .where(col(ConsentEvent.endpoint_id).in_(places))
        .order_by(col(ConsentEvent.at), col(ConsentEvent.id))
    )
    if only is not None:
        query = query.where(col(ConsentEvent.list_id).is_(None) | col(ConsentEvent.list_id).in_(only))
    return [(event, places[event.endpoint_id], name or "") for event, name in session.execute(query)]


def _event(event: ConsentEvent, endpoint: Endpoint, list_name: str) -> dict[str, Any]:
    return {
        "at": event.at,
        "recorded_at": event.recorded_at,
        "channel": endpoint.channel,
        "address": endpoint.address,
        "list": list_name or None,
        "list_id": event.list_id,
        "decision": event.decision,
        "basis": event.basis,
        "method": event.method,
        "wording": event.wording,
        "wording_language": event.wording_language,
        "reference": event.reference,
        "actor": event.actor,
        "ip": event.ip,
    }


@dataclass(slots=True)
class _Reach:
    """What a row says about one contact's addresses."""

    addresses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    agreed: dict[str, datetime] = field(default_factory=dict)  # by channel
    opted_out: list[str] = field(default_factory=list)

    def add(self, found: Row[Any]) -> None:
        """One endpoint, with its subscription to the list, if it has one."""
        self.addresses[found.channel].append(found.address)
        if found.opted_out or found.active is False:
            self.opted_out.append(found.channel)
        elif found.active:
            self.agreed[found.channel] = max(found.at, self.agreed.get(found.channel, found.at))


class _Rows:
    """The rows of a list, read in chunks; counts them."""

    def __init__(
        self,
        session: Session,
        list_id: int,
        wanted: Sequence[str],
        known: Mapping[str, str],
        where: ColumnElement[bool] | None,
    ) -> None:
        self.count = 0
        self._session = session
        self._list_id = list_id
        self._wanted = wanted
        self._known = known
        self._where = where

    def __iter__(self) -> Iterator[list[str]]:
        for chunk in lists.member_chunks(self._session, self._list_id, where=self._where):
            reaches = self._reaches([each.id or 0 for each in chunk])
            for contact in chunk:
                self.count += 1
                cells = self._cells(contact, reaches[contact.id or 0])
                yield [safe_cell(_printable(cell)) for cell in cells]

    def _reaches(self, contact_ids: Sequence[int]) -> dict[int, _Reach]:
        on_list = (col(Subscription.endpoint_id) == col(Endpoint.id)) & (
            col(Subscription.list_id) == self._list_id
        )
        query = (
            select(
                col(Endpoint.contact_id), col(Endpoint.channel), col(Endpoint.address),
                col(Endpoint.opted_out), col(Subscription.active), col(ConsentEvent.at),
            )
            .outerjoin(Subscription, on_list)
            .outerjoin(ConsentEvent, col(ConsentEvent.id) == col(Subscription.event_id))
            .where(col(Endpoint.contact_id).in_(contact_ids), col(Endpoint.state) != EndpointState.ERASED)
            .order_by(col(Endpoint.id))
        )  # fmt: skip
        found: dict[int, _Reach] = defaultdict(_Reach)
        for row in self._session.execute(query):
            found[row.contact_id].add(row)
        return found

    def _cells(self, contact: Contact, reach: _Reach) -> Iterator[str]:
        plain = {
            "contact": str(contact.id),
            "name": contact.name,
            "language": contact.language,
            "area": contact.area,
            "groups": ", ".join(name for name in contact.groups.split("|") if name),
            "consent": ",".join(reach.agreed),
            "consent_date": max(reach.agreed.values()).date().isoformat() if reach.agreed else "",
            "opted_out": ",".join(dict.fromkeys(reach.opted_out)),
        }
        for name in self._wanted:
            channel = self._known[name]
            yield "; ".join(reach.addresses[channel]) if channel else plain[name]


def _check(path: Path, wanted: Sequence[str], known: Collection[str]) -> None:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise CannotExport(f"There is no column {unknown[0]!r}. The columns: {', '.join(known)}.")
    if not wanted:
        raise CannotExport(f"Name at least one column of {', '.join(known)}.")
    if path.suffix.lower() not in FORMATS:
        raise CannotExport(f"{path.name} is neither .csv nor .xlsx. Name the file so.")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """UTF-8 with its mark, so that spreadsheets read every script."""
    with os.fdopen(_open_private(path), "w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def _write_xlsx(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Row by row: openpyxl keeps none of them in write-only mode."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("list")
    sheet.freeze_panes = "A2"
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    with os.fdopen(_open_private(path), "wb") as stream:
        book.save(stream)


def _open_private(path: Path) -> int:
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _printable(text: str) -> str:
    """Without the control characters that no spreadsheet file can hold; line ends stay."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
