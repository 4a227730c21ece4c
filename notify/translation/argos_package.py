"""An unpacked Argos package: what its metadata says, read with Argos's own reader.

What of Argos Translate is used is that reader, `argostranslate.package.Package`: what metadata means and which
tokenizer a package has stays Argos's own word (import: 60 ms, 11 MB).
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from notify.translation.codes import from_argos
from notify.translation.engine import Pair, Rejected


class PackageRefused(Rejected):
    """An archive or folder is no package that can be used."""

    def __init__(self, name: str, why: str, cure: str) -> None:
        super().__init__(f"{name} is refused: {why}.", cure)
        self.why = why


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
        return rank(self.version)


def rank(version: str) -> tuple[int, ...]:
    """The numbers of a version, so that 1.10 comes after 1.9."""
    return tuple(int(digits) for digits in re.findall(r"\d{1,9}", version))


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
        raise refused(folder, f"its metadata cannot be read ({type(error).__name__})") from None
    if meta.type != "translate" or pair[0] == pair[1]:
        raise refused(folder, "it does not translate from one language to another")
    if not re.fullmatch(r"\w[\w.+-]{0,31}", version, re.ASCII):
        raise refused(folder, "it has no version")
    if type(getattr(meta, "tokenizer", None)).__name__ != "SentencePieceTokenizer":
        raise refused(
            folder, "it is an old package without a SentencePiece model", "Get a newer version, 1.9 or so."
        )
    if not (folder / "model" / "model.bin").is_file():
        raise refused(folder, "there is no CTranslate2 model in it")
    label = f"translate-{meta.from_code}_{meta.to_code} {version}"
    return Package(folder, *pair, version, label, str(meta.target_prefix or ""), folder.stat().st_ino)


def refused(what: Path, why: str, cure: str = "Get another one.") -> PackageRefused:
    """The error that says why a file or folder is not used, and what to do."""
    return PackageRefused(what.name, why, cure)


def first_line(error: BaseException, leaving_out: str = "\0") -> str:
    """What an error of a library says, short; its name where it says nothing."""
    return (str(error).replace(leaving_out, "") or type(error).__name__).splitlines()[0][:120]


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
