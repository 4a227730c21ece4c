"""Who keeps which list: a liaison sees and changes only the lists given to them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now


class ListKeeper(SQLModel, table=True):
    """A list is in this member of staff's hands."""

    __tablename__ = "list_keeper"

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    staff_id: int = Field(foreign_key="staff.id", primary_key=True)
    given_by: str = ""
    given_at: datetime = Field(default_factory=now, sa_type=Moment)
