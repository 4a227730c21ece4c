"""`notify segment`: who is meant, as a filter with a name; counted and told without a single name."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import typer
from sqlmodel import Session

from contacts import filters, lists, segments
from contacts.models import Segment
from contacts.segments import Counts
from notify import audit, liaisons, staff
from notify.cli.acting import actor, hub
from notify.cli.output import AS, JSON, YES, Refused, confirm, good, put_json, say, table
from notify.hub import address_kinds
from notify.staff import Deed, StaffError
from templates import language_name

segment_app = typer.Typer(
    no_args_is_help=True,
    help="Segments: filters over contacts that have a name, to count and to write to. They hold nobody: who is "
    "meant is asked anew each time, and consent is always asked beside it.",
)
FILTER = typer.Argument(metavar="FILTER", help="In quotes; see below.")
EXCEPT = typer.Option(None, "--except", metavar="LIST", help="Leave out the people on this list. Repeat.")
# Typer joins single lines; \b keeps a paragraph as it is.
EPILOG = "\b\n" + filters.HELP.replace("\n\n", "\n\n\b\n")


@segment_app.command("add", epilog=EPILOG)
def segment_add(
    name: str = typer.Argument(help="What staff call it: 'Spanish, north'."),
    expression: str = FILTER,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Save a filter under a name.

    Example: notify segment add "Spanish, north" 'language = es and area = "North End"'
    """
    with hub().database.session() as session:
        who = _actor(session, as_)
        kept = segments.add(session, name, expression, actor=who, channels=address_kinds())
        audit.record(session, who, "segment.add", f"segment {kept.id}", filter=kept.expression)
        session.commit()
        tree = _plain(session, kept)
    return _tell_saved(tree, as_json)


