"""Argos packages put in place and taken away, checked first: the files come from anywhere.

Argos's own `install_from_path` unpacks unchecked over what is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from notify.translation.argos_package import Package, PackageRefused, first_line, read_package, refused
from notify.translation.argos_trial import try_out
from notify.translation.engine import Pair

MAX_UNPACKED = 1_500_000_000
"""Bytes that an unpacked package may have; the largest in Argos's index have a few hundred million."""

MAX_FILES = 10_000
_ORIGIN = "notify.json"  # beside metadata.json; Argos does not mind


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an installed package is from."""

    place: str  # an address or the name of a file; empty: nobody has noted it
    sha256: str
    at: str  # when it was installed, ISO 8601


def install(
    archive: Path,
    directory: Path,
    sha256: str | None = None,
    *,
    pair: Pair | None = None,
    place: str = "",
) -> Package:
    """Check an .argosmodel file, and only then put its package in place.

    It is unpacked beside its final place, read, loaded and made to translate sentences, which have to come out in
    its target language. Whatever fails, what was installed before stays. Other versions of the pair stay too; the
    newest one that loads is used.

    Args:
        archive: the file.
        directory: where packages are; made if it is not there.
        sha256: what the file's digest must be, in hexadecimal.
        pair: what it has to translate, BCP 47; None for whatever it does.
        place: where the file is from, to be noted; by default its name.

    Raises:
        PackageRefused: the file is not what it should be; says what is wrong with it.
        OSError: the file cannot be read, or the directory not written.
    """
    digest = _digest(archive)
    if sha256 is not None and digest != sha256.strip().lower():
        raise refused(archive, "its SHA-256 digest is not the one expected", "Get the file again.")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as scratch:
        package = read_package(_unpack(archive, Path(scratch) / "unpacked"))
        _refuse_other(archive, package, pair)
        if problem := try_out(package).problem:
            raise refused(archive, problem)
        noted = Origin(place or archive.name, digest, datetime.now(UTC).isoformat(timespec="seconds"))
        (package.path / _ORIGIN).write_text(json.dumps(asdict(noted)), "utf-8")
        return _put_in_place(package, directory, Path(scratch) / "replaced")


def installed(directory: Path) -> list[Package]:
    """The packages in a directory that can be read, by pair, the newest version of each pair first."""
    found = []
    for metadata in directory.glob("[!.]*/metadata.json"):
        with suppress(PackageRefused):
            found.append(read_package(metadata.parent))
    return sorted(sorted(found, key=lambda each: each.rank, reverse=True), key=lambda each: each.pair)


def origin(package: Package) -> Origin:
    """Where a package is from, as far as that was noted when it was installed."""
    try:
        noted = json.loads((package.path / _ORIGIN).read_text("utf-8"))
        return Origin(str(noted["place"]), str(noted["sha256"]), str(noted["at"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Origin("", "", "")


def size_on_disk(package: Package) -> int:
    """Bytes that a package takes."""
    return sum(path.stat().st_size for path in package.path.rglob("*") if path.is_file())


def remove(package: Package) -> None:
    """Take a package away at once: whoever reads the directory sees the whole of it or nothing.

    Raises:
        OSError: the directory cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=package.path.parent, prefix=".old-") as scratch:
        package.path.rename(Path(scratch) / "removed")


def _refuse_other(archive: Path, package: Package, pair: Pair | None) -> None:
    if pair is not None and package.pair != pair:
        raise refused(
            archive,
            f"it translates {package.source} to {package.target}, not {pair[0]} to {pair[1]}",
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
