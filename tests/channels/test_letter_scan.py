"""QR codes as sums: the same as segno's own, bit for bit."""

from __future__ import annotations

import secrets
from pathlib import Path

import pypdfium2
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import Message
from channels.letter import LetterChannel, LetterSettings, scan

from letter_texts import CITY, address, send, text  # isort: skip

START = "https://notify.rivermouth.example/p/"
TOKENS = st.text(st.characters(max_codepoint=127, exclude_characters="\0"), min_size=36, max_size=36)


@settings(deadline=None)
@given(TOKENS)
def test_a_code_made_of_sums_is_segnos_code(token: str) -> None:
    assert scan.code(START, token, by_table=True) == scan.code(START, token, by_table=False)


@pytest.mark.parametrize("length", [1, 20, 60])
def test_so_it_is_at_any_length(length: int) -> None:
    token = secrets.token_urlsafe(length)[:length]
    assert scan.code(START, token, by_table=True) == scan.code(START, token, by_table=False)


def test_a_file_has_each_link_once_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_WORTH", 3)
    links = [(START, f"token-{number}") for number in (1, 2, 3, 2)] + [("https://a.example", "")]
    codes = scan.Codes(links)
    assert len(codes.places) == 4
    for link, (at, side) in codes.places.items():
        made = segno.make(link, mode="byte", error="m", boost_error=False, mask=2, micro=False)
        expected = bytes(0 if module else 255 for row in made.matrix for module in row)
        assert codes.pixels[at : at + side * side] == expected
    assert scan.Codes([]).pixels == b""


def test_a_link_that_is_not_ascii_has_a_code_too() -> None:
    assert scan.code(START, "…", by_table=True) == scan.code(START, "…", by_table=False)


async def test_every_letter_carries_its_own_code_and_a_phone_could_read_it(tmp_path: Path) -> None:
    """Read off the printed page, pixel by pixel: the code is where it should be, sharp, and the resident's own."""
    channel = LetterChannel(LetterSettings(outbox=tmp_path, workers=0), CITY)
    for language in ("en", "ar"):
        rendering = channel.compose(text(language))
        tokens = {key: secrets.token_urlsafe(27) for key in (1, 2)}
        messages = [Message(key, address(key), (rendering,), token=token) for key, token in tokens.items()]
        async with channel:
            await send(channel, messages, reference=language)
        (pdf,) = (tmp_path / language).glob("*_001.pdf")
        slot = rendering.content.lead.slots["scan"]
        for page, token in zip(list(pypdfium2.PdfDocument(pdf))[::2], tokens.values(), strict=True):
            picture = page.render(scale=4, grayscale=True).to_numpy()
            side, bits = scan.code(f"{CITY.public_url}/p/", token, by_table=False)
            step = slot.width / side
            middles = [
                (slot.y + (row + 0.5) * step, slot.x + (column + 0.5) * step)
                for row in range(side)
                for column in range(side)
            ]
            read = [picture[int(y * 4), int(x * 4)] < 128 for y, x in middles]
            assert int("".join("01"[int(module)] for module in read), 2) == bits
