"""Every table there is, so that migrations see them all."""

from __future__ import annotations

from contacts import models as contacts
from notify import apikeys, audit, inbound, liaisons, playbooks, staff, statements, timetables
from notify.dispatch import models as dispatch
from notify.translation import models as translation

ALL = (
    contacts,
    apikeys,
    audit,
    inbound,
    liaisons,
    playbooks,
    staff,
    statements,
    timetables,
    dispatch,
    translation,
)
