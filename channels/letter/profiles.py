"""Envelopes as data: where the window is, what must stay white, how large the address may be.

`profiles/<name>.json` holds one each, in millimetres from the top left corner of the first page. A city whose
mail house has another window writes its own file and names it in NOTIFY_LETTER__PROFILE.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from channels.contract import MissingSettings
from channels.letter.guards import Box

Paper = Literal["a4", "us-letter"]

POINTS = 72 / 25.4  # in a millimetre
LINE = 1.2  # a line of the address is so many times its letters' size high

# Countries whose offices print on US Letter; the rest of the world prints on A4.
_LETTER_COUNTRIES = frozenset(
    {"US", "CA", "MX", "PR", "PH", "CO", "VE", "CL", "CR", "GT", "NI", "PA", "SV", "DO"}
)
_DEFAULTS: dict[Paper, str] = {"a4": "uk-dl-left", "us-letter": "us-10"}


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Size(_Data):
    """Of a page, in millimetres."""

    width: float = Field(gt=0)
    height: float = Field(gt=0)


class Margins(_Data):
    """Around what is written, in millimetres."""

    left: float = Field(ge=0)
    right: float = Field(ge=0)
    top: float = Field(ge=0)
    bottom: float = Field(ge=0)


class Point(_Data):
    """A place, in millimetres from the top left."""

    x: float = Field(ge=0)
    y: float = Field(ge=0)


class Area(Point):
    """A rectangle, in millimetres from the top left."""

    width: float = Field(gt=0)
    height: float = Field(gt=0)

    def box(self) -> Box:
        """The same rectangle in points."""
        return Box(self.x * POINTS, self.y * POINTS, self.width * POINTS, self.height * POINTS)


class Profile(_Data):
    """One envelope and the sheet that goes into it."""

    name: str = Field(pattern=r"^[A-Za-z0-9.-]{1,60}$")  # it becomes part of file names
    label: str
    source: str  # who says so
    paper: Paper
    page: Size
    margins: Margins
    letterhead: Area
    address: Area  # what the window shows, however the sheet slides in the envelope
    return_line: Area | None = None  # inside the window above the address, where the envelope carries none
    sender: Area  # column for the city's address and the date
    body_top: float = Field(gt=0)  # where the text begins on the first page
    mark: Point  # the sheet's number, for the mail house
    clear: tuple[Area, ...]  # where nothing but the address may be printed
    address_sizes: tuple[float, ...] = Field(min_length=1)  # in points, the first that fits is taken

    @model_validator(mode="after")
    def _is_possible(self) -> Profile:
        if self.address.y + self.address.height > self.body_top:
            raise ValueError("body_top lies inside the address: move it below")
        if self.address.x + self.address.width > self.page.width:
            raise ValueError("the address is wider than the page")
        return self

    @property
    def text_width(self) -> float:
        """Between the margins, in points."""
        return (self.page.width - self.margins.left - self.margins.right) * POINTS


def paper_of(country: str) -> Paper:
    """What a country's offices print on."""
    return "us-letter" if country.upper() in _LETTER_COUNTRIES else "a4"


def names() -> tuple[str, ...]:
    """The profiles that come with the hub."""
    return tuple(sorted(path.stem for path in _directory().glob("*.json")))


def choose(name: str, paper: Paper | None, country: str) -> Profile:
    """The profile the settings ask for, or the usual one for the paper or the country.

    Args:
        name: of a packaged profile, or the path of a JSON file; empty for the usual one.
        paper: as in the settings, or None for the country's.
        country: ISO 3166-1 alpha-2.

    Raises:
        MissingSettings: there is no such profile, it cannot be read, or it is for another paper.
    """
    profile = load(name or _DEFAULTS[paper or paper_of(country)])
    if paper and profile.paper != paper:
        raise MissingSettings(
            f"NOTIFY_LETTER__PROFILE {profile.name!r} is for {profile.paper} paper, but NOTIFY_LETTER__PAPER is"
            f" {paper!r}: change one of the two."
        )
    return profile


@cache
def load(name: str) -> Profile:
    """Read a packaged profile by name, or a city's own by the path of its JSON file.

    Raises:
        MissingSettings: it is not there, or something in it does not fit.
    """
    path = Path(name) if name.endswith(".json") else _directory() / f"{name}.json"
    try:
        return Profile.model_validate({"name": path.stem, **json.loads(path.read_text("utf-8"))})
    except OSError:
        raise MissingSettings(_unknown(name)) from None
    except (ValidationError, ValueError, TypeError) as error:
        raise MissingSettings(f"NOTIFY_LETTER__PROFILE {name!r} does not fit: {error}") from None


def _unknown(name: str) -> str:
    return (
        f"NOTIFY_LETTER__PROFILE {name!r} is not there: name one of {', '.join(names())},"
        " or the path of a .json file with your mail house's window."
    )


def _directory() -> Path:
    return Path(__file__).parent / "profiles"
