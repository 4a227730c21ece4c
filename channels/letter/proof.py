"""What a letter will look like, as a picture for pages and command lines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from channels.contract import City, Rendering
from channels.letter.compose import Body
from channels.letter.printfile import specimen
from channels.letter.settings import LetterSettings


def proof(
    rendering: Rendering, city: City, *, page: int = 1, ppi: float = 96, at: datetime | None = None
) -> bytes:
    """One page of a letter to nobody in particular, as PNG.

    Args:
        rendering: what `LetterChannel.compose` made.
        city: whose letter it is.
        page: from 1; the last one there is, when the letter has fewer.
        ppi: pixels in an inch of paper.
        at: the moment whose date the letter bears; now, when not given.

    Raises:
        TypeError: the rendering is another channel's.
    """
    if not isinstance(rendering.content, Body):
        raise TypeError("A proof needs a letter's rendering.")
    settings = LetterSettings(outbox=Path(), duplex=False)
    pictures = specimen(rendering.content, city, settings, at or datetime.now(UTC)).pictures(ppi)
    return pictures[min(page, len(pictures)) - 1]
