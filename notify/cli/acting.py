"""Who is acting, and with which hub."""

from __future__ import annotations

import os
import sys
from functools import cache
from getpass import getpass, getuser
from pathlib import Path

from sqlmodel import Session

from notify.cli.output import Refused
from notify.hub import Hub
from notify.residents import Keeper
from notify.staff import Deed, Staff, allowed, check_password, only_one_who_may


@cache
def hub() -> Hub:
    """The hub that the settings in force describe."""
    return Hub.open()


def acting(session: Session, email: str | None, deed: Deed) -> Staff:
    """The person at the keyboard: `--as`, then NOTIFY_AS, then the only one whose job it is.

    Raises:
        StaffError: nobody, several, or not allowed.
    """
    named = email or os.environ.get("NOTIFY_AS")
    return allowed(session, named, deed) if named else only_one_who_may(session, deed)


def actor(session: Session, email: str | None, deed: Deed) -> str:
    """The name for the audit trail where any person with access to this machine may act.

    Raises:
        StaffError: somebody was named who is not on the staff, or not allowed.
    """
    if named := email or os.environ.get("NOTIFY_AS"):
        return allowed(session, named, deed).email
    return f"{getuser()} at the command line"


def keeper(session: Session, email: str | None) -> Keeper:
    """Who is at work on contacts and lists: somebody of the staff, or whoever has this machine.

    Raises:
        StaffError: somebody was named who is not on the staff, or keeps no lists.
    """
    if named := email or os.environ.get("NOTIFY_AS"):
        person = allowed(session, named, Deed.KEEP_LISTS)
        return Keeper(person.email, person)
    return Keeper(f"{getuser()} at the command line")


def ask_again(person: Staff) -> None:
    """Ask for the password of somebody who has one, before something irreversible.

    Raises:
        StaffError: it does not match.
        Refused: there is nobody to ask.
    """
    if not person.password_hash:
        return
    password = os.environ.get("NOTIFY_PASSWORD")
    if password is None:
        if not sys.stdin.isatty():
            raise Refused(
                f"{person.email} has a password. Give it in NOTIFY_PASSWORD, or run this in a terminal."
            )
        password = getpass(f"Password of {person.email}: ")
    check_password(person, password)


def read_text(path: Path) -> str:
    """A text file, or standard input for `-`.

    Raises:
        Refused: it cannot be read, is no UTF-8, or is far too long.
    """
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}. Check the name.") from None
    if len(raw) > 1_000_000:
        raise Refused(f"{path} has {len(raw):,} bytes; a statement has at most 20,000 characters.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
