"""From a message to what is stamped over the bodies: checked, fitted and fenced; or the reason why not.

This runs for every resident, so each check has a cheap way for plain Latin text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import templates
from channels.contract import City, Verdict
from channels.letter import fonts, guards
from channels.letter.addresses import BadAddress, Place, check, tidy
from channels.letter.compose import Body, Slot, is_borrowed
from channels.letter.dates import listed
from channels.letter.profiles import LINE, Profile
from channels.letter.settings import LetterSettings

MOST_LANGUAGES = 3  # in one letter
_GREETING_SIZES = (10.5, 9.5, 8.5, 7.5)  # points
_CHOICES_SIZES = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
_MOST_ACCENTS = 4  # on one letter; Hebrew with all its points has as many, and more reach out of their line
_ABOVE_OR_BELOW = 200  # canonical combining classes from here on stand above or below a letter
_BEYOND = 1.005  # lines this much taller than the window still fit: the last has air under it


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as the worker gets it."""

    key: int
    address: str = field(repr=False)
    name: str = field(repr=False)
    token: str = field(repr=False)
    bodies: tuple[int, ...]  # which of the file's bodies, in order


@dataclass(frozen=True, slots=True)
class Words:
    """What is stamped on one language of a letter, and how large, in points."""

    body: int
    greeting: str = field(repr=False)
    greeting_size: float
    choices: str = field(repr=False)
    choices_size: float
    link: tuple[str, str] = field(repr=False)  # the same in two parts: the city's, and the resident's own


@dataclass(frozen=True, slots=True)
class Addressed:
    """A letter that can be stamped."""

    key: int
    lines: tuple[str, ...] = field(repr=False)  # in the window, the addressee first
    size: float  # of these, in points
    place: Place = field(repr=False)
    words: tuple[Words, ...]

    @property
    def household(self) -> str:
        """The address as one value: equal for letters to one place."""
        return "\n".join(self.place.lines).casefold()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a letter is not printed; `reason` holds no personal data."""

    key: int
    verdict: Verdict
    reason: str


class _Unfit(ValueError):
    """This letter to this resident cannot be printed well."""


def address_all(
    letters: Iterable[Letter], bodies: Sequence[Body], city: City, settings: LetterSettings
) -> tuple[list[Addressed], list[Problem]]:
    """Those that can be printed, and why the others cannot.

    Two letters to one address are one too many: the second is refused (R27).
    """
    addresser = Addresser(bodies, city, settings)
    addressed: list[Addressed] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for letter in letters:
        made = addresser.address(letter)
        if isinstance(made, Addressed) and made.household in seen:
            made = Problem(
                letter.key, Verdict.REFUSED, "Another letter of this file goes to the same address."
            )
        if isinstance(made, Problem):
            problems.append(made)
        else:
            seen.add(made.household)
            addressed.append(made)
    return addressed, problems


class Addresser:
    """Addresses the letters of one file."""

    def __init__(self, bodies: Sequence[Body], city: City, settings: LetterSettings) -> None:
        self._settings = settings
        self._city = city
        self._bodies = bodies
        self._latin = fonts.stack(city.languages[0])
        self._residents = [tidy(templates.phrases(body.source_language)["resident"]) for body in bodies]
        self._fillers = [Filler(body, city) for body in bodies]

    def address(self, letter: Letter) -> Addressed | Problem:
        """Check and fit one letter."""
        lines, names = tidy(letter.address), tidy(letter.name)
        addressee = self._addressee(names, lines, letter)
        try:
            place = check(lines, addressee, self._city.country, international=self._settings.international)
            self._refuse_too_many_pages(letter)
            printed = (*addressee, *place.lines)
            size = fit_window(printed, self._profile(letter), self._latin)
            words = tuple(self._fillers[body].words(body, names, letter.token) for body in letter.bodies)
        except BadAddress as error:
            blames_the_name = 0 < error.line <= len(addressee)
            return Problem(
                letter.key, Verdict.REFUSED if blames_the_name else Verdict.BAD_ADDRESS, str(error)
            )
        except _Unfit as error:
            return Problem(letter.key, Verdict.REFUSED, str(error))
        return Addressed(letter.key, printed, size, place, words)

    def _profile(self, letter: Letter) -> Profile:
        return self._bodies[letter.bodies[0]].profile

    def _addressee(self, names: tuple[str, ...], lines: tuple[str, ...], letter: Letter) -> tuple[str, ...]:
        """Who stands above the address. Sorting machines read Latin: there, a name in another script is greeted
        in the letter, and the window says "our neighbors at this address"."""
        foreign = not fonts.is_latin("".join(names)) and fonts.is_latin("".join(lines))
        return names if names and not foreign else self._residents[letter.bodies[0]]

    def _refuse_too_many_pages(self, letter: Letter) -> None:
        if len(letter.bodies) > MOST_LANGUAGES:
            raise _Unfit(f"One letter holds {MOST_LANGUAGES} languages, not {len(letter.bodies)}.")
        pages = sum(
            self._bodies[body].leaf("follow" if at else "lead").pages for at, body in enumerate(letter.bodies)
        )
        if pages > self._settings.max_pages:
            raise _Unfit(
                f"In these languages together the letter has {pages} pages, {self._settings.max_pages} at most."
            )


def fit_window(lines: Sequence[str], profile: Profile, stack: tuple[str, ...]) -> float:
    """The largest size, in points, in which an address fits its window.

    Raises:
        _Unfit: not even the smallest fits, or a line cannot be printed.
    """
    for number, line in enumerate(lines, start=1):
        if not printable(line, stack):
            raise _Unfit(f"Line {number} has characters that cannot be printed.")
    size = fitting_size(lines, profile, stack)
    if size is None:
        raise _Unfit(
            f"It does not fit the envelope's window ({profile.name}): it is too long or has too many lines."
        )
    return size


def fitting_size(lines: Sequence[str], profile: Profile, stack: tuple[str, ...]) -> float | None:
    """The largest of the profile's sizes, in points, in which lines fit the window."""
    window = profile.address.box()
    widest = max(fonts.width(line, stack) for line in lines)
    tall = len(lines) * LINE
    sizes = profile.address_sizes
    return next(
        (size for size in sizes if widest * size <= window.width and tall * size <= window.height * _BEYOND),
        None,
    )


