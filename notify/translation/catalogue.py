"""What packages there are to install: Argos's index, a mirror of it, or a folder of files.

The index is a list in JSON, as https://github.com/argosopentech/argospm-index has it. A mirror may add "size" (bytes)
and "sha256" to an entry, and write links that are relative to the index. Whatever comes from there is a stranger's:
it is bounded and validated here, and the package itself is checked when it is installed.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, Field, ValidationError

from notify.translation.argos import PIVOT
from notify.translation.argos_package import rank
from notify.translation.codes import from_argos
from notify.translation.engine import EngineError, Pair, Rejected, Unavailable, Unsupported, closest_pair

if TYPE_CHECKING:
    import httpx

MAX_INDEX = 10_000_000
"""Bytes that an index may have; Argos's has 30,000."""

MAX_DOWNLOAD = 1_000_000_000
"""Bytes that a package may have; Argos's have up to 300 million."""

_MAX_ENTRIES = 10_000
_MAX_METADATA = 100_000  # bytes
_METADATA = re.compile(r"[^/\\]+/metadata\.json")
_CONNECT, _READ = 10.0, 60.0  # seconds


class _Entry(BaseModel):
    package_version: str = Field(pattern=r"^\w[\w.+-]{0,31}$")
    from_code: str = Field(max_length=40)
    to_code: str = Field(max_length=40)
    type: str = "translate"
    links: list[str] = Field(default=[], max_length=20)
    size: int | None = Field(default=None, ge=1, le=MAX_DOWNLOAD)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")


