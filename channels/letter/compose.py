"""From an approved text to a finished sheet: all but the resident, set once for each language."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from itertools import chain
from typing import Any, Literal

import segno
from langcodes import Language

import templates
from channels.contract import Action, ApprovedText, CannotCompose, City, Rendering
from channels.letter import fonts, guards, markdown
from channels.letter.dates import long_date
from channels.letter.guards import Box
from channels.letter.markdown import Node
from channels.letter.profiles import POINTS, Profile
from channels.letter.settings import LetterSettings
from channels.letter.typesetting import CannotTypeset, Typesetter, forget, template_version

Role = Literal["lead", "follow"]  # the first language of a letter, with the window; or one after it

MOST_CHARACTERS = 60_000  # of a body: more than ten pages of any script
QR_SIDE, QR_GAP = 20, 6  # millimetres
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)  # a body is the same whenever it is composed
_EDGE = 8.0  # points by which letters may reach over the margin before it counts as overflow


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a page, in points, to be filled for each resident or batch."""

    page: int  # from 1
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Leaf:
    """A body in one role, ready to be stamped."""

    pdf: bytes = field(repr=False)
    pages: int
    slots: dict[str, Slot]  # "date", "greeting"; where the city has a public URL, "choices" and "scan"


@dataclass(frozen=True, slots=True)
class Body:
    """What a letter's `Rendering.content` is: a statement in one language on one envelope's sheet."""

    language: str
    source_language: str
    lead: Leaf
    follow: Leaf
    profile: Profile
    digest: str  # SHA-256 of both PDFs
    template_version: str

    def leaf(self, role: Role) -> Leaf:
        """The body as the letter's first language, or as one after it."""
        return self.lead if role == "lead" else self.follow


def compose(text: ApprovedText, city: City, settings: LetterSettings, profile: Profile) -> Rendering:
    """Set an approved text as a letter, and look at the result before anybody else does.

    Raises:
        CannotCompose: a character has no glyph, a number came out turned round, or it does not fit.
    """
    draft = Draft(text, city, profile)
    _refuse_too_long(text, settings)
    _refuse_unprintable(draft)
    leaves = {role: _set(draft, role, settings) for role in ("lead", "follow")}
    forget()
    body = Body(
        language=text.language,
        source_language=text.source_language,
        lead=leaves["lead"],
        follow=leaves["follow"],
        profile=profile,
        digest=sha256(leaves["lead"].pdf + leaves["follow"].pdf).hexdigest(),
        template_version=template_version(),
    )
    return Rendering(
        channel="letter",
        language=text.language,
        preview=draft.preview(),
        parts=body.lead.pages,
        cost=settings.price_per_letter + settings.price_per_page * body.lead.pages,
        notes=draft.notes(),
        content=body,
    )


def is_borrowed(language: str) -> bool:
    """Whether a language has no phrases of its own yet and takes those of the fallback."""
    fallback = templates.phrases(templates.FALLBACK)["language"]
    return (
        language.split("-")[0] != templates.FALLBACK and templates.phrases(language)["language"] == fallback
    )


