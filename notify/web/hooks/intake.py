"""Many callbacks, few commits: those that come while others are being written are then written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from channels.contract import Channel, Event
from notify.database import Database
from notify.web.guard import where

log = structlog.get_logger()

MOST = 500  # callbacks in one commit

Answers = list[str]
Take = Callable[[Session, Channel, Event], str]


class NotTaken(RuntimeError):
    """The callback could not be written; the provider should call again."""


@dataclass(slots=True)
class _Call:
    channel: Channel
    events: Sequence[Event]
    answers: asyncio.Future[Answers | None]  # None: it could not be written


class Intake:
    """Writes callbacks in groups.

    Args:
        database: where to.
        take: enters one event and returns the text for the resident, empty for none.
    """

    def __init__(self, database: Database, take: Take) -> None:
        self._database = database
        self._take = take
        self._waiting: list[_Call] = []
        self._writer: asyncio.Task[None] | None = None

    async def enter(self, channel: Channel, events: Sequence[Event]) -> Answers:
        """Enter the events of one callback; returns when they are on disk.

        Returns:
            The text for the resident to each event.

        Raises:
            NotTaken: nothing of this callback was kept.
        """
        call = _Call(channel, events, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        answers = await call.answers
        if answers is None:
            raise NotTaken
        return answers

    async def _write_all(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                answers = await run_in_threadpool(self._write, calls)
            except Exception as error:
                _log_defect(error, calls=len(calls))
                answers = [None] * len(calls)
            for call, given in zip(calls, answers, strict=True):
                if not call.answers.done():
                    call.answers.set_result(given)

    def _write(self, calls: Sequence[_Call]) -> list[Answers | None]:
        with self._database.session() as session:
            answers = [self._write_one(session, call) for call in calls]
            session.commit()
        return answers

    def _write_one(self, session: Session, call: _Call) -> Answers | None:
        """A callback that cannot be written takes no other with it."""
        try:
            with session.begin_nested():
                return [self._take(session, call.channel, event) for event in call.events]
        except Exception as error:
            _log_defect(error, channel=call.channel.name)
            return None


def _log_defect(error: Exception, **ids: object) -> None:
    """The error's text stays out of the log: it may hold an address or a resident's words."""
    log.error("callback_not_written", error=type(error).__name__, where=where(error), **ids)
