"""`notify languages`: the packages that let a machine draft translations, and who translates what."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from notify import audit
from notify.cli.acting import hub
from notify.cli.output import JSON, YES, Refused, confirm, console, errors, fail, good, put_json, say, table
from notify.translation.argos import ArgosEngine
from notify.translation.argos_install import install, installed, origin, remove, size_on_disk
from notify.translation.argos_package import Package
from notify.translation.engine import Engine, EngineError, closest_pair
from templates import language_name

if TYPE_CHECKING:
    from notify.translation.catalogue import Catalogue, Offer

languages_app = typer.Typer(
    no_args_is_help=True,
    help="The machine that drafts translations: its packages, and the languages that need people. "
    "Only these commands use the network; translating never does.",
)
_INDEX = typer.Option(
    None, "--index", metavar="URL|FOLDER", help="Look there, not where NOTIFY_TRANSLATION__INDEX says."
)


@languages_app.command("list")
def list_languages(
    available: bool = typer.Option(
        False, "--available", help="Also what could be installed (asks the index)."
    ),
    index: str | None = _INDEX,
    as_json: bool = JSON,
) -> None:
    """The installed packages, and for each of the city's languages whether a machine drafts or people translate."""
    ways = {language: _way(language) for language in _others()}
    packages = [_package(each, ways) for each in installed(_directory())]
    offered = [_offered(each) for each in _catalogue(index).newest()] if available else None
    if as_json:
        found: dict[str, Any] = {"packages": packages, "languages": list(ways.values())}
        return put_json(found if offered is None else {**found, "available": offered})
    _show_packages(packages)
    _show_ways(list(ways.values()))
    if offered is not None:
        _show_offered(offered)
    return None


def _directory() -> Path:
    return hub().settings.models


def _source() -> str:
    return hub().settings.city.languages[0]


def _others() -> list[str]:
    return hub().settings.city.languages[1:]


def _way(language: str) -> dict[str, Any]:
    """How a language of the city comes about: by which engine and packages, or by people."""
    source = _source()
    engine = _engine_for(source, language)
    packages = engine.packages(source, language) if isinstance(engine, ArgosEngine) else []
    return {
        "language": language,
        "name": language_name(language, "en"),
        "from": source,
        "engine": engine.name if engine else None,
        "local": engine.local if engine else None,
        "described": engine.describe(source, language) if engine else None,
        "packages": [each.label for each in packages],
    }


def _engine_for(source: str, target: str) -> Engine | None:
    for engine in hub().translator.engines:
        if closest_pair(engine.pairs(), source, target):
            return engine
    return None


def _package(package: Package, ways: dict[str, dict[str, Any]]) -> dict[str, Any]:
    noted = origin(package)
    return {
        "from": package.source,
        "to": package.target,
        "version": package.version,
        "bytes": size_on_disk(package),
        "place": noted.place,
        "sha256": noted.sha256,
        "installed_at": noted.at,
        "used_for": [language for language, way in ways.items() if package.label in way["packages"]],
    }


def _offered(offer: Offer) -> dict[str, Any]:
    here = {each.pair: each.version for each in installed(_directory())[::-1]}
    return {
        "from": offer.source,
        "to": offer.target,
        "version": offer.version,
        "bytes": offer.size,
        "place": offer.place,
        "installed": here.get(offer.pair),
    }


def _show_packages(packages: Sequence[dict[str, Any]]) -> None:
    if not packages:
        say(
            f"No package is installed in {_directory()}. Get those for the city: notify languages install --city"
        )
        return
    table(
        "Installed packages",
        ["from", "to", "version", "size", "where from", "used for"],
        [
            (
                each["from"],
                each["to"],
                f"v{each['version']}",
                _megabytes(each["bytes"]),
                each["place"] or "not noted",
                ", ".join(each["used_for"]) or "nothing",
            )
            for each in packages
        ],
    )


