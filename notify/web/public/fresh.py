"""Pages that were made a moment ago: when a text goes out, a crowd opens the same one within a minute."""

from __future__ import annotations

from time import monotonic

from fastapi import Response

SECONDS = 5.0  # a page is shown for so long after its statement has changed
MOST = 500  # pages kept


class Fresh:
    """The newest pages by their address."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[float, Response]] = {}

    def get(self, slug: str, language: str) -> Response | None:
        """The page, if it is fresh."""
        made_at, page = self._kept.get((slug, language), (0.0, None))
        return page if page and monotonic() - made_at < SECONDS else None

    def keep(self, slug: str, language: str, page: Response) -> None:
        """Keep a page; before there are too many, all go."""
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[slug, language] = (monotonic(), page)
