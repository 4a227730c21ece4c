"""What the letter tests share: a city, statements in many scripts, batches, and ways to look at a PDF."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pypdfium2

from channels.contract import Action, ApprovedText, Batch, City, Message, Outcome
from channels.letter import LetterChannel
from channels.letter.guards import Box

WHEN = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)  # a Friday
PHONE = "(555) 010-0199"

CITY = City(
    name="Riverton",
    timezone="Europe/London",
    public_url="https://notify.riverton.example",
    country="GB",
    sender="Office of the Mayor",
    phone="(555) 010-0100",
    postal_address=("City Hall", "1 Main Street", "London SW1A 2AA"),
    languages=("en", "es", "ar", "zh-Hans", "am", "km"),
)
AMERICAN = City(
    name="Springfield",
    timezone="America/Chicago",
    public_url="https://notify.springfield.example",
    country="US",
    sender="Office of the Mayor",
    phone="(555) 010-0100",
    postal_address=("City Hall", "1 Main Street", "Springfield IL 62701"),
    languages=("en", "es"),
)

# One sentence in each of fifteen scripts and habits, a telephone number in the middle of it.
SENTENCES = {
    "en": f"If you are afraid, call {PHONE} at any time.",
    "es": f"Si tiene miedo, llame al {PHONE} a cualquier hora.",
    "vi": f"Nếu quý vị lo sợ, hãy gọi {PHONE} bất cứ lúc nào.",
    "ru": f"Если вам страшно, звоните {PHONE} в любое время.",
    "el": f"Αν φοβάστε, καλέστε {PHONE} οποτεδήποτε.",
    "ar": f"إذا كنتم خائفين، اتصلوا بالرقم {PHONE} في أي وقت.",
    "ur": f"اگر آپ خوفزدہ ہیں تو {PHONE} پر کسی بھی وقت فون کریں۔",
    "he": f"אם אתם מפחדים, התקשרו אל {PHONE} בכל עת.",
    "hi": f"अगर आप डरे हुए हैं, तो किसी भी समय {PHONE} पर फ़ोन करें।",
    "bn": f"ভয় পেলে যেকোনো সময় {PHONE} নম্বরে ফোন করুন।",
    "am": f"ከፈሩ በማንኛውም ጊዜ {PHONE} ይደውሉ።",
    "km": f"ប្រសិនបើអ្នកភ័យខ្លាច សូមទូរស័ព្ទ {PHONE} គ្រប់ពេល។",
    "my": f"ကြောက်ရွံ့ပါက {PHONE} ကို အချိန်မရွေး ခေါ်ပါ။",
    "th": f"หากคุณกลัว โทร {PHONE} ได้ทุกเวลา",
    "zh-Hans": f"如果您感到害怕，请随时拨打 {PHONE}。",
    "ja": f"不安なときは、いつでも{PHONE}へお電話ください。",
    "ko": f"두려우시면 언제든지 {PHONE}로 전화하세요.",
}


def text(language: str = "en", **changes: Any) -> ApprovedText:
    """A short statement in a language."""
    given = {
        "reference": "S12r3",
        "language": language,
        "source_language": "en",
        "kind": "crisis",
        "title": SENTENCES[language].split(PHONE)[0].strip(" ,，"),
        "short": "",
        "body": SENTENCES[language],
        "actions": (Action(SENTENCES[language][:12], "help@riverton.example"), Action("18:30", PHONE)),
        "url": f"https://notify.riverton.example/s/elm/{language}",
    }
    return ApprovedText(**(given | changes))


def address(number: int, country: str = "GB") -> str:
    """A place nobody else lives at."""
    last = "London\nSW1A 2AA" if country == "GB" else "Springfield IL 62701-1234"
    return f"{number} Station Road\n{last}"


def batch(messages: Iterable[Message], *, reference: str = "D7", number: int = 1, total: int = 1) -> Batch:
    """Messages as the core hands them over."""

    async def pulled() -> AsyncIterator[Message]:
        for message in messages:
            yield message

    return Batch(reference, number, total, WHEN, pulled())


async def send(channel: LetterChannel, messages: Iterable[Message], **which: Any) -> dict[int, Outcome]:
    """Send, and return outcomes by key; each key has one."""
    outcomes = [outcome async for outcome in channel.send(batch(messages, **which))]
    assert len({outcome.key for outcome in outcomes}) == len(outcomes)
    return {outcome.key: outcome for outcome in outcomes}


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def words_of(pdf: bytes | Path, page: int | None = None, within: Box | None = None) -> str:
    """The text of a PDF (or of one page of it, from 0, or of a box there), without what prints nothing."""
    document = pypdfium2.PdfDocument(pdf)
    pages = range(len(document)) if page is None else (page,)
    found = "\n".join(_words(document[number], within) for number in pages)
    document.close()
    return re.sub("[\u200b\u2066-\u2069\ufffe]|\\r", "", found)


def _words(page: pypdfium2.PdfPage, within: Box | None) -> str:
    words = page.get_textpage()
    if within is None:
        return str(words.get_text_range())
    top = page.get_height() - within.y
    return str(words.get_text_bounded(within.x, top - within.height, within.x + within.width, top))