class Draft:
    """An approved text as what the layout reads: its words and the city's, as leaves of plain text."""

    def __init__(self, text: ApprovedText, city: City, profile: Profile) -> None:
        self.text = text
        self.city = city
        self.profile = profile
        self.phrases = templates.phrases(text.language)
        self.direction = templates.direction(text.language)
        self.stack = fonts.stack(text.language)
        self._mixed = guards.is_right_to_left(
            "".join(
                (text.title, text.body, city.name, *(action.label + action.value for action in text.actions))
            )
        )

    def _pieces(self, words: str) -> Iterable[guards.Piece]:
        return guards.isolate(guards.clean(words), self.direction, self._mixed)

    def _line(self, words: str) -> list[Node]:
        return markdown.leaves(words.replace("\n", " "), self._pieces)

    def _own(self, words: str) -> list[Node]:
        """A line that the city writes in one way whatever the letter's language, so that it keeps its direction."""
        return [_mark(guards.FIRST_STRONG), *self._line(words), _mark(guards.END)]

    def _phrase(self, key: str, **values: str) -> list[Node]:
        words = self.phrases[key].format(**values)
        return self._own(words) if is_borrowed(self.text.language) else self._line(words)

    @cached_property
    def blocks(self) -> list[Node]:
        """The body's tree."""
        return markdown.blocks(guards.clean(self.text.body), self._pieces)

    @cached_property
    def lines(self) -> dict[str, list[Node]]:
        """Every field of one line, by its name in the layout."""
        city = self.city
        return {
            "title": self._line(self.text.title),
            "city": self._own(city.name),
            "office": self._office(),
            "actions_title": self._phrase("actions"),
            "signature": self._phrase("from_office", city=city.name),
            "verify": self._phrase("verify", phone=city.phone, url=city.public_url)
            if city.phone and city.public_url
            else [],
            "online": self._phrase("letter_online", url=self.text.url) if self.text.url else [],
            "choices": self._line(self.phrases["letter_choices"].replace("{url}", "").strip())
            if city.public_url
            else [],
            "online_label": self._phrase("read_language") if self.text.url else [],
            "choices_label": self._phrase("prefs_link") if city.public_url else [],
            "return_line": self._own(" · ".join((city.name, *city.postal_address)))
            if city.postal_address
            else [],
        }

    def _office(self) -> list[Node]:
        """The sender as the city writes it, or the same in the letter's language."""
        if self.city.sender and self.text.language == self.text.source_language:
            return self._own(self.city.sender)
        return self._phrase("from_office", city=self.city.name)

    @cached_property
    def sender(self) -> list[list[Node]]:
        """The city's address, telephone and web address, beside the window."""
        city = self.city
        lines = (city.name, *city.postal_address, city.phone, city.public_url.removeprefix("https://"))
        return [self._own(line) for line in lines if line]

    @cached_property
    def actions(self) -> list[dict[str, list[Node]]]:
        """What a resident can do: labels, and where they lead."""
        return [self._action(action) for action in self.text.actions]

    def _action(self, action: Action) -> dict[str, list[Node]]:
        shown = action.value.removeprefix("mailto:").removeprefix("tel:")
        return {"label": self._line(action.label), "value": self._line(shown)}

    @cached_property
    def languages(self) -> list[list[Node]]:
        """The city's other languages, each by its own name, so that who cannot read this finds theirs."""
        if not self.text.url:
            return []
        others = (tag for tag in self.city.languages if tag != self.text.language)
        names = (templates.language_name(tag) for tag in others)
        return [[{"t": "text", "v": guards.named(name[:1].upper() + name[1:])}] for name in names]

    def job(self, role: Role) -> dict[str, Any]:
        """What `body.typ` reads."""
        tag = Language.get(self.text.language).maximize()
        qr = _qr(self.text.url)
        codes = bool(qr) + bool(self.lines["choices"])
        width = self.profile.text_width / POINTS - codes * (QR_SIDE + QR_GAP)
        return {
            **self.lines,
            "role": role,
            "profile": self.profile.model_dump(
                include={"page", "margins", "letterhead", "return_line", "sender"}
            )
            | {"body_top": self.profile.body_top},
            "lang": tag.language,
            "region": tag.territory,
            "dir": self.direction,
            "fonts": self.stack,
            "leading": fonts.leading(self.text.language),
            "italics": fonts.has_italics(self.text.language),
            "heading": guards.clean(self.text.title),
            "author": guards.clean(self.city.name),
            "sender": self.sender,
            "blocks": self.blocks,
            "actions": self.actions,
            "languages": self.languages,
            "words_width": width,
            "qr": qr,
            "qr_side": QR_SIDE,
            "qr_gap": QR_GAP,
            "page": re.split(r"(\{pages?\})", self.phrases["page"]),
        }

    def nodes(self) -> Iterable[Node]:
        """Every leaf that is printed, wherever it stands."""
        rows = (*self.lines.values(), self.blocks, *self.sender, *self.languages)
        actions = (cell for action in self.actions for cell in (action["label"], action["value"]))
        return markdown.texts(chain.from_iterable((*rows, *actions)))

    def printed(self) -> str:
        """Every character that is printed: the text's, the city's, the fixed phrases' and the months'."""
        fixed = [self.phrases[key] for key in ("greeting", "greeting_plain", "page")]
        fixed += [long_date(date(2026, month, 22), self.text.language) for month in range(1, 13)]
        return "\n".join((*(node["v"] for node in self.nodes()), *fixed))

    def numbers(self, role: Role) -> Counter[str]:
        """The numbers that must not turn round, as digits, and how often this role prints each at least."""
        not_here = [self.lines["return_line"]] if role == "follow" or self.profile.return_line is None else []
        not_here += self.sender if role == "follow" else []
        not_here += [] if self.text.actions else [self.lines["actions_title"]]
        return _numbers(self.nodes()) - _numbers(markdown.texts(chain.from_iterable(not_here)))

    def preview(self) -> str:
        """The letter as plain text."""
        actions = [
            f"- {markdown.plain([_par(action['label'])])}: {markdown.plain([_par(action['value'])])}"
            for action in self.actions
        ]
        fields = (
            _plain(self.lines["title"]),
            self.phrases["greeting_plain"],
            markdown.plain(self.blocks),
            "\n".join((_plain(self.lines["actions_title"]), *actions)) if actions else "",
            *(_plain(self.lines[key]) for key in ("signature", "verify", "online")),
        )
        return guards.clean("\n\n".join(part for part in fields if part)).replace("\u200b", "")

    def notes(self) -> tuple[str, ...]:
        """What staff should know of how the text was changed for paper."""
        given = (
            self.text.title,
            self.text.body,
            *(action.label + action.value for action in self.text.actions),
        )
        notes = []
        if any(guards.loses_characters(words) for words in given):
            notes.append("Control characters and direction marks were taken out.")
        if "![" in self.text.body:
            notes.append("Pictures are printed as their descriptions.")
        return tuple(notes)


