"""Argos Translate packages as an engine, run on this machine alone.

`argos_package` reads them, `argos_model` runs them, `argos_install` puts them in place. Of Argos Translate itself
only the reader of its packages is used: `argostranslate.translate` and `.sbd` import minisbd (AGPL) and
onnxruntime (whose Linux wheel reports usage).

Nothing here opens a connection, ever.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from channels.contract import Finding, Level
from notify.translation.argos_install import install
from notify.translation.argos_model import Model
from notify.translation.argos_package import Package, PackageRefused, first_line, read_package
from notify.translation.engine import (
    Pair,
    Sentence,
    Unavailable,
    Unsupported,
    check_texts,
    closest_pair,
    in_words,
)

PIVOT = "en"
"""The language that two packages may meet in. Argos has packages from and to English for all its languages."""


class ArgosEngine:
    """Translates with the packages in a directory. Safe to use from several threads.

    A package that another process installs is seen at the next call. Models are loaded when first needed, once
    for each pair, and the one not used for longest is let go.
    """

    name = "argos"
    local = True

    def __init__(self, directory: Path, workers: int = 1, beam: int = 4, loaded: int = 4) -> None:
        """Look at nothing and load nothing yet.

        Args:
            directory: holds one folder for each package; what else is in it is passed over.
            workers: sentences translated at the same time; no more than there are cores.
            beam: translations weighed for each word; 1 is three to four times faster than 4, and rougher.
            loaded: pairs kept in memory, about 200 MB each while busy.
        """
        self.directory = directory
        self._shelf = _Shelf(directory)
        self._models = _Models(loaded, lambda package: Model(package, workers, beam))

    def pairs(self) -> set[Pair]:
        """Every pair it can translate, those through English included."""
        direct = set(self._shelf.packages())
        into = {source for source, target in direct if target == PIVOT}
        out_of = {target for source, target in direct if source == PIVOT}
        return direct | {(source, target) for source in into for target in out_of if source != target}

    def describe(self, source: str, target: str) -> str:
        """The engine and the packages, with their versions, that a pair takes: "argos translate-en_es 1.9".

        Raises:
            Unsupported: no such pair.
        """
        return " ".join((self.name, " + ".join(leg.label for leg in self.packages(source, target))))

    def packages(self, source: str, target: str) -> list[Package]:
        """The packages that a pair goes through, one or two.

        Raises:
            Unsupported: no such pair.
        """
        return [self._shelf.packages()[leg][0] for leg in self._route(source, target)]

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`.

        A sentence through English has the lower of its two scores. A text too long for the model goes through
        it in stretches. No text is lost, added or moved.

        Raises:
            Unavailable: a package that was there cannot be loaded or run.
            Unsupported: no package for the pair, nor two that meet in English.
            Rejected: more than `MAX_CHARACTERS`, or not valid Unicode.
        """
        check_texts(texts)
        route = self._route(source, target)
        via = (*(leg[0] for leg in route), route[-1][1])
        worded = [text for text in texts if text.strip()]
        replies = iter(self._travel(worded, route))
        return [
            Sentence(*next(replies), via) if text.strip() else Sentence(text, None, via) for text in texts
        ]

    def install(self, archive: Path, sha256: str | None = None) -> Package:
        """Put an .argosmodel file's package in place; see `argos_install.install`."""
        package = install(archive, self.directory, sha256)
        self._shelf.forget()
        return package

    def broken(self) -> list[tuple[str, str]]:
        """Folders that hold a package which cannot be read or did not load, and why."""
        return self._shelf.broken()

    def health(self) -> Sequence[Finding]:
        """Which pairs there are, and which folders hold a package that cannot be used."""
        pairs, broken = self.pairs(), self.broken()
        findings = (
            [Finding(Level.OK, self.name, f"Translates {in_words(pairs)}.")]
            if pairs
            else [_no_packages(self.directory)]
        )
        cure = "Install the package again: notify languages install; or remove the folder."
        return [
            *findings,
            *(Finding(Level.WARNING, self.name, f"{name}: {why}", cure) for name, why in broken),
        ]

    def _route(self, source: str, target: str) -> list[Pair]:
        """The pairs to go through, one after the other."""
        pair = closest_pair(self.pairs(), source, target)
        if pair is None:
            raise Unsupported(
                f"No installed Argos package translates {source} to {target}, directly or through English.",
                "Install one, or let a person translate.",
            )
        return [pair] if pair in self._shelf.packages() else [(pair[0], PIVOT), (PIVOT, pair[1])]

    def _travel(self, texts: list[str], route: Iterable[Pair]) -> list[tuple[str, float]]:
        scored = [(text, 0.0) for text in texts]
        for leg in route:
            replies = self._leg(leg, [text for text, _ in scored])
            scored = [
                (text, min(before, now)) for (_, before), (text, now) in zip(scored, replies, strict=True)
            ]
        return scored

    def _leg(self, pair: Pair, texts: Sequence[str]) -> list[tuple[str, float]]:
        try:
            return self._model(pair).translate(texts)
        except RuntimeError as error:  # what CTranslate2 raises
            raise Unavailable(
                f"Translating {pair[0]} to {pair[1]} failed ({first_line(error)}).", "Try again later."
            ) from None

    def _model(self, pair: Pair) -> Model:
        """The newest package of a pair that loads."""
        while candidates := self._shelf.packages().get(pair):
            try:
                return self._models.get(candidates[0])
            except PackageRefused as error:
                self._shelf.set_aside(candidates[0], str(error))
        raise Unavailable(
            f"The package for {pair[0]} to {pair[1]} cannot be loaded.",
            "Install it again; notify doctor says why.",
        )


