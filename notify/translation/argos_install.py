"""Argos packages put in place and taken away, checked first: the files come from anywhere.

Argos's own `install_from_path` unpacks unchecked over what is there.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from notify.translation.argos_model import Model
from notify.translation.argos_package import Package, first_line, read_package, refused

MAX_UNPACKED = 1_500_000_000
"""Bytes that an unpacked package may have; the largest in Argos's index have a few hundred million."""

MAX_FILES = 10_000


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
        raise refused(archive, "its SHA-256 digest is not the one expected", "Get the file again.")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as scratch:
        package = read_package(_unpack(archive, Path(scratch) / "unpacked"))
        Model(package, workers=1, beam=1)
        return _put_in_place(package, directory, Path(scratch) / "replaced")


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
        raise refused(
            archive, f"it is damaged or no package ({first_line(error)})", "Get the file again."
        ) from None
    return into / folder


def _checked(archive: Path, entries: Sequence[zipfile.ZipInfo]) -> str:
    """The one folder that all entries are in, once nothing in them can do harm."""
    if len(entries) > MAX_FILES:
        raise refused(archive, f"it has more than {MAX_FILES} files")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise refused(archive, "two of its files have the same name")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise refused(archive, "a file in it would land outside its folder")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise refused(archive, "it holds a link or a device, not only files")
    tops = {PurePosixPath(name).parts[:1] for name in names}
    if len(tops) != 1 or tops == {()}:
        raise refused(archive, "it does not hold exactly one folder")
    return tops.pop()[0]


def _check_room(archive: Path, entries: Iterable[zipfile.ZipInfo], place: Path) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNPACKED:
        raise refused(archive, f"unpacked it would have {size} bytes, more than the {MAX_UNPACKED} allowed")
    if size > shutil.disk_usage(place).free:
        raise refused(archive, f"there is no room for its {size} bytes", "Make room on the disk.")


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