def _show_ways(ways: Sequence[dict[str, Any]]) -> None:
    table(
        f"The city's languages, from {language_name(_source(), 'en')}",
        ["language", "", "drafted by", "where"],
        [(way["language"], way["name"], way["described"] or "people", _where(way)) for way in ways],
    )
    if by_hand := [way["language"] for way in ways if way["engine"] is None]:
        say(f"People translate: {', '.join(by_hand)}. Is there a package? notify languages list --available")


def _where(way: dict[str, Any]) -> str:
    if way["engine"] is None:
        return ""
    return "on this machine" if way["local"] else "on a server"


def _show_offered(offered: Sequence[dict[str, Any]]) -> None:
    table(
        "Packages that can be installed",
        ["from", "to", "version", "size", "installed"],
        [
            (
                each["from"],
                each["to"],
                f"v{each['version']}",
                _megabytes(each["bytes"]),
                f"v{each['installed']}" if each["installed"] else "",
            )
            for each in offered
        ],
    )


def _megabytes(size: int | None) -> str:
    return f"{size / 1e6:.1f} MB" if size else "unknown"


@languages_app.command("install")
def install_packages(
    what: list[str] = typer.Argument(
        None,
        metavar="FROM TO | FILE | FOLDER",
        help="Two languages; or an .argosmodel file, or a folder of them.",
    ),
    city: bool = typer.Option(
        False, "--city", help="Whatever drafts the city's languages from its first one."
    ),
    index: str | None = _INDEX,
    yes: bool = YES,
    as_json: bool = JSON,
) -> None:
    """Install packages: notify languages install en es

    Each is checked first: that nothing in it is broken or harmful, that it loads, and that what it writes is in its
    language. On a machine without internet: notify languages install /media/usb
    """
    offers, problems = _wanted(what or [], city=city, index=index)
    _announce(offers, quiet=as_json)
    if offers:
        confirm("Install?", yes=yes or as_json)
    done: list[Package] = []
    for offer in offers:
        try:
            done.append(_install(offer, quiet=as_json))
        except EngineError as error:
            problems.append(str(error))
    if as_json:
        put_json({"installed": [_package(each, {}) for each in done], "problems": problems})
    _end(problems)


def _wanted(what: Sequence[str], *, city: bool, index: str | None) -> tuple[list[Offer], list[str]]:
    """What is to be installed, and why something will not be."""
    from notify.translation import catalogue

    if city and not what:
        return _for_city(_catalogue(index))
    if len(what) == 2 and not city:
        return _catalogue(index).find(what[0], what[1]), []
    if len(what) == 1 and not city:
        if not Path(what[0]).expanduser().exists():
            raise Refused(
                f"There is no file or folder {what[0]}. For two languages: notify languages install en es"
            )
        found = catalogue.read(what[0])
        return found.newest(), list(found.passed_over)
    raise Refused("Say what to install: two languages, a file, a folder, or --city.")


def _catalogue(index: str | None) -> Catalogue:
    from notify.translation import catalogue

    place = index or hub().settings.translation.index
    with console.status(f"Looking at {place} …"):
        return catalogue.read(place)


def _for_city(found: Catalogue) -> tuple[list[Offer], list[str]]:
    """What the city's languages need and does not work yet; what has no package is said, and no failure."""
    wanted: dict[tuple[str, str], Offer] = {}
    for language in _others():
        try:
            wanted.update({each.pair: each for each in found.find(_source(), language)})
        except EngineError:
            errors.print(f"No package for {language}: people translate it.", markup=False)
    return [offer for offer in wanted.values() if not _is_here(offer)], []


def _is_here(offer: Offer) -> bool:
    from notify.translation.argos_trial import try_out

    return any(
        package.pair == offer.pair and package.version == offer.version and not try_out(package).problem
        for package in installed(_directory())
    )


