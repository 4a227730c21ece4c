"""The letter channel: print-ready files in a folder that the mail house empties."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import ClassVar, Self

from pydantic import BaseModel

import templates
from channels.contract import (
    AddressKind,
    Answer,
    ApprovedText,
    Batch,
    CallbackRefused,
    CallbackRequest,
    CannotCompose,
    City,
    Event,
    Finding,
    Level,
    Message,
    MissingSettings,
    Outcome,
    Rendering,
    Verdict,
)
from channels.letter import codes, fonts, guards
from channels.letter.compose import Body, compose
from channels.letter.manifest import Outbox
from channels.letter.printfile import Task, make
from channels.letter.recipients import Letter
from channels.letter.settings import LetterSettings

_ROOM = 500 * 1024 * 1024  # bytes: a hundred thousand letters are a fifth of it
_SLACK = timedelta(days=1)  # a file server's clock may be off; looking at a day more costs little


class LetterChannel:
    """Letters as PDF, for a mail house. See `channels.contract.Channel` for what each method promises."""

    name: ClassVar[str] = "letter"
    label: ClassVar[str] = "Letter (print files)"
    unit: ClassVar[str] = "pages"
    address_kind: ClassVar[AddressKind] = AddressKind.POSTAL
    batch_size: ClassVar[int] = 5000
    repeat_is_safe: ClassVar[bool] = True
    disturbs: ClassVar[bool] = False
    per_household: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = LetterSettings

    rate: float = 0.0

    def __init__(self, settings: BaseModel, city: City) -> None:
        """Take settings that `LetterSettings` has checked, and find the envelope.

        Raises:
            MissingSettings: these are another channel's settings, or paper and profile do not fit.
        """
        if not isinstance(settings, LetterSettings):
            raise MissingSettings(
                "The letter channel needs NOTIFY_LETTER__OUTBOX: name the folder the mail house picks letters up from."
            )
        self.settings = settings
        self.city = replace(city, postal_address=settings.return_address or city.postal_address)
        self.profile = settings.envelope(city)
        self._outbox = Outbox(settings.outbox)
        self._executor: Executor | None = None
        self._running: set[Future[list[Outcome]]] = set()

    async def __aenter__(self) -> Self:
        """Get ready to start workers; they start with the first letters."""
        self._executor = self._new_executor()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let files that are being written be finished, and end the workers."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)

    def _new_executor(self) -> Executor:
        workers = self.settings.processes()
        if not workers:
            return ThreadPoolExecutor(1, thread_name_prefix="letters")
        # Spawned, not forked: the hub has threads, and a forked lock stays shut.
        return ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_the_hub
        )

    async def announce(self) -> None:
        """Nothing to tell: a mail house calls nobody back."""

    def compose(self, text: ApprovedText) -> Rendering:
        """Set one text as a letter, all but the resident; raise `CannotCompose` when it cannot be printed well."""
        return compose(text, self.city, self.settings, self.profile)

    async def send(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Write the batch's files; ACCEPTED only when they are complete and in place."""
        messages = [message async for message in batch.messages]
        if messages:
            for outcome in await self._make(_task(batch, messages, self.city, self.settings)):
                yield outcome

    async def _make(self, task: Task) -> Sequence[Outcome]:
        executor = self._executor
        try:
            return await self._in_worker(executor, task)
        except OSError as error:
            reason = (
                f"The outbox cannot be written ({error.strerror}). Make room, or let this user write there."
            )
            return _all(task, Verdict.UNREACHABLE, reason)
        except BrokenProcessPool:
            if self._executor is executor:  # the first of the files that were in its hands
                self._executor = self._new_executor()
            return _all(task, Verdict.UNREACHABLE, "The worker process ended before its file was complete.")
        except Exception as error:
            # Its text may quote a resident's name or address.
            reason = f"The letters could not be set ({type(error).__name__}). Run `notify doctor`."
            return _all(task, Verdict.MISCONFIGURED, reason)

    async def _in_worker(self, executor: Executor | None, task: Task) -> Sequence[Outcome]:
        if executor is None:
            raise RuntimeError("The channel is not open: use it as `async with`.")
        running = executor.submit(make, task)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(running)

    async def reconcile(self, message: Message, since: datetime) -> Outcome | None:
        """Look for the letter in the manifests: it is in one, or it was provably not handed over."""
        # A file whose sender gave up is still being written: what it holds is known when it is done.
        await asyncio.gather(*map(asyncio.wrap_future, list(self._running)), return_exceptions=True)
        found = await asyncio.to_thread(self._outbox.find, message.key, (since - _SLACK).timestamp())
        if found:
            return Outcome(message.key, Verdict.ACCEPTED, provider_id=found)
        return Outcome(message.key, Verdict.UNREACHABLE, detail="It is in no manifest of the outbox.")

    @staticmethod
    def return_code(key: int) -> str:
        """What stands at the foot of a letter, to enter it by when the post brings it back."""
        return codes.code(key)

    @staticmethod
    def read_return_code(code: str) -> int:
        """The letter that such a code names; raise `channels.incoming.BadCode`."""
        return codes.read(code)

    def read_callback(self, request: CallbackRequest) -> Sequence[Event]:  # noqa: ARG002
        """A mail house calls nobody back: refuse."""
        raise CallbackRefused("Letters have no callbacks.")

    def answer(self, event: Event, text: str) -> Answer:  # noqa: ARG002
        """Plain text, for whoever asks."""
        return Answer("text/plain; charset=utf-8", text.encode())

    async def check(self) -> Sequence[Finding]:
        """Look at the outbox, the room in it, the fonts for each language, and whether a letter can be set."""
        return await asyncio.to_thread(lambda: list(self._findings()))

    def _findings(self) -> Iterable[Finding]:
        yield self._writable()
        yield self._room()
        yield self._return_address()
        yield from self._fonts()
        yield self._probe()

    def _fonts(self) -> Iterable[Finding]:
        return map(_glyphs, self.city.languages)

    def _writable(self) -> Finding:
        folder = self.settings.outbox
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return Finding(Level.OK, "outbox", f"{folder} can be written.")
        except OSError as error:
            return Finding(
                Level.ERROR,
                "outbox",
                f"{folder} cannot be written ({error.strerror}).",
                "Make the folder and give this user the right to write, or change NOTIFY_LETTER__OUTBOX.",
            )

    def _room(self) -> Finding:
        try:
            free = shutil.disk_usage(self.settings.outbox).free
        except OSError:
            return Finding(
                Level.WARNING, "outbox", "How much room is left is not known.", "See the finding above."
            )
        if free < _ROOM:
            cure = "Take away files that are printed, or name a larger disk in NOTIFY_LETTER__OUTBOX."
            return Finding(Level.WARNING, "outbox", f"Only {free // 1024**2} MB are free.", cure)
        return Finding(Level.OK, "outbox", f"{free // 1024**3} GB are free.")

    def _return_address(self) -> Finding:
        if self.city.postal_address:
            return Finding(Level.OK, "return address", "It is printed on each letter.")
        return Finding(
            Level.WARNING,
            "return address",
            "There is none, so letters that cannot be delivered do not come back.",
            "Set NOTIFY_CITY__POSTAL_ADDRESS or NOTIFY_LETTER__RETURN_ADDRESS.",
        )

    def _probe(self) -> Finding:
        language = self.city.languages[0]
        text = ApprovedText("probe", language, language, "notice", self.city.name, "", self.city.name)
        try:
            self.compose(text)
        except CannotCompose as error:
            return Finding(
                Level.ERROR,
                "layout",
                str(error),
                "Reinstall notify-city; see channels/letter/README.md for profiles.",
            )
        return Finding(Level.OK, "layout", f"A letter can be set for {self.profile.label}.")


