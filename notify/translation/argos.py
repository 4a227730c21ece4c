"""Argos Translate packages, installed safely and run by CTranslate2 and SentencePiece, on this machine alone.

What of Argos Translate is used is the reader of its packages, `argostranslate.package.Package`: what metadata
means and which tokenizer a package has stays Argos's own word (import: 60 ms, 11 MB). What is not:

- `argostranslate.translate` and `.sbd`: they import minisbd (AGPL) and onnxruntime (whose Linux wheel reports
  usage), fetch a sentence splitter from the network at the first translation, batch by 32 tokens, give no score
  for a sentence, and log every text.
- its `install_from_path`, which unpacks unchecked over what is there, and its `get_installed_packages`, which
  fails on any folder that is no package.
- its tokenizer's way back to text, which makes every `_` a blank.

Nothing here opens a connection, ever.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from channels.contract import Finding, Level
from notify.translation.codes import from_argos
from notify.translation.engine import Pair, Rejected, Sentence, Unavailable, Unsupported, closest_pair

PIVOT = "en"
"""The language that two packages may meet in. Argos has packages from and to English for all its languages."""

MAX_UNPACKED = 1_500_000_000
"""Bytes that an unpacked package may have; the largest in Argos's index have a few hundred million."""

MAX_FILES = 10_000
MAX_CHARACTERS = 100_000
"""What one call takes; a statement has some thousands."""

_MAX_TOKENS = 128  # what a model gets at once: longer sentences are beyond what it was trained on
_MAX_DECODED = 300  # and at most three times what it got: a model that loops is stopped
_BATCH = 16  # sentences; argostranslate's 32 tokens are two to three times slower
_LENGTH_PENALTY = 0.2  # argostranslate's