def _mark(character: str) -> Node:
    return {"t": "text", "v": character}


def _par(line: list[Node]) -> Node:
    return {"t": "par", "c": line}


def _plain(line: list[Node]) -> str:
    return markdown.plain([_par(line)])


def _numbers(nodes: Iterable[Node]) -> Counter[str]:
    return guards.numbers_of(guards.Piece(node["v"], number=node["t"] == "number") for node in nodes)


def _qr(url: str) -> str:
    """The way to the page as a QR code in SVG, for each resident the same: it tells nobody who scanned it."""
    if not url:
        return ""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=0, dark="#000"
    )
    return out.getvalue().decode()


def _refuse_too_long(text: ApprovedText, settings: LetterSettings) -> None:
    if len(text.body) + len(text.title) > MOST_CHARACTERS:
        raise CannotCompose(
            f"The text has {len(text.body) + len(text.title):,} characters, more than {settings.max_pages} pages"
            " hold. Shorten it, and link to the rest."
        )


def _refuse_unprintable(draft: Draft) -> None:
    if lacking := fonts.missing(draft.printed(), draft.stack):
        raise CannotCompose(
            f"No font has {guards.describe(lacking)}; on paper there would be empty boxes. Take them out or write"
            " them in words."
        )
    loose = next((node["v"] for node in draft.nodes() if guards.has_loose_mark(node["v"], draft.stack)), None)
    if loose is not None:
        raise CannotCompose(
            f"A vowel sign or accent stands without its letter in {guards.excerpt(loose)!r} and would be printed"
            " on a dotted circle. Correct the spelling there."
        )


def _set(draft: Draft, role: Role, settings: LetterSettings) -> Leaf:
    job = draft.job(role)
    try:
        with Typesetter() as typesetter:
            pdf = typesetter.pdf("body", job, _NO_DATE, archival=True)
            slots = {slot.pop("name"): Slot(**slot) for slot in typesetter.slots("body", job)}
    except CannotTypeset as error:
        raise CannotCompose(f"The letter cannot be set: {error}.") from None
    pages = _look_at(pdf, draft, role, settings)
    return Leaf(pdf, pages, slots)


def _look_at(pdf: bytes, draft: Draft, role: Role, settings: LetterSettings) -> int:
    """Refuse a body that is too long, runs out of its place, or turns a number round; returns its pages."""
    with guards.Pdf(pdf) as printed:
        if len(printed) > settings.max_pages:
            raise CannotCompose(
                f"The letter has {len(printed)} pages, and {settings.max_pages} is the most. Shorten it, and link"
                " to the rest."
            )
        _refuse_overflow(printed, draft.profile, role)
        turned = guards.turned_round(draft.numbers(role), printed.lines_of_digits())
        if turned:
            raise CannotCompose(
                f"The number with the digits {turned[0]} would not be printed in that order. Put it on a line of"
                " its own."
            )
        return len(printed)


def _refuse_overflow(printed: guards.Pdf, profile: Profile, role: Role) -> None:
    strips = outside(profile)
    for number in range(len(printed)):
        window = (
            [area.box() for area in (*profile.clear, profile.address)]
            if role == "lead" and not number
            else []
        )
        if printed.ink(number, [*strips, *window]):
            raise CannotCompose(
                f"Something on page {number + 1} runs out of its place. Break up very long words or lines."
            )


def outside(profile: Profile) -> Sequence[Box]:
    """The paper beyond the margins, where nothing of a body may be printed."""
    width, height = profile.page.width * POINTS, profile.page.height * POINTS
    left, right = profile.margins.left * POINTS - _EDGE, width - profile.margins.right * POINTS + _EDGE
    top, bottom = 5 * POINTS, height - profile.margins.bottom * POINTS + 2
    return (
        Box(0, 0, left, height),
        Box(right, 0, width - right, height),
        Box(0, 0, width, top),
        Box(0, bottom, width, height - bottom),
    )
