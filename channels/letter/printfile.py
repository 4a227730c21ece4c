"""One batch becomes one set of files for the mail house. Runs in a worker process; see `make`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import templates
from channels.contract import City, Outcome, Verdict
from channels.letter import fonts, guards
from channels.letter.addresses import Place
from channels.letter.codes import code
from channels.letter.compose import Body, Leaf, Role
from channels.letter.dates import long_date
from channels.letter.manifest import COLUMNS, EXCEPTION_COLUMNS, Outbox, exception_rows, row, table, write_set
from channels.letter.profiles import Profile
from channels.letter.recipients import Addressed, Filler, Letter, Problem, Words, address_all, fitting_size
from channels.letter.scan import Codes
from channels.letter.settings import LetterSettings
from channels.letter.typesetting import Typesetter, forget
from channels.letter.workdays import Schedule, schedule

CODES = "codes.bin"  # where overlay.typ finds the residents' QR codes
_TOTALS = ("job_id", "batch_file", "file_sha256", "letters", "pages", "sheets", "exceptions", "posted")


class WrongFile(RuntimeError):
    """What was set is not what was asked for. A defect: nothing of it is handed over."""


@dataclass(frozen=True, slots=True)
class Task:
    """One batch, as plain data that can go to another process."""

    reference: str
    number: int
    total: int
    created_at: datetime
    city: City
    settings: LetterSettings
    bodies: tuple[Body, ...]
    letters: tuple[Letter, ...]

    @property
    def local(self) -> datetime:
        """When the dispatch was planned, in the city's time."""
        return self.created_at.astimezone(ZoneInfo(self.city.timezone))

    @property
    def profile(self) -> Profile:
        """The envelope; one for all bodies of a batch."""
        return self.bodies[0].profile

    @property
    def job(self) -> str:
        """What the mail house calls the batch."""
        return f"{self.reference}-{self.number}"


def make(task: Task) -> list[Outcome]:
    """Write a batch's files, and say what became of each letter.

    A letter that an earlier attempt handed over is not printed again. ACCEPTED is only said of letters whose
    files are complete and renamed into place.

    Raises:
        OSError: the outbox cannot be written; nothing was handed over.
        CannotTypeset, WrongFile: a defect; nothing was handed over.
    """
    outbox = Outbox(task.settings.outbox)
    handed_over = outbox.written(task.reference, {letter.key for letter in task.letters})
    fresh = [letter for letter in task.letters if letter.key not in handed_over]
    addressed, problems = address_all(fresh, task.bodies, task.city, task.settings)
    known = outbox.refused(task.reference)
    if addressed or any(problem.key not in known for problem in problems):
        stem = outbox.stem(task.reference, task.profile.name, task.number, task.total)
        file = PrintFile(task, stem, _sorted(addressed, task.bodies))
        write_set(outbox.job(task.reference), stem, file.papers(problems))
        handed_over |= {letter.key: f"{stem}.pdf#{at}" for at, letter in enumerate(file.letters, start=1)}
    return [*_accepted(task.letters, handed_over), *map(_outcome, problems)]


def _accepted(letters: Sequence[Letter], handed_over: Mapping[int, str]) -> Iterator[Outcome]:
    for letter in letters:
        if letter.key in handed_over:
            yield Outcome(letter.key, Verdict.ACCEPTED, provider_id=handed_over[letter.key])


def _outcome(problem: Problem) -> Outcome:
    return Outcome(problem.key, problem.verdict, detail=problem.reason)


def _sorted(letters: Sequence[Addressed], bodies: Sequence[Body]) -> list[Addressed]:
    """By postcode, so that the post takes them in one tray; then by language, so that a person finds them."""

    def order(letter: Addressed) -> tuple[str, str, list[str], int]:
        languages = [bodies[words.body].language for words in letter.words]
        return letter.place.country, letter.place.postcode, languages, letter.key

    return sorted(letters, key=order)


