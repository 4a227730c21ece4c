"""`notify inbox list | show | resolve`: what residents wrote that a person has to read."""

from __future__ import annotations

from dataclasses import asdict

import typer

from notify import inbox
from notify.cli.acting import acting, hub, keeper
from notify.cli.output import AS, JSON, good, put_json, say, table
from notify.inbox import Letter
from notify.residents import Keeper
from notify.staff import Deed

inbox_app = typer.Typer(
    no_args_is_help=True,
    help="What residents wrote. What may be a refusal comes first: nothing is sent there until you decide.",
)
_SHOWN = 100  # characters of a text in the list


@inbox_app.command("list")
def inbox_list(
    limit: int = typer.Option(50, min=1, max=10_000, help="At most so many."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """What waits for a person: holds first, then the oldest first. You see what people on your lists wrote."""
    with hub().database.session() as session:
        found = inbox.waiting(session, keeper(session, as_), limit=limit)
        session.commit()
    if as_json:
        return put_json([_tree(each) for each in found])
    table(
        "What residents wrote",
        ["message", "when", "", "channel", "contact", "language", "text"],
        [
            (each.number, f"{each.at:%Y-%m-%d %H:%M}", "held" if each.is_held else "", each.channel,
             each.contact_id or "unknown", each.language, _short(each.text))
            for each in found
        ],
    )  # fmt: skip
    if any(each.is_held for each in found):
        say(
            "Held: nothing is sent there until you decide. notify inbox resolve ID --refused | --not-a-refusal"
        )
    return None


@inbox_app.command("show")
def inbox_show(
    number: int = typer.Argument(metavar="ID"), as_: str | None = AS, as_json: bool = JSON
) -> None:
    """One message, whole."""
    with hub().database.session() as session:
        found = inbox.show(session, keeper(session, as_), number)
        session.commit()
    if as_json:
        return put_json(_tree(found))
    whose = f"contact {found.contact_id}" if found.contact_id else "somebody we do not know"
    state = f"resolved by {found.done_by}" if found.done_by else ("held" if found.is_held else "waits")
    say(
        f"Message {found.number}, {found.at:%Y-%m-%d %H:%M}, {found.channel}, {whose}, {state}",
        "",
        found.text,
    )
    return None


@inbox_app.command("resolve")
def inbox_resolve(
    number: int = typer.Argument(metavar="ID"),
    refused: bool | None = typer.Option(
        None,
        "--refused/--not-a-refusal",
        help="Whether they want no more messages. For what is held you have to say.",
    ),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Deal with a message.

    --refused: they get nothing more at this address; their words are the proof, and they get no confirmation,
    because that is allowed within five minutes only. --not-a-refusal: sending goes on. Neither: it is answered,
    or needs nothing.
    """
    with hub().database.session() as session:
        person = acting(session, as_, Deed.KEEP_LISTS)
        found = inbox.resolve(session, Keeper(person.email, person), number, refused=refused)
        session.commit()
    if as_json:
        return put_json(_tree(found))
    said = {True: "is a refusal: nothing more is sent there", False: "is no refusal: sending goes on"}
    return good(f"Message {number} {'is put away' if refused is None else said[refused]}.")


def _tree(letter: Letter) -> dict[str, object]:
    return {**asdict(letter), "held": letter.is_held}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
