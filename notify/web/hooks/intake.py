"""Many callbacks, few commits: those that come while others are being written are then written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from channels.contract import Channel, Event
from notify.database import Database
from notify.web.guard import where

log = structlog.get_logger()

MOST = 500  # callbacks in one commit

Said = TypeVar("Said")  # what a resident is told
Take = Callable[[Session, Channel, Event], Said]


class NotTaken(RuntimeError):
    """The callback could not be written; the provider should call again."""


@dataclass(slots=True)
class _Call(Generic[Said]):
    channel: Channel
    events: Sequence[Event]
    answers: asyncio.Future[list[Said] | None]  # None: it could not be written


class Intake(Generic[Said]):
    """Writes callbacks in groups.

    Args:
        database: where to.
        take: enters one event and returns what the resident is told.
    """

    def __init__(self, database: Database, take: Take[Said]) -> None:
        self._database = database
        self._take = take
        self._waiting: list[_Call[Said]] = []
        self._writer: asyncio.Task[None] | None = None

    async def enter(self, channel: Channel, events: Sequence[Event]) -> list[Said]:
        """Enter the events of one callback; returns when they are on disk.

        Returns:
            What the resident is told in answer to each event.

        Raises:
            NotTaken: nothing of this callback was kept.
        """
        call: _Call[Said] = _Call(channel, events, asyncio.get_running_loop().create_future())
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

    def _write(self, calls: Sequence[_Call[Said]]) -> list[list[Said] | None]:
        with self._database.session() as session:
            answers = [self._write_one(session, call) for call in calls]
            session.commit()
        return answers

    def _write_one(self, session: Session, call: _Call[Said]) -> list[Said] | None:
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