def _task(batch: Batch, messages: Sequence[Message], city: City, settings: LetterSettings) -> Task:
    """The batch as plain data: each body once, each letter with the numbers of its bodies."""
    numbers: dict[str, int] = {}
    bodies: list[Body] = []

    def number(rendering: Rendering) -> int:
        body = rendering.content
        if not isinstance(body, Body):
            raise TypeError("A letter's rendering comes from LetterChannel.compose.")
        if body.digest not in numbers:
            numbers[body.digest] = len(bodies)
            bodies.append(body)
        return numbers[body.digest]

    letters = tuple(
        Letter(
            message.key, message.address, message.name, message.token, tuple(map(number, message.renderings))
        )
        for message in messages
    )
    return Task(
        batch.reference, batch.number, batch.total, batch.created_at, city, settings, tuple(bodies), letters
    )


def _all(task: Task, verdict: Verdict, reason: str) -> list[Outcome]:
    return [Outcome(letter.key, verdict, detail=reason) for letter in task.letters]


def _glyphs(language: str) -> Finding:
    """Whether the fonts have every character of a language's fixed sentences."""
    lacking = fonts.missing("".join(templates.phrases(language).values()), fonts.stack(language))
    subject = f"fonts for {language}"
    if lacking:
        described = guards.describe(lacking)
        return Finding(
            Level.ERROR,
            subject,
            f"No font has {described}.",
            "Reinstall manimgx-fonts and manimgx-fonts-cjk.",
        )
    return Finding(Level.OK, subject, f"{fonts.stack(language)[0]} has every character of its phrases.")


def _end_with_the_hub() -> None:
    """End this worker when the hub dies: a file begun before a crash must not appear after the restart."""
    Thread(target=_wait_for_the_hub, name="hub watch", daemon=True).start()


def _wait_for_the_hub() -> None:
    hub = multiprocessing.parent_process()
    if hub is not None:
        hub.join()
        os._exit(1)