@segment_app.command("edit", epilog=EPILOG)
def segment_edit(
    name: str,
    expression: str | None = typer.Argument(None, metavar="[FILTER]", help="The new filter, in quotes."),
    rename: str | None = typer.Option(None, "--name", help="What staff call it from now on."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Change a segment. Dispatches that were planned keep the filter as it was; timetables take the new one."""
    if expression is None and rename is None:
        raise Refused("Say what to change: a new filter, or --name.")
    with hub().database.session() as session:
        who = _actor(session, as_)
        found = segments.find(session, name)
        segments.edit(session, found, name=rename, expression=expression, channels=address_kinds())
        audit.record(session, who, "segment.edit", f"segment {found.id}", filter=found.expression)
        session.commit()
        tree = _plain(session, found)
    return _tell_saved(tree, as_json)


@segment_app.command("remove")
def segment_remove(name: str, as_: str | None = AS, yes: bool = YES) -> None:
    """Take a segment away. Nobody's consent changes, and planned dispatches keep their filter."""
    with hub().database.session() as session:
        who = _actor(session, as_)
        found = segments.find(session, name)
        confirm(f"Remove the segment {found.name!r}?", yes=yes)
        audit.record(session, who, "segment.remove", f"segment {found.id}", filter=found.expression)
        segments.remove(session, found)
        session.commit()
    good(f"The segment {found.name!r} is removed.")


@segment_app.command("list")
def segment_list(as_json: bool = JSON) -> None:
    """Every segment, with its filter."""
    with hub().database.reading() as session:
        found = [_plain(session, each) for each in segments.every(session)]
    if as_json:
        return put_json(found)
    table("Segments", ["segment", "filter"], [(each["name"], each["filter"]) for each in found])
    return None


@segment_app.command("show")
def segment_show(
    name: str, except_: list[str] | None = EXCEPT, as_: str | None = AS, as_json: bool = JSON
) -> None:
    """A segment: its filter, whom it means in plain words, and how many they are now."""
    with hub().database.reading() as session:
        found = segments.find(session, name)
        _require_own_lists(session, as_, found.expression, except_)
        tree = _plain(session, found)
        counts = _count(session, found.expression, except_)
    if as_json:
        return put_json(tree | dataclasses.asdict(counts))
    say(tree["name"], f"  {tree['filter']}", tree["means"], *tree["doubts"])
    return _tell_counts(counts)


@segment_app.command("count", epilog=EPILOG)
def segment_count(
    what: str = typer.Argument(metavar="NAME|FILTER", help="A segment's name, or a filter in quotes."),
    except_: list[str] | None = EXCEPT,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """How many people are meant now, by channel and language. Saves nothing and shows no names."""
    with hub().database.reading() as session:
        expression = _expression(session, what)
        _require_own_lists(session, as_, expression, except_)
        counts, doubts = _count(session, expression, except_), segments.doubts(session, expression)
    if as_json:
        return put_json(dataclasses.asdict(counts) | {"doubts": doubts})
    say(*doubts)
    return _tell_counts(counts)


@segment_app.command("explain", epilog=EPILOG)
def segment_explain(
    what: str = typer.Argument(metavar="NAME|FILTER", help="A segment's name, or a filter in quotes."),
    as_json: bool = JSON,
) -> None:
    """Whom a segment or a filter means, in plain words."""
    with hub().database.reading() as session:
        expression = _expression(session, what)
        means, doubts = segments.explain(session, expression), segments.doubts(session, expression)
    if as_json:
        return put_json({"means": means, "doubts": doubts})
    say(means, *doubts)
    return None


def _actor(session: Session, as_: str | None) -> str:
    """Those who send keep segments, and so do those who keep lists."""
    try:
        return actor(session, as_, Deed.DISPATCH)
    except StaffError:
        return actor(session, as_, Deed.KEEP_LISTS)


def _require_own_lists(session: Session, as_: str | None, expression: str, except_: list[str] | None) -> None:
    """Let who only keeps lists count with no others': a count of one says who is on them.

    Raises:
        StaffError: the filter names a list that is not theirs.
    """
    named = as_ or os.environ.get("NOTIFY_AS")
    person = staff.find(session, named) if named else None
    if person is None:
        return
    left_out = {lists.by_name(session, name).id or 0 for name in except_ or []}
    liaisons.require_counting(session, person, segments.lists_named(session, expression) | left_out)


def _expression(session: Session, what: str) -> str:
    """The filter of the segment of this name, or the filter that this is."""
    named = {each.name.casefold(): each.expression for each in segments.every(session)}
    found = named.get(" ".join(what.split()).casefold())
    if found is None and not set(what) & set("=!") and not filters.has_date(what):
        segments.find(session, what)  # says which there are
    return found or what


def _count(session: Session, expression: str, except_: list[str] | None) -> Counts:
    excluded = [lists.by_name(session, name).id or 0 for name in except_ or []]
    return segments.count(session, expression, excluded=excluded)


def _plain(session: Session, segment: Segment) -> dict[str, Any]:
    return {
        "segment": segment.id,
        "name": segment.name,
        "filter": segments.written(session, segment.expression),
        "means": segments.explain(session, segment.expression),
        "doubts": segments.doubts(session, segment.expression),
        "created_by": segment.created_by,
        "created_at": segment.created_at,
        "updated_at": segment.updated_at,
    }


def _tell_saved(tree: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return put_json(tree)
    good(f"The segment {tree['name']!r} is saved.")
    say(tree["means"], *tree["doubts"], f"Next: notify segment count {tree['name']!r}")
    return None


def _tell_counts(counts: Counts) -> None:
    if counts.rows:
        table(
            "Can be written to now",
            ["channel", "language", "people"],
            [(each.channel, language_name(each.language, "en"), each.people) for each in counts.rows],
        )
    say(f"{counts.meant:,} contacts are meant; {counts.reached:,} of them can be written to.")
    if counts.meant > counts.reached:
        say("The others have said no, or not yes, or have no address that works, or are left out.")