class _Shelf:
    """The packages in a directory, read again when it changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._packages: dict[Pair, list[Package]] = {}
        self._refused: dict[str, str] = {}  # folder: why
        self._aside: dict[Package, str] = {}  # read well, but did not load

    def packages(self) -> dict[Pair, list[Package]]:
        """By pair, the newest first; none that is known not to load."""
        with self._lock:
            self._refresh()
            return self._packages

    def broken(self) -> list[tuple[str, str]]:
        """Folders that hold a package which cannot be used, and why."""
        with self._lock:
            self._refresh()
            aside = {package.path.name: why for package, why in self._aside.items()}
            return sorted({**self._refused, **aside}.items())

    def set_aside(self, package: Package, why: str) -> None:
        """Use this package no more until it is installed again."""
        with self._lock:
            self._aside[package] = why
            self._read_at = None

    def forget(self) -> None:
        """Read everything again at the next call."""
        with self._lock:
            self._read_at = None

    def _refresh(self) -> None:
        changed = self._directory.stat().st_mtime_ns if self._directory.is_dir() else 0
        if changed == self._read_at:
            return
        found = [package for folder in self._folders() if (package := self._read(folder))]
        self._aside = {package: why for package, why in self._aside.items() if package in found}
        pairs: dict[Pair, list[Package]] = {}
        for package in sorted(found, key=lambda package: package.rank, reverse=True):
            if package not in self._aside:
                pairs.setdefault(package.pair, []).append(package)
        self._packages, self._read_at = pairs, changed

    def _folders(self) -> list[Path]:
        """Folders that say they are packages; lost+found and the like do not."""
        self._refused = {}
        return sorted(path.parent for path in self._directory.glob("[!.]*/metadata.json"))

    def _read(self, folder: Path) -> Package | None:
        try:
            return read_package(folder)
        except PackageRefused as error:
            self._refused[folder.name] = str(error)
            return None


def _no_packages(directory: Path) -> Finding:
    return Finding(
        Level.WARNING,
        ArgosEngine.name,
        f"There are no Argos packages in {directory}, so nothing is translated by machine.",
        "Install them: notify languages install --city; or have people translate.",
    )


@dataclass(slots=True)
class _Slot:
    """A place for one model; its lock is held while the model loads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    model: Model | None = None


class _Models:
    """The models used last."""

    def __init__(self, most: int, load: Callable[[Package], Model]) -> None:
        self._most, self._load = max(most, 1), load
        self._lock = threading.Lock()
        self._slots: OrderedDict[Package, _Slot] = OrderedDict()

    def get(self, package: Package) -> Model:
        """The package's model, loaded once however many threads ask.

        Raises:
            PackageRefused: it does not load.
        """
        slot = self._slot(package)
        with slot.lock:
            if slot.model is None:
                slot.model = self._load(package)
            return slot.model

    def _slot(self, package: Package) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(package, _Slot())
            self._slots.move_to_end(package)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
            return slot