def printable(text: str, stack: tuple[str, ...]) -> bool:
    """Whether every character has a glyph, every mark its letter, and no letter so many that they leave the line."""
    if fonts.is_plain(text):
        return True
    return not (fonts.missing(text, stack) or guards.has_loose_mark(text, stack) or _leaves_its_line(text))


def _leaves_its_line(text: str) -> bool:
    """Whether marks reach out of the window: a line's first character, or piled up on one letter.

    One such name would make the whole print file look as if its addresses were not in their windows.
    """
    if any(unicodedata.category(line.lstrip()[:1] or " ")[0] == "M" for line in text.split("\n")):
        return True
    runs = groupby(text, key=lambda character: unicodedata.combining(character) >= _ABOVE_OR_BELOW)
    return any(is_accents and len(list(run)) > _MOST_ACCENTS for is_accents, run in runs)


class Filler:
    """Fills one body's places: the greeting, and the link to where residents choose how the city writes."""

    def __init__(self, body: Body, city: City) -> None:
        self._body = body
        self._stack = fonts.stack(body.language)
        self._phrases = templates.phrases(body.language)
        self._frame = guards.named if is_borrowed(body.language) else str
        self._frame_width = fonts.width(self._phrases["greeting"].format(name=""), self._stack)
        self._city_url = city.public_url

    def words(self, body: int, names: Sequence[str], token: str) -> Words:
        """What is stamped for one resident.

        Raises:
            _Unfit: the name or the link cannot be printed in its place.
        """
        greeting, greeting_size = self._greeting(names)
        choices, choices_size = self._choices(token)
        return Words(body, greeting, greeting_size, choices, choices_size, self._link(token))

    def _greeting(self, names: Sequence[str]) -> tuple[str, float]:
        if not names:
            return self._frame(self._phrases["greeting_plain"]), _GREETING_SIZES[0]
        name = listed([guards.named(name) for name in names], self._body.language)
        if not printable(name, self._stack):
            raise _Unfit("The name has characters that cannot be printed.")
        width = self._frame_width + fonts.width(name, self._stack)
        size = _fit(width, self._body.lead.slots["greeting"], _GREETING_SIZES)
        if size is None:
            raise _Unfit("The name is too long for the greeting.")
        return self._frame(self._phrases["greeting"].format(name=name)), size

    def _choices(self, token: str) -> tuple[str, float]:
        slot = self._body.lead.slots.get("choices")
        if slot is None:
            return "", _CHOICES_SIZES[0]
        url = "".join(self._link(token))
        size = _fit(fonts.width(url, _LATIN_STACK), slot, _CHOICES_SIZES)
        if size is None:
            raise _Unfit("The link to the resident's choices is too long for its place.")
        return guards.fenced(url), size

    def _link(self, token: str) -> tuple[str, str]:
        return guards.clean(f"{self._city_url}/p/" if token else self._city_url), guards.clean(token)


_LATIN_STACK = fonts.stack("en")


def _fit(width: float, slot: Slot, sizes: Sequence[float]) -> float | None:
    """The largest size, in points, in which so many ems fit a place."""
    return next((size for size in sizes if width * size <= slot.width), None)
