"""`notify bounces`: what comes back: bounces, complaints and answers by mail, letters by post."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from channels.incoming import LARGEST, TakesMail, Unreadable
from notify import mailbox
from notify.cli.acting import actor, hub
from notify.cli.output import AS, JSON, MARKS, YES, Refused, confirm, good, put_json, say, table
from notify.dispatch import reputation, returns
from notify.dispatch.returns import Reason, Returned
from notify.inbound import Inbound
from notify.staff import Deed

# What a mail server does with a mail after this command (sysexits.h): try again later, or send it back.
TRY_AGAIN, NOT_READABLE = 75, 65

_MOST_CODES = 100_000

bounces_app = typer.Typer(
    no_args_is_help=True, help="What comes back: bounces, complaints, returned letters."
)


@bounces_app.command("read")
def read(
    pipe: bool = typer.Option(
        False, "--pipe", help="Take one mail from standard input instead, as a mail server hands it over."
    ),
    channel: str = typer.Option(
        "", "--channel", help="The channel that mails are about; only if there are several."
    ),
    as_json: bool = JSON,
) -> None:
    """Read the mailbox once, now. `notify run` does it by itself, every few minutes.

    With --pipe, for the alias that bounces go to, in Postfix's /etc/aliases:

        bounces: "|/opt/notify/bin/notify bounces read --pipe"

    The status then tells the mail server what to do: 0 is taken, 75 try again later (the database is away),
    65 send it back (too large, or built to do harm).
    """
    if pipe:
        raise typer.Exit(_take_from_pipe(channel))
    here = hub()
    reader = mailbox.Reader(here.database, here.settings, here.tokens)
    takes = _channel(channel)
    if takes.mailbox() is None:
        raise Refused(f"{takes.name} has no mailbox: see its README for the settings, or use --pipe.")
    found = reader.read(takes)
    if as_json:
        return put_json(found.to_dict())
    if not (found.taken or found.known or found.unreadable):
        say("Nothing waits in the mailbox.")
    for kind, count in sorted(found.taken.items()):
        good(f"{count} {kind}")
    if found.known:
        say(f"{found.known} had been read before.")
    if found.unreadable:
        say(f"{found.unreadable} could not be read; they are in the folder for a person to look at.")
    return None


@bounces_app.command("list")
def list_(
    everything: bool = typer.Option(False, "--all", help="Also what is dealt with."), as_json: bool = JSON
) -> None:
    """What a person has to look at, and how much is complained about each list.

    A bounce or complaint that proves which message it is about has had its consequences. The others are listed
    here: anybody can write one, so a person decides (`notify bounces decide`).
    """
    here = hub()
    names = [takes.name for takes in mailbox.readers(here.channels)]
    with here.database.reading() as session:
        cases = mailbox.open_cases(session, names, everything=everything)
        rates = reputation.rates(session, names)
    if as_json:
        return put_json({"cases": [_case(case) for case in cases], "lists": [_rate(rate) for rate in rates]})
    if cases:
        table(
            "To look at",
            ["number", "kind", "about", "what it says", "came", "done by"],
            [
                [case.id or 0, case.kind, _about(case), case.text, f"{case.at:%Y-%m-%d %H:%M}", case.done_by]
                for case in cases
            ],
        )
    else:
        say("Nothing to look at.")
    if rates:
        table(
            f"The last {reputation.DAYS} days (aim for complaints under {reputation.AIM:.1%}; "
            f"providers refuse from {reputation.LIMIT:.1%})",
            ["channel", "list", "accepted", "undelivered", "complaints", "share", ""],
            [
                [
                    *(rate.channel, rate.list_name, rate.accepted, rate.undelivered, rate.complaints),
                    f"{rate.share:.3%}",
                    MARKS[rate.level],
                ]
                for rate in rates
            ],
        )
    return None


@bounces_app.command("decide")
def decide(
    numbers: list[int] = typer.Argument(help="As `notify bounces list` shows them."),
    believe: bool = typer.Option(
        ..., "--believe/--ignore", help="Mark the address (or enter the complaint), or leave it as it is."
    ),
    as_: str | None = AS,
    yes: bool = YES,
) -> None:
    """Decide about bounces and complaints that prove nothing by themselves."""
    here = hub()
    confirm(f"{'Believe' if believe else 'Ignore'} {len(numbers)} of them?", yes=yes)
    with here.database.session() as session:
        person = actor(session, as_, Deed.KEEP_LISTS)
        done = [(number, mailbox.decide(session, number, person, believe=believe)) for number in numbers]
        session.commit()
    for number, what in done:
        good(f"{number}: {what}")


@bounces_app.command("returned")
def returned(
    codes: list[str] = typer.Argument(None, help="The codes at the foot of the letters: R1234-82."),
    reason: Reason = typer.Option(..., "--reason", help="What the post wrote on the envelope."),
    file: Path | None = typer.Option(
        None,
        "--from",
        metavar="FILE",
        help="Read codes from a file, one a line; - is the keyboard or a scanner.",
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what each code names, change nothing."),
    as_: str | None = AS,
    yes: bool = YES,
    as_json: bool = JSON,
) -> None:
    """Enter letters that the post brought back.

    moved, unknown: the address is marked, nothing more is sent there. refused: counts as a no to letters.
    deceased: nothing more is sent to that person by any way until somebody has looked; if the letter was for
    several people, none of them gets letters until then.
    """
    here = hub()
    from channels.registry import available

    typed = [*(codes or []), *(_codes_in(file) if file is not None else [])]
    if not typed:
        raise Refused("Name at least one code, or give --from FILE.")
    with here.database.reading() as session:
        found = returns.look_up(session, typed, available())
    good_ones = [each for each in found if not each.problem]
    if not as_json:
        _show(found, reason)
    if dry_run or not good_ones:
        if as_json:
            put_json({"entered": 0, "codes": [_returned(each) for each in found]})
        raise typer.Exit(1 if len(good_ones) < len(found) else 0)
    confirm(f"Enter {len(good_ones)} letters as {reason.value}?", yes=yes or file == Path("-"))
    entered = _enter(typed, reason, as_)
    if as_json:
        put_json({"entered": entered, "codes": [_returned(each) for each in found]})
    else:
        good(f"{entered} entered as {reason.value}.")
    raise typer.Exit(1 if entered < len(found) else 0)


def _enter(codes: list[str], reason: Reason, as_: str | None) -> int:
    """Enter them all, or none; returns how many. They are looked up again, as somebody may have been faster."""
    from channels.registry import available

    here = hub()
    with here.database.session() as session:
        person = actor(session, as_, Deed.KEEP_LISTS)
        found = [each for each in returns.look_up(session, codes, available()) if not each.problem]
        for each in found:
            returns.enter(session, each, reason, person)
        session.commit()
    return len(found)


def _take_from_pipe(name: str) -> int:
    """Take the mail on standard input; the status for the mail server. Never shows what is in it."""
    raw = sys.stdin.buffer.read(LARGEST + 1)
    while sys.stdin.buffer.read(1_000_000):
        pass  # a mail server takes it for a failure when not all of its mail is read
    try:
        here = hub()
        mailbox.Reader(here.database, here.settings, here.tokens).take(_channel(name), raw)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return NOT_READABLE
    except (
        Exception
    ) as error:  # whatever it is, the mail must not get lost, and no trace may show what is in it
        sys.stderr.write(f"This mail cannot be taken now ({type(error).__name__}).\n")
        return TRY_AGAIN
    return 0


def _channel(name: str) -> TakesMail:
    found = {takes.name: takes for takes in mailbox.readers(hub().channels)}
    if name and name not in found:
        raise Refused(
            f"Channel {name} is off, or hears nothing by mail. These do: {', '.join(found) or 'none'}."
        )
    if not name and len(found) != 1:
        shown = ", ".join(found) or "none is on"
        raise Refused(f"Say with --channel which channel the mail is about: {shown}.")
    return found[name] if name else next(iter(found.values()))


def _codes_in(file: Path) -> Iterable[str]:
    """Codes from a file, or as they are typed or scanned until the end (Ctrl-D).

    Raises:
        Refused: the file cannot be read, or holds far too many.
    """
    try:
        text = sys.stdin.read(_MOST_CODES * 40) if str(file) == "-" else file.read_text("utf-8-sig")
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}. Check the name.") from None
    except UnicodeDecodeError:
        raise Refused(f"{file} is not a text file. Save the codes as text, one a line.") from None
    lines = text.replace(",", "\n").replace(";", "\n").splitlines()
    if len(lines) > _MOST_CODES:
        raise Refused(f"{file} has {len(lines):,} lines; at most {_MOST_CODES:,} at a time.")
    return lines


def _show(found: list[Returned], reason: Reason) -> None:
    table(
        f"Returned as {reason.value}",
        ["code", "dispatch", "language", "people", ""],
        [
            [
                each.code[:40],
                f"D{each.delivery.dispatch_id}" if each.delivery else "",
                each.delivery.language if each.delivery else "",
                each.people,
                each.problem,
            ]
            for each in found
        ],
    )


def _returned(each: Returned) -> dict[str, Any]:
    row = each.delivery
    return {
        "code": each.code[:40],
        "delivery": row.id if row else None,
        "dispatch": row.dispatch_id if row else None,
        "people": each.people,
        "problem": each.problem,
    }


def _about(case: Inbound) -> str:
    return f"endpoint {case.endpoint_id}" if case.endpoint_id is not None else "nobody we know"


def _case(case: Inbound) -> dict[str, Any]:
    return {
        "id": case.id,
        "channel": case.channel,
        "kind": case.kind,
        "endpoint": case.endpoint_id,
        "says": case.text,
        "at": case.at.isoformat(),
        "done_by": case.done_by,
    }


def _rate(rate: reputation.Rate) -> dict[str, Any]:
    return {
        "channel": rate.channel,
        "list": rate.list_name,
        "accepted": rate.accepted,
        "undelivered": rate.undelivered,
        "complaints": rate.complaints,
        "share": round(rate.share, 6),
        "level": rate.level.value,
    }
