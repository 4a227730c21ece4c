"""The settings of the letter channel, read from `NOTIFY_LETTER__…` or the table `[letter]`.

The core puts the variable's name in front of every message here, so a message only says what fits. What belongs
together (paper and profile) is checked when the channel is built.
"""

from __future__ import annotations

import os
from datetime import date, time
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from channels.contract import City
from channels.letter.profiles import Paper, Profile, choose

MOST_WORKERS = 2  # by default: setting type keeps a core busy, and the hub needs one too


class LetterSettings(BaseModel):
    """Where letters go, on what they are printed, what they cost, and when the mail house posts them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outbox: Path  # where print files go; without it the channel is off
    paper: Paper | None = None  # the country's, when not set
    profile: str = ""  # a packaged envelope's name, or the path of a .json file
    duplex: bool = True  # printed on both sides
    workers: int | None = Field(default=None, ge=0, le=64)  # processes; 0 sets the letters in the hub's own
    price_per_page: Decimal = Field(default=Decimal(0), ge=0)  # an estimate, in the city's currency
    price_per_letter: Decimal = Field(default=Decimal(0), ge=0)  # postage, envelope and handling, likewise
    return_address: tuple[str, ...] = ()  # the city's postal address, when not set
    max_pages: int = Field(default=10, ge=1, le=10)  # of one letter, all its languages together (R26)
    international: bool = False  # whether addresses in other countries are taken (R25)
    postage: str = Field(default="first class", max_length=40)  # told to the mail house
    cutoff: time = time(15)  # local; what is handed over later counts for the next working day (R27)
    delivery_days: tuple[int, int] = (1, 5)  # working days from posting to the doormat, at best and at worst
    weekend: tuple[int, ...] = (5, 6)  # days without post: 0 is Monday
    holidays: tuple[date, ...] = ()

    @field_validator("delivery_days")
    @classmethod
    def _runs_forwards(cls, days: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= days[0] <= days[1]:
            raise ValueError("first the fewest working days, then the most")
        return days

    @field_validator("weekend")
    @classmethod
    def _leaves_a_working_day(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not set(days) < set(range(7)):
            raise ValueError("days from 0 (Monday) to 6 (Sunday), and not all of them")
        return days

    def envelope(self, city: City) -> Profile:
        """The window profile in force.

        Raises:
            MissingSettings: it is not there, or is for another paper.
        """
        return choose(self.profile, self.paper, city.country)

    def processes(self) -> int:
        """How many worker processes to keep."""
        return min(os.cpu_count() or 1, MOST_WORKERS) if self.workers is None else self.workers