@dataclass(frozen=True, slots=True)
class Offer:
    """A package that can be installed."""

    source: str  # BCP 47
    target: str
    version: str
    links: tuple[str, ...] = ()  # addresses, asked one after the other
    path: Path | None = None  # a file that is here already
    size: int | None = None  # bytes
    sha256: str | None = None

    @property
    def pair(self) -> Pair:
        """What it translates."""
        return (self.source, self.target)

    @property
    def place(self) -> str:
        """Where it is from."""
        return self.path.name if self.path else next(iter(self.links), "")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one place offers."""

    place: str
    offers: tuple[Offer, ...]
    passed_over: tuple[str, ...] = ()  # what made no sense, and why

    def newest(self) -> list[Offer]:
        """The newest version for each pair, by pair."""
        best: dict[Pair, Offer] = {}
        for offer in self.offers:
            if offer.pair not in best or rank(offer.version) > rank(best[offer.pair].version):
                best[offer.pair] = offer
        return [best[pair] for pair in sorted(best)]

    def find(self, source: str, target: str) -> list[Offer]:
        """What is needed for a pair: one package, or two that meet in English.

        Args:
            source: BCP 47.
            target: BCP 47; a close variety may stand in.

        Raises:
            Unsupported: there is no way.
        """
        known = {offer.pair: offer for offer in self.newest()}
        if direct := closest_pair(known, source, target):
            return [known[direct]]
        there, on = closest_pair(known, source, PIVOT), closest_pair(known, PIVOT, target)
        if there and on and there[0] != on[1]:
            return [known[there], known[on]]
        raise Unsupported(
            f"There is no package for {source} to {target} in {self.place}.",
            "See what there is: notify languages list --available; or have people translate.",
        )


def read(place: str) -> Catalogue:
    """What a place offers.

    Args:
        place: the address of an index; or on this machine a folder of .argosmodel files, one such file, or an
            index.

    Raises:
        Unavailable: it cannot be reached or read.
        Rejected: it is no such thing.
    """
    if place.startswith(("http://", "https://")):
        return _indexed(place, _small(place), place)
    path = Path(place).expanduser()
    try:
        if path.is_dir():
            return _on_disk(place, sorted(path.glob("*.argosmodel")))
        if path.suffix == ".argosmodel" and path.is_file():
            return _on_disk(place, [path])
        with path.open("rb") as file:
            return _indexed(place, file.read(MAX_INDEX + 1), "")
    except OSError as error:
        raise Unavailable(f"{place} cannot be read ({error.strerror}).", "Check the name.") from None


def sized(offer: Offer) -> Offer:
    """The offer with its size, where whoever has it tells."""
    if offer.size is not None or not offer.links:
        return offer
    import httpx

    try:
        with _client() as client:
            answer = client.head(offer.links[0])
        size = int(answer.headers.get("content-length", "")) if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        size = None
    return replace(offer, size=size if size and 0 < size <= MAX_DOWNLOAD else None)


def fetch(offer: Offer, folder: Path, tell: Callable[[int], None] = lambda _: None) -> Path:
    """Get a package's file; it is not looked into.

    Args:
        offer: what to get.
        folder: where to write it; a file that is on this machine already stays where it is.
        tell: called with the bytes there are so far.

    Returns:
        The file.

    Raises:
        Unavailable: none of its links works.
        Rejected: what comes is not what was offered, or too large.
        OSError: it cannot be written.
    """
    if offer.path:
        return offer.path
    problem: EngineError = Unavailable(
        f"There is no link for {offer.source} to {offer.target}.", "Ask whoever keeps the index."
    )
    name = f"translate-{offer.source}_{offer.target}.argosmodel"
    for link in offer.links:
        try:
            return _downloaded(link, folder / name, offer.size, tell)
        except EngineError as error:
            problem = error
    raise problem


def _indexed(place: str, raw: bytes, base: str) -> Catalogue:
    if len(raw) > MAX_INDEX:
        raise Rejected(f"{place} is too large for an index.", "Check NOTIFY_TRANSLATION__INDEX.")
    try:
        listed = json.loads(raw)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or len(listed) > _MAX_ENTRIES:
        raise Rejected(f"{place} is no index of Argos packages.", "Check NOTIFY_TRANSLATION__INDEX.")
    offers, odd = [], []
    for number, entry in enumerate(listed, start=1):
        try:
            if offer := _offer(entry, base):
                offers.append(offer)
        except (ValidationError, ValueError) as error:
            odd.append(f"entry {number}: {_reason(error)}")
    return Catalogue(place, tuple(offers), tuple(odd))


def _offer(entry: Any, base: str) -> Offer | None:
    """An entry as an offer; None where it is of another kind than packages that translate."""
    read = _Entry.model_validate(entry)
    if read.type != "translate":
        return None
    source, target = from_argos(read.from_code), from_argos(read.to_code)
    links = tuple(_safe(read.links, base, signed=read.sha256 is not None))
    if source == target:
        raise ValueError("it translates a language to itself")
    if not links:
        raise ValueError("it has no link that can be used")
    return Offer(source, target, read.package_version, links, size=read.size, sha256=read.sha256)


def _safe(links: Iterable[str], base: str, *, signed: bool) -> Iterator[str]:
    """Links over HTTP; from an index over HTTPS no plain ones, unless a digest says what has to come."""
    allowed = {"https", "http"} if signed or not base.startswith("https://") else {"https"}
    for link in links:
        whole = urljoin(base, link)
        parts = urlsplit(whole)
        if parts.scheme in allowed and parts.hostname and not re.search(r"[\x00-\x20]", whole):
            yield whole


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return ", ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
    return str(error)[:200]


def _on_disk(place: str, paths: list[Path]) -> Catalogue:
    offers, odd = [], []
    for path in paths:
        try:
            entry = _Entry.model_validate(_metadata(path))
            source, target = from_argos(entry.from_code), from_argos(entry.to_code)
        except (ValidationError, ValueError) as error:
            odd.append(f"{path.name}: {_reason(error)}")
            continue
        if entry.type == "translate":
            size = path.stat().st_size
            offers.append(Offer(source, target, entry.package_version, path=path, size=size))
    return Catalogue(place, tuple(offers), tuple(odd))


def _metadata(path: Path) -> Any:
    """What an .argosmodel file says that it is; nothing of it is unpacked."""
    try:
        with zipfile.ZipFile(path) as packed:
            found = [entry for entry in packed.infolist() if _METADATA.fullmatch(entry.filename)]
            if len(found) == 1 and found[0].file_size <= _MAX_METADATA:
                return json.loads(packed.read(found[0]))
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        pass
    raise ValueError("it is damaged or no package")


def _small(url: str) -> bytes:
    with _asked(url) as answer:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_INDEX:
                break
        return bytes(body)


def _downloaded(url: str, path: Path, size: int | None, tell: Callable[[int], None]) -> Path:
    most = min(size or MAX_DOWNLOAD, MAX_DOWNLOAD)
    with _asked(url) as answer, path.open("wb") as file:
        _check_room(answer.headers.get("content-length", ""), path, most)
        written = 0
        for chunk in answer.iter_bytes():
            written += file.write(chunk)
            if written > most:
                raise Rejected(f"{_host(url)} sends more than it should.", "Get the package elsewhere.")
            tell(written)
    if size is not None and written != size:
        raise Rejected(f"{_host(url)} sent {written} of {size} bytes.", "Try again.")
    return path


def _check_room(told: str, path: Path, most: int) -> None:
    size = int(told) if told.isascii() and told.isdigit() else 0
    if size > most:
        raise Rejected(f"The package would have {size} bytes, more than the {most} expected.", "Leave it.")
    if 4 * size > shutil.disk_usage(path.parent).free:
        raise Rejected(f"There is no room for a package of {size} bytes.", "Make room on the disk.")


@contextmanager
def _asked(url: str) -> Iterator[httpx.Response]:
    """The answer to a GET, once it is a good one."""
    import httpx

    try:
        with _client() as client, client.stream("GET", url) as answer:
            _check_way(url, answer)
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"{_host(url)} cannot be reached, or breaks off ({type(error).__name__}).",
            "Check the network, and NOTIFY_TRANSLATION__INDEX; or install from a folder.",
        ) from None


def _check_way(url: str, answer: httpx.Response) -> None:
    way = [*answer.history, answer]
    if url.startswith("https:") and any(each.url.scheme != "https" for each in way):
        raise Rejected(f"{_host(url)} leads away from HTTPS.", "Get the package elsewhere.")
    if not answer.is_success:
        raise Unavailable(
            f"{_host(url)} answers with HTTP {answer.status_code}.",
            "Check NOTIFY_TRANSLATION__INDEX; or install from a folder.",
        )


def _client() -> httpx.Client:
    import httpx

    return httpx.Client(
        timeout=httpx.Timeout(_READ, connect=_CONNECT),
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "The server"
    except ValueError:
        return "The server"
