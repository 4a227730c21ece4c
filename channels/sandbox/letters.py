"""Printed letters as pictures: the pages of the PDF files in the letter channel's folder."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pypdfium2

_WIDTH = 900  # pixels
_KEPT_PAGES = 64
_COVER = "_cover"  # the mail house's own sheet: no resident sees it
# PDFium is not safe to use from several threads at once.
_pdfium = threading.Lock()


@dataclass(frozen=True, slots=True)
class PrintFile:
    """One PDF file with letters."""

    name: str  # its path below the folder, with slashes
    path: Path
    pages: int
    changed: float  # seconds since the epoch


class Letters:
    """The print files below a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def files(self) -> list[PrintFile]:
        """Every readable PDF that residents get, the newest first."""
        if self.folder is None or not self.folder.is_dir():
            return []
        paths = (path for path in self.folder.rglob("*.pdf") if not path.stem.endswith(_COVER))
        found = map(self._file, paths)
        return sorted((file for file in found if file), key=lambda file: file.changed, reverse=True)

    def find(self, name: str) -> PrintFile | None:
        """The file of this name; None for a name that is not listed, wherever it may lead."""
        return next((file for file in self.files() if file.name == name), None)

    def _file(self, path: Path) -> PrintFile | None:
        try:
            changed = path.stat().st_mtime
            pages = _page_count(path, changed)
        except (OSError, pypdfium2.PdfiumError):
            return None  # being written, or gone
        name = path.relative_to(self.folder or path).as_posix()
        return PrintFile(name, path, pages, changed)


@lru_cache(maxsize=1024)
def _page_count(path: Path, changed: float) -> int:  # noqa: ARG001 - a changed file is another file
    with _pdfium, pypdfium2.PdfDocument(path) as document:
        return len(document)


@lru_cache(maxsize=_KEPT_PAGES)
def picture(file: PrintFile, page: int) -> bytes:
    """One page as PNG, pages counted from 1.

    Raises:
        IndexError: there is no such page.
        pypdfium2.PdfiumError: the file cannot be read any more.
    """
    if not 1 <= page <= file.pages:
        raise IndexError(page)
    with _pdfium, pypdfium2.PdfDocument(file.path) as document:
        sheet = document[page - 1]
        bitmap = sheet.render(scale=_WIDTH / sheet.get_width(), rev_byteorder=True)
        pixels = bytes(bitmap.buffer)
    starts = range(0, bitmap.stride * bitmap.height, bitmap.stride)
    rows = (pixels[start : start + 3 * bitmap.width] for start in starts)
    return _png(bitmap.width, bitmap.height, rows)


def _png(width: int, height: int, rows: Iterable[bytes]) -> bytes:
    """An 8-bit RGB picture as PNG (ISO/IEC 15948), each row unfiltered."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
