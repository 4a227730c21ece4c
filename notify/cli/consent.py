"""`notify consent show | record`: the proof of consent, and paper forms."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import typer

from channels.contract import AddressKind
from contacts import lists
from contacts.languages import language_tag
from contacts.models import Endpoint, EndpointState
from contacts.values import BadValue
from notify import consents
from notify.cli.acting import hub, keeper
from notify.cli.output import AS, JSON, YES, Refused, confirm, good, put_json, say
from notify.consents import ConsentError, Known, Paper
from notify.hub import address_kinds

consent_app = typer.Typer(no_args_is_help=True, help="Who said yes or no to what, and the proof of it.")

_TARGET = typer.Argument(
    metavar="ADDRESS|CONTACT", help="A phone number, mailbox or chat; or a contact's number."
)
_WHERE = "Where the form is kept, like 'binder 4, form 212'."
_CHANNEL = typer.Option(None, "--channel", metavar="NAME", help="Only its addresses on this channel.")


@consent_app.command("show")
def consent_show(
    target: str = _TARGET, channel: str | None = _CHANNEL, as_: str | None = AS, as_json: bool = JSON
) -> None:
    """Why the city may write to an address, or may not: the words, when, how, and all that was said before.

    An address that was erased is found too: its proof stays, as a keyed hash. Every look is in the audit trail.
    """
    with hub().database.session() as session:
        who = keeper(session, as_)
        trees = consents.proof(session, who, consents.find(session, who, _known(), target, channel))
        session.commit()
    if as_json:
        return put_json(trees)
    for tree in trees:
        _tell(tree)
    return None


@consent_app.command("record")
def consent_record(
    target: str = _TARGET,
    agreed: bool | None = typer.Option(None, "--agreed/--refused", help="What the form says."),
    reference: str = typer.Option(..., "--reference", metavar="WHERE", help=_WHERE),
    list_: str | None = typer.Option(None, "--list", metavar="NAME", help="Left out: everything, for a no only."),
    wording: str = typer.Option("", "--wording", metavar="WORDS", help="The words on the form: a yes needs them."),
    language: str = typer.Option("", "--language", help="Of these words, like es."),
    on: datetime | None = typer.Option(None, "--on", formats=["%Y-%m-%d"], help="The form's date; today if left out."),
    channel: str | None = _CHANNEL,
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Enter a paper form: a yes to one list, or a no to one or to everything.

    What is recorded stays on record; a later word is recorded beside it. A sheet of many signatures is quicker
    as a spreadsheet: notify contacts import
    """
    if agreed is None:
        raise Refused("Say what the form says: --agreed or --refused")
    here = hub()
    with here.database.session() as session:
        who = keeper(session, as_)
        endpoint = _one(consents.find(session, who, _known(), target, channel))
        listed = lists.by_name(session, list_) if list_ else None
        paper = Paper(agreed, listed, reference.strip(), wording.strip(), _language(language), _day(on))
        if not as_json:
            _preview(endpoint, paper)
            confirm("Enter this?", yes=yes)
        is_shared = address_kinds().get(endpoint.channel) is not AddressKind.POSTAL
        event = consents.record_paper(
            session, who, endpoint, paper,
            timezone=here.settings.city.timezone, shared=is_shared, key=here.settings.key(),
        )  # fmt: skip
        number, standing = event.id, consents.proof(session, who, [endpoint])[0]["standing"]
        session.commit()
    if as_json:
        return put_json({"event": number, "endpoint": endpoint.id, "standing": standing})
    return good(f"Event {number} is on record.")


def _known() -> Known:
    settings = hub().settings
    return Known(address_kinds(), settings.city.country, settings.key())


def _one(endpoints: list[Endpoint]) -> Endpoint:
    """The one address that a form is about."""
    if len(endpoints) == 1:
        return endpoints[0]
    channels = ", ".join(sorted({each.channel for each in endpoints}))
    raise ConsentError(
        f"{len(endpoints)} addresses fit (on {channels}). A form is about one: write the address itself, or "
        "a contact's number with --channel NAME. One person twice? notify contacts merge"
    )


def _language(written: str) -> str:
    try:
        return language_tag(written) if written else ""
    except BadValue:
        raise Refused(f"{written!r} is no language. Write it like es, or Spanish.") from None


def _day(on: datetime | None) -> date | None:
    return on.date() if on else None


def _preview(endpoint: Endpoint, paper: Paper) -> None:
    said = "agreed to" if paper.agreed else "refused"
    what = paper.listed.name if paper.listed else "everything"
    say(f"Contact {endpoint.contact_id}, {endpoint.channel} {endpoint.address}: {said} {what}.")
    say(f"  words: {paper.wording or '(none)'}", f"  form: {paper.reference}")


def _tell(tree: dict[str, Any]) -> None:
    state = "" if tree["state"] == EndpointState.USABLE else tree["state"]
    marks = [state, "opted out" if tree["opted_out"] else "", tree["held"]]
    about = " · ".join(filter(None, marks))
    address = tree["address"] or "(erased)"
    say(f"Contact {tree['contact']}, {tree['channel']} {address}{f' ({about})' if about else ''}", "")
    say("What stands:")
    for each in tree["standing"]:
        may = "may write" if each["allowed"] else "may not write"
        say(f"  {each['list_name'] or 'everything'}: {may}", f"    {_said(each)}")
    say("", "All that was said:")
    for each in tree["history"]:
        decision = "yes" if each["decision"] else "no"
        say(f"  {decision} to {each['list'] or 'everything'} (event {each['event']})", f"    {_said(each)}")
    say("")


def _said(each: dict[str, Any]) -> str:
    """When, how, in which words, by whom, and where the proof is."""
    words = f"“{each['wording']}”" if each["wording"] else "no words on record"
    language = f" ({each['wording_language']})" if each["wording_language"] else ""
    parts = [f"{each['at']:%Y-%m-%d %H:%M}", each["method"], words + language]
    named = {"by": each["actor"], "reference": each["reference"], "from": each.get("ip", "")}
    return ", ".join(parts + [f"{name} {value}" for name, value in named.items() if value])