class PackageRefused(Rejected):
    """An archive or folder is no package that can be used."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package: one language pair, one version."""

    path: Path
    source: str  # BCP 47
    target: str
    version: str
    label: str  # "translate-en_es 1.9": Argos's own name for it
    prefix: str  # a token that every translation begins with, or empty
    stamp: int  # changes when the folder is put in place anew

    @property
    def pair(self) -> Pair:
        """What it translates."""
        return (self.source, self.target)

    @property
    def rank(self) -> tuple[int, ...]:
        """What decides which of two versions is newer."""
        return tuple(int(digits) for digits in re.findall(r"\d+", self.version))


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
        self._models = _Models(loaded, lambda package: _Model(package, workers, beam))

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
        legs = [self._shelf.packages()[leg][0].label for leg in self._route(source, target)]
        return " ".join((self.name, " + ".join(legs)))

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`.

        A sentence through English has the lower of its two scores. A text too long for the model goes through
        it in stretches. No text is lost, added or moved.

        Raises:
            Unavailable: a package that was there cannot be loaded or run.
            Unsupported: no package for the pair, nor two that meet in English.
            Rejected: more than `MAX_CHARACTERS`, or not valid Unicode.
        """
        _check(texts)
        route = self._route(source, target)
        via = (*(leg[0] for leg in route), route[-1][1])
        worded = [text for text in texts if text.strip()]
        replies = iter(self._travel(worded, route))
        return [
            Sentence(*next(replies), via) if text.strip() else Sentence(text, None, via) for text in texts
        ]

    def install(self, archive: Path, sha256: str | None = None) -> Package:
        """Put an .argosmodel file's package in place; see `install`."""
        package = install(archive, self.directory, sha256)
        self._shelf.forget()
        return package

    def health(self) -> Sequence[Finding]:
        """Which pairs there are, and which folders hold a package that cannot be used."""
        pairs, broken = self.pairs(), self._shelf.broken()
        listed = ", ".join(f"{source} to {target}" for source, target in sorted(pairs))
        findings = (
            [Finding(Level.OK, self.name, f"Translates {listed}.")]
            if pairs
            else [_no_packages(self.directory)]
        )
        cure = "Install the package again, or remove the folder."
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
                f"Translating {pair[0]} to {pair[1]} failed ({_first_line(error)}).", "Try again later."
            ) from None

    def _model(self, pair: Pair) -> _Model:
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


def install(archive: Path, directory: Path, sha256: str | None = None) -> Package:
    """Check an .argosmodel file, and only then put its package in place.

    It is unpacked beside its final place, read, loaded and made to translate something. Whatever fails, what was
    installed before stays. Other versions of the pair stay too; the newest one that loads is used.

    Args:
        archive: the file.
        directory: where packages are; made if it is not there.
        sha256: what the file's digest must be, in hexadecimal.

    Raises:
        PackageRefused: the file is not what it should be; says what is wrong with it.
        OSError: the file cannot be read, or the directory not written.
    """
    if sha256 is not None and _digest(archive) != sha256.strip().lower():
        raise _refused(archive, "its SHA-256 digest is not the one expected", "Get the file again.")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as scratch:
        package = read_package(_unpack(archive, Path(scratch) / "unpacked"))
        _Model(package, workers=1, beam=1)
        return _put_in_place(package, directory, Path(scratch) / "replaced")


def read_package(folder: Path) -> Package:
    """Read what a folder says that it is.

    Raises:
        PackageRefused: it is no translation package with a SentencePiece model.
    """
    try:
        meta = _reader()(folder)
        pair = from_argos(meta.from_code), from_argos(meta.to_code)
        version = str(meta.package_version)
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise _refused(folder, f"its metadata cannot be read ({type(error).__name__})") from None
    if meta.type != "translate" or pair[0] == pair[1]:
        raise _refused(folder, "it does not translate from one language to another")
    if not re.fullmatch(r"\w[\w.+-]{0,31}", version, re.ASCII):
        raise _refused(folder, "it has no version")
    if type(getattr(meta, "tokenizer", None)).__name__ != "SentencePieceTokenizer":
        raise _refused(
            folder, "it is an old package without a SentencePiece model", "Get a newer version, 1.9 or so."
        )
    if not (folder / "model" / "model.bin").is_file():
        raise _refused(folder, "there is no CTranslate2 model in it")
    label = f"translate-{meta.from_code}_{meta.to_code} {version}"
    return Package(folder, *pair, version, label, str(meta.target_prefix or ""), folder.stat().st_ino)


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
        "Install .argosmodel packages there, or have people translate.",
    )


_import_lock = threading.Lock()


@cache
def _reader() -> Callable[[Path], Any]:
    """`argostranslate.package.Package`, imported so that nothing of it stays behind.

    The import makes four folders in the home directory and sets a variable of the process, and some ARGOS_
    variables make it fail. So its home is a folder that is gone a moment later.
    """
    with _import_lock, tempfile.TemporaryDirectory() as home, _environment(home):
        from argostranslate.package import Package as ArgosPackage
    return ArgosPackage  # type: ignore[no-any-return]


@contextmanager
def _environment(home: str) -> Iterator[None]:
    homes = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    touched = {
        *homes,
        "KMP_DUPLICATE_LIB_OK",
        *(name for name in os.environ if name.startswith(("ARGOS_", "SNAP"))),
    }
    before = {name: os.environ.pop(name, None) for name in touched}
    os.environ.update(dict.fromkeys(homes, home))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@dataclass(slots=True)
class _Slot:
    """A place for one model; its lock is held while the model loads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    model: _Model | None = None


class _Models:
    """The models used last."""

    def __init__(self, most: int, load: Callable[[Package], _Model]) -> None:
        self._most, self._load = max(most, 1), load
        self._lock = threading.Lock()
        self._slots: OrderedDict[Package, _Slot] = OrderedDict()

    def get(self, package: Package) -> _Model:
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


class _Model:
    """A package in memory, which has translated something: not every broken one fails to load."""

    def __init__(self, package: Package, workers: int, beam: int) -> None:
        import ctranslate2
        import sentencepiece

        self._prefix, self._beam = package.prefix, beam
        try:
            self._translator = ctranslate2.Translator(
                str(package.path / "model"),
                device="cpu",
                compute_type="int8",
                inter_threads=workers,
                intra_threads=1,  # more is slower for sentences
            )
            self._pieces = sentencepiece.SentencePieceProcessor(
                model_file=str(package.path / "sentencepiece.model")
            )
            self.translate(["1 2 3"])
        except Exception as error:  # the libraries raise what their parsers happen to raise
            why = _first_line(error, leaving_out=f"{package.path}/")
            raise _refused(package.path, f"its model does not work ({why})") from None

    def translate(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Translate texts that are not empty.

        Returns:
            Translation and mean log-probability per token, for each.
        """
        stretches = [list(_stretches(self._pieces.encode(text, out_type=str))) for text in texts]
        replies = iter(self._decode([stretch for each in stretches for stretch in each]))
        return [_joined([next(replies) for _ in each]) for each in stretches]

    def _decode(self, batch: list[list[str]]) -> list[tuple[str, float, int]]:
        longest = max(map(len, batch), default=0)
        results = self._translator.translate_batch(
            batch,
            target_prefix=[[self._prefix]] * len(batch) if self._prefix else None,
            beam_size=self._beam,
            length_penalty=_LENGTH_PENALTY,
            replace_unknowns=True,
            return_scores=True,
            max_batch_size=_BATCH,
            max_input_length=0,  # nothing is cut off
            max_decoding_length=min(3 * longest + 20, _MAX_DECODED),
        )
        return [self._read(result) for result in results]

    def _read(self, result: Any) -> tuple[str, float, int]:
        """Text, log-probability and number of tokens, the one that ends a sentence included."""
        tokens = result.hypotheses[0]
        count = len(tokens) + 1
        text = self._pieces.decode([token for token in tokens if token != self._prefix])
        return text.strip(), result.scores[0] * count**_LENGTH_PENALTY, count


def _stretches(tokens: list[str]) -> Iterator[list[str]]:
    """Tokens in runs that a model can take, cut after a mark or else between words, where there are any."""
    while len(tokens) > _MAX_TOKENS:
        words = [at for at in range(_MAX_TOKENS // 2, _MAX_TOKENS + 1) if tokens[at].startswith("\u2581")]
        marks = [at for at in words if tokens[at - 1].endswith((".", "!", "?", ";", ":", ","))]
        end = next(iter(marks[-1:] + words[-1:]), _MAX_TOKENS)
        yield tokens[:end]
        tokens = tokens[end:]
    yield tokens


def _joined(replies: Sequence[tuple[str, float, int]]) -> tuple[str, float]:
    texts, chances, counts = zip(*replies, strict=True)
    return " ".join(texts), sum(chances) / sum(counts)


def _check(texts: Sequence[str]) -> None:
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        raise Rejected(f"{size} characters are too many for one call.", f"Send {MAX_CHARACTERS} at most.")
    for number, text in enumerate(texts, start=1):
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise Rejected(
                f"Text {number} is not valid Unicode.", "Write it again; it was cut inside a character."
            )


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, into: Path) -> Path:
    """Unpack an archive that holds exactly one folder, and return that folder."""
    try:
        with zipfile.ZipFile(archive) as packed:
            folder = _checked(archive, packed.infolist())
            _check_room(archive, packed.infolist(), into.parent)
            packed.extractall(into)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refused(
            archive, f"it is damaged or no package ({_first_line(error)})", "Get the file again."
        ) from None
    return into / folder


def _checked(archive: Path, entries: Sequence[zipfile.ZipInfo]) -> str:
    """The one folder that all entries are in, once nothing in them can do harm."""
    if len(entries) > MAX_FILES:
        raise _refused(archive, f"it has more than {MAX_FILES} files")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise _refused(archive, "two of its files have the same name")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise _refused(archive, "a file in it would land outside its folder")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, "it holds a link or a device, not only files")
    tops = {PurePosixPath(name).parts[:1] for name in names}
    if len(tops) != 1 or tops == {()}:
        raise _refused(archive, "it does not hold exactly one folder")
    return tops.pop()[0]


def _check_room(archive: Path, entries: Iterable[zipfile.ZipInfo], place: Path) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNPACKED:
        raise _refused(archive, f"unpacked it would have {size} bytes, more than the {MAX_UNPACKED} allowed")
    if size > shutil.disk_usage(place).free:
        raise _refused(archive, f"there is no room for its {size} bytes", "Make room on the disk.")


def _put_in_place(package: Package, directory: Path, old: Path) -> Package:
    """Move a checked package to its place; what was there goes, but comes back if that fails."""
    final = directory / re.sub(r"[^\w-]", "_", package.label)
    if final.exists():
        final.rename(old)
    try:
        package.path.rename(final)
    except OSError:
        if old.exists():
            old.rename(final)
        raise
    return read_package(final)


def _refused(what: Path, why: str, cure: str = "Get another one.") -> PackageRefused:
    return PackageRefused(f"{what.name} is refused: {why}.", cure)


def _first_line(error: BaseException, leaving_out: str = "\0") -> str:
    return (str(error).replace(leaving_out, "") or type(error).__name__).splitlines()[0][:120]
