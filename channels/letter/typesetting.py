"""Typst, kept on a short lead: own templates, own fonts, a private folder, no packages, and warnings are errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self

import typst

import templates
from channels.letter import fonts

Layout = Literal["body", "overlay", "cover", "own"]

# Typst keeps the results of its last compilations; so many empty ones push a chunk's out.
_KEPT = 11


class CannotTypeset(RuntimeError):
    """Typst refused, or warned. The message is Typst's own, and may quote the text."""


@cache
def source(layout: Layout) -> bytes:
    """A layout of `templates/letter/`."""
    return (templates.directory() / "letter" / f"{layout}.typ").read_bytes()


@cache
def template_version() -> str:
    """Twelve digits that change with any byte of the layouts."""
    return sha256(b"\0".join(source(layout) for layout in ("body", "overlay", "cover"))).hexdigest()[:12]


class Typesetter:
    """A private folder for Typst, gone when it is closed. Files that a layout may read are put into it first."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="notify-letter-")
        self.root = Path(self._folder.name).resolve()
        (self.root / "packages").mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()

    def put(self, name: str, data: bytes) -> None:
        """Write a file that a layout can read: a new, plain one, since Typst would follow a symbolic link."""
        with (self.root / name).open("xb") as file:
            file.write(data)

    def pdf(self, layout: Layout, job: Mapping[str, Any], at: datetime, *, archival: bool) -> bytes:
        """Set a layout.

        Args:
            layout: which of the templates.
            job: what the layout reads as JSON.
            at: the moment written into the file, so that the same job gives the same bytes.
            archival: as PDF/A-2b, for which Typst refuses a text it has no glyph for.

        Raises:
            CannotTypeset: Typst refused or warned.
        """
        standards: list[Any] = ["a-2b"] if archival else []
        made = self._compile(
            layout,
            job,
            format="pdf",
            pdf_standards=standards,
            pdf_tags=False,
            timestamp=at.astimezone(UTC).replace(microsecond=0),
        )
        assert isinstance(made, bytes)
        return made

    def png(self, layout: Layout, job: Mapping[str, Any], ppi: float) -> list[bytes]:
        """Each page as a picture.

        Args:
            layout: which of the templates.
            job: what the layout reads as JSON.
            ppi: pixels in an inch of paper.

        Raises:
            CannotTypeset: Typst refused or warned.
        """
        made = self._compile(layout, job, format="png", ppi=ppi)
        return made if isinstance(made, list) else [made]

    def _compile(self, layout: Layout, job: Mapping[str, Any], **how: Any) -> Any:
        try:
            made, warnings = self._compiler(layout, job).compile_with_warnings(source(layout), **how)
        except typst.TypstError as error:
            raise CannotTypeset(error.message) from None
        if warnings:
            raise CannotTypeset("; ".join(warning.message for warning in warnings))
        return made

    def slots(self, layout: Layout, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the layout labels `<slot>`: places to be filled in later."""
        try:
            found = self._compiler(layout, job).query("<slot>", field="value")
        except typst.TypstError as error:
            raise CannotTypeset(error.message) from None
        values: list[dict[str, Any]] = json.loads(found)
        return values

    def _compiler(self, layout: Layout, job: Mapping[str, Any]) -> typst.Compiler:
        packages = self.root / "packages"
        return typst.Compiler(
            input=source(layout),
            root=str(self.root),
            font_paths=fonts.library(),
            ignore_system_fonts=True,
            sys_inputs={"job": json.dumps(job, ensure_ascii=False)},
            package_path=str(packages),
            package_cache_path=str(packages),
        )


def forget() -> None:
    """Let Typst's cache go, so that memory does not grow from chunk to chunk."""
    compiler = typst.Compiler(font_paths=fonts.library(), ignore_system_fonts=True)
    for _ in range(_KEPT):
        compiler.compile(b"", sys_inputs={})