class PrintFile:
    """The letters of one batch as one PDF, and the papers that go with it."""

    def __init__(self, task: Task, stem: str, letters: Sequence[Addressed]) -> None:
        self.task = task
        self.stem = stem
        self.letters = letters
        self._leaves = {
            key: self._leaf(*key) for key in sorted({key for letter in letters for key in _roles(letter)})
        }
        self._numbers = {key: at for at, key in enumerate(self._leaves)}
        links = (words.link for letter in letters for words in letter.words if words.choices)
        self._codes = Codes(links)
        self._pages = [sum(self._leaves[key].pages for key in _roles(letter)) for letter in letters]

    def _leaf(self, body: int, role: Role) -> Leaf:
        return self.task.bodies[body].leaf(role)

    def papers(self, problems: Sequence[Problem]) -> dict[str, bytes]:
        """Every file of the set by what its name ends with, the manifest last."""
        pdf = self.pdf() if self.letters else b""
        digest = sha256(pdf).hexdigest() if pdf else ""
        papers = {".pdf": pdf} if pdf else {}
        papers["_cover.pdf"] = self._cover(digest, len(problems))
        papers["_totals.csv"] = table(_TOTALS, [self._totals(digest, len(problems))])
        if problems:
            rows = exception_rows(self.task.job, problems, self.task.letters)
            papers["_exceptions.csv"] = table(EXCEPTION_COLUMNS, rows)
        papers[".csv"] = table(COLUMNS, self._rows(digest))
        return papers

    # -- the letters

    def pdf(self) -> bytes:
        """All letters, one after the other, each beginning on the front of a sheet.

        Raises:
            CannotTypeset: Typst refused.
            WrongFile: there are not as many pages as the letters have, or ink where the envelope's window is.
        """
        with self._typesetter() as typesetter:
            pdf = typesetter.pdf("overlay", self._stamps(), self.task.created_at, archival=False)
        forget()
        self._look_at(pdf)
        return pdf

    def pictures(self, ppi: float) -> list[bytes]:
        """The pages as PNG."""
        with self._typesetter() as typesetter:
            return typesetter.png("overlay", self._stamps(), ppi)

    def _typesetter(self) -> Typesetter:
        typesetter = Typesetter()
        for key, leaf in self._leaves.items():
            typesetter.put(f"{self._numbers[key]}.pdf", leaf.pdf)
        if self._codes.places:
            typesetter.put(CODES, self._codes.pixels)
        return typesetter

    def _stamps(self) -> dict[str, Any]:
        profile = self.task.profile
        return {
            "title": f"{self.task.job} {self.task.city.name}",
            "page": profile.page.model_dump(),
            "address": profile.address.model_dump(),
            "mark": profile.mark.model_dump(),
            "fonts": fonts.stack(self.task.city.languages[0]),
            "duplex": self.task.settings.duplex,
            "codes": bool(self._codes.places),
            "leaves": [self._stamped_leaf(*key) for key in self._leaves],
            "letters": [
                self._stamped_letter(at, letter, pages)
                for at, (letter, pages) in enumerate(zip(self.letters, self._pages, strict=True), start=1)
            ],
        }

    def _stamped_leaf(self, body: int, role: Role) -> dict[str, Any]:
        language = self.task.bodies[body].language
        leaf = self._leaves[body, role]
        return {
            "file": f"{self._numbers[body, role]}.pdf",
            "pages": leaf.pages,
            "slots": {
                name: {
                    "page": slot.page,
                    "x": slot.x,
                    "y": slot.y,
                    "width": slot.width,
                    "height": slot.height,
                }
                for name, slot in leaf.slots.items()
            },
            "fonts": fonts.stack(language),
            "lang": language.split("-")[0],
            "dir": templates.direction(language),
            "date": long_date(self.task.local.date(), language),
        }

    def _stamped_letter(self, at: int, letter: Addressed, pages: int) -> dict[str, Any]:
        return {
            "address": "\n".join(letter.lines),
            "size": letter.size,
            "code": code(letter.key),
            "mark": f"   {self.task.job}-{at:05} ",
            "pages": pages,
            "leaves": [
                self._stamped_words(self._numbers[key], words)
                for key, words in zip(_roles(letter), letter.words, strict=True)
            ],
        }

    def _stamped_words(self, leaf: int, words: Words) -> dict[str, Any]:
        stamped: dict[str, Any] = {"leaf": leaf, "greeting": words.greeting, "size": words.greeting_size}
        if words.choices:
            place = self._codes.places["".join(words.link)]
            stamped |= {"choices": words.choices, "choices_size": words.choices_size, "code": place}
        return stamped

    def _look_at(self, pdf: bytes) -> None:
        """Count the pages, and look through the window at the first letter in each language."""
        firsts = {letter.words[0].body: at for at, letter in reversed(list(enumerate(self.letters)))}
        clear = [area.box() for area in self.task.profile.clear]
        window = self.task.profile.address.box()
        first_pages = self.first_pages
        with guards.Pdf(pdf) as printed:
            if len(printed) != self.pages:
                raise WrongFile(f"The file has {len(printed)} pages instead of {self.pages}.")
            for at in firsts.values():
                inside, around = printed.window(first_pages[at] - 1, window, clear)
                if around or not inside:
                    raise WrongFile(f"The address of letter {at + 1} is not where the window is.")

    # -- the counts

    def _printed_pages(self, pages: int) -> int:
        """With the blank back that keeps the next letter on a front."""
        return pages + pages % 2 if self.task.settings.duplex else pages

    def _sheets(self, pages: int) -> int:
        return math.ceil(pages / 2) if self.task.settings.duplex else pages

    @property
    def pages(self) -> int:
        """In the file, blank backs included."""
        return sum(map(self._printed_pages, self._pages))

    @property
    def sheets(self) -> int:
        """Of paper."""
        return sum(map(self._sheets, self._pages))

    @property
    def first_pages(self) -> list[int]:
        """On which page of the file each letter begins, from 1."""
        printed = [self._printed_pages(pages) for pages in self._pages]
        return [end - pages + 1 for end, pages in zip(accumulate(printed), printed, strict=True)]

    # -- the papers

    def _rows(self, digest: str) -> Iterator[dict[str, Any]]:
        common = {
            "file_sha256": digest,
            "duplex": "yes" if self.task.settings.duplex else "no",
            "postage_class": self.task.settings.postage,
        }
        places = zip(self.letters, self._pages, self.first_pages, strict=True)
        for at, (letter, pages, first) in enumerate(places, start=1):
            where = {"seq_in_file": at, "first_page": first, "pages": pages, "sheets": self._sheets(pages)}
            yield row(self.task.job, f"{self.stem}.pdf", letter, self.task.bodies, where | common)

    def _schedule(self) -> Schedule:
        return schedule(self.task.local, self.task.settings)

    def _totals(self, digest: str, exceptions: int) -> dict[str, Any]:
        return {
            "job_id": self.task.job,
            "batch_file": f"{self.stem}.pdf" if self.letters else "",
            "file_sha256": digest,
            "letters": len(self.letters),
            "pages": self.pages,
            "sheets": self.sheets,
            "exceptions": exceptions,
            "posted": self._schedule().posted.isoformat(),
        }

    def _cover(self, digest: str, exceptions: int) -> bytes:
        with Typesetter() as typesetter:
            return typesetter.pdf(
                "cover", self._cover_job(digest, exceptions), self.task.created_at, archival=True
            )

    def _cover_job(self, digest: str, exceptions: int) -> dict[str, Any]:
        task, days = self.task, self._schedule()
        return {
            "file": f"{self.stem}.pdf",
            "title": f"{task.job}: file {task.number} of {task.total}",
            "city": task.city.name,
            "page": task.profile.page.model_dump(),
            "fonts": fonts.stack("en"),
            "figures": [
                ("Letters", f"{len(self.letters):,}"),
                ("Sheets of paper", f"{self.sheets:,}"),
                ("Pages in the file", f"{self.pages:,}"),
                ("Left out", f"{exceptions:,}"),
            ],
            "facts": [
                ("File", f"{self.stem}.pdf"),
                ("Paper", "A4" if task.profile.paper == "a4" else "US Letter"),
                (
                    "Printed",
                    "on both sides, each letter from a front" if task.settings.duplex else "on one side",
                ),
                ("Envelope", task.profile.label),
                ("Postage", task.settings.postage),
                ("Sorted by", "postcode, then language"),
            ],
            "dates": [
                ("Handed over", f"{task.local:%A %Y-%m-%d %H:%M} ({task.city.timezone})"),
                ("Cut-off", f"{days.cutoff:%A %Y-%m-%d %H:%M}"),
                ("To be posted on", f"{days.posted:%A %Y-%m-%d}"),
                ("Expected on doormats", f"{days.earliest:%A %Y-%m-%d} to {days.latest:%A %Y-%m-%d}"),
            ],
            "languages": self._by_language(),
            "notes": _cover_notes(self.stem, bool(self.letters), exceptions),
            "checksum": f"SHA-256 of the PDF: {digest}"
            if digest
            else "There is no PDF: no letter can be printed.",
        }

    def _by_language(self) -> list[tuple[str, str]]:
        spoken = Counter(
            " + ".join(
                templates.language_name(self.task.bodies[words.body].language, "en") for words in letter.words
            )
            for letter in self.letters
        )
        most = sorted(spoken.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in most[_MOST_ROWS:])
        rows = [(name, f"{count:,}") for name, count in most[:_MOST_ROWS]]
        return [*rows, ("Others", f"{rest:,}")] if rest else rows


_MOST_ROWS = 8  # of languages on a cover sheet, which is one page


def _cover_notes(stem: str, any_letters: bool, exceptions: int) -> list[str]:
    notes = [f"One row for each letter is in {stem}.csv."] if any_letters else []
    if exceptions:
        notes.append(
            f"The letters left out, and why, are in {stem}_exceptions.csv: for the city, not for print."
        )
    return notes


def _roles(letter: Addressed) -> list[tuple[int, Role]]:
    """Which body in which role: the first language has the window."""
    return [(words.body, "follow" if at else "lead") for at, words in enumerate(letter.words)]


def specimen(body: Body, city: City, settings: LetterSettings, at: datetime) -> PrintFile:
    """One letter to nobody in particular, to be looked at."""
    task = Task("proof", 1, 1, at, city, settings, (body,), ())
    resident = templates.phrases(body.source_language)["resident"]
    words = Filler(body, city).words(0, (), "…")
    place = Place(city.postal_address, "", city.country)
    lines = (resident, *city.postal_address)
    size = fitting_size(lines, body.profile, fonts.stack(city.languages[0])) or min(
        body.profile.address_sizes
    )
    return PrintFile(task, "proof", [Addressed(0, lines, size, place, (words,))])