def _announce(offers: list[Offer], *, quiet: bool) -> None:
    from notify.translation.catalogue import sized

    if quiet:
        return
    if not offers:
        say("There is nothing to install.")
        return
    with console.status("Asking for sizes …"):
        offers[:] = [sized(offer) for offer in offers]
    rows = [
        (each.source, each.target, f"v{each.version}", _megabytes(each.size), each.place) for each in offers
    ]
    table("To be installed", ["from", "to", "version", "size", "where from"], rows)
    known = sum(offer.size or 0 for offer in offers)
    unknown = sum(offer.size is None for offer in offers)
    more = f", and {unknown} of unknown size" if unknown else ""
    say(f"{_megabytes(known)}{more} in all.")


def _install(offer: Offer, *, quiet: bool) -> Package:
    """Get a package, check it, put it in place, and record it."""
    from notify.translation import catalogue

    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".download-") as scratch:
        with _bar(offer, quiet=quiet) as tell:
            archive = catalogue.fetch(offer, Path(scratch), tell)
        with console.status(f"Checking {offer.source} to {offer.target} …"):
            package = install(archive, directory, offer.sha256, pair=offer.pair, place=offer.place)
    _record("languages.install", package, place=offer.place, sha256=origin(package).sha256)
    if not quiet:
        good(f"{package.label} is installed.")
        _say_note(package)
    return package


def _say_note(package: Package) -> None:
    from notify.translation.argos_trial import try_out

    if note := try_out(package).note:
        say(f"  {note}")


@contextmanager
def _bar(offer: Offer, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how much of a package there is."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=quiet or offer.path is not None) as shown:
        task = shown.add_task(f"{offer.source} to {offer.target}", total=offer.size)
        yield lambda there: shown.update(task, completed=there)


def _record(action: str, package: Package, **detail: str) -> None:
    with hub().database.session() as session:
        who = f"{getuser()} at the command line"
        audit.record(session, who, action, package.label, version=package.version, **detail)
        session.commit()


def _end(problems: Sequence[str]) -> None:
    for problem in problems:
        fail(problem)
    if problems:
        raise typer.Exit(1)


@languages_app.command("remove")
def remove_packages(
    source: str = typer.Argument(metavar="FROM"), target: str = typer.Argument(metavar="TO"), yes: bool = YES
) -> None:
    """Remove a package, all its versions: notify languages remove en es"""
    there = installed(_directory())
    pair = closest_pair((package.pair for package in there), source, target)
    if pair is None:
        listed = ", ".join(" to ".join(package.pair) for package in there) or "none"
        raise Refused(f"No package for {source} to {target} is installed; there are: {listed}.")
    chosen = [package for package in there if package.pair == pair]
    labels = {package.label for package in chosen}
    if losing := [each for each in _others() if labels & set(_way(each)["packages"])]:
        say(f"People will have to translate: {', '.join(losing)}.")
    confirm(f"Remove {', '.join(sorted(labels))}?", yes=yes)
    for package in chosen:
        remove(package)
        _record("languages.remove", package)
        good(f"{package.label} is removed.")


@languages_app.command("verify")
def verify_packages(as_json: bool = JSON) -> None:
    """Load every installed package, let it translate sentences, and look at the language that comes out.

    The exit status is 1 if one of them must not be used.
    """
    found = [*_tried(), *_unreadable()]
    if as_json:
        put_json(found)
    else:
        table(
            "Packages",
            ["package", "works", "what was found"],
            [
                (each["package"], "no" if each["problem"] else "yes", each["problem"] or each["note"])
                for each in found
            ],
        )
    if not found:
        say(f"There are no packages in {_directory()}.")
    if any(each["problem"] for each in found):
        fail("Install these again, or remove them: notify languages install FROM TO")
        raise typer.Exit(1)


def _tried() -> Iterator[dict[str, str]]:
    from notify.translation.argos_trial import try_out

    for package in installed(_directory()):
        with console.status(f"Trying {package.label} …"):
            trial = try_out(package)
        yield {"package": package.label, "problem": trial.problem, "note": trial.note}


def _unreadable() -> Iterator[dict[str, str]]:
    """Folders that say that they are packages, and are not."""
    for name, why in ArgosEngine(_directory()).broken():
        yield {"package": name, "problem": why, "note": ""}
