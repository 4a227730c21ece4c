"""One call of a program: whose it is, what it may do, its transaction, its trace, and its answer.

Everything a call does is one transaction: the deed, its line in the audit trail, and the answer that is kept
for a repetition.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from contacts.columns import now
from notify import apikeys, audit
from notify.apikeys import Admitted, IdempotencyKey
from notify.hub import Hub
from notify.residents import Keeper
from notify.staff import Staff
from notify.web.api.paging import Cursors
from notify.web.api.problems import Place, Problem

ANSWERS_ARE_KEPT = timedelta(hours=24)

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Trace:
    """A line in the audit trail. Ids and counts, never personal data."""

    action: str
    subject: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call comes to."""

    content: BaseModel | None = field(default=None, repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    trace: Trace | None = None  # None: nobody's data was looked at or changed, or the deed left its own

    def response(self) -> Response:
        """As it leaves."""
        headers = {**_NO_STORE, **self.headers}
        if self.content is None:
            return Response(status_code=self.status, headers=headers)
        return Response(self.body, self.status, headers, "application/json")

    @property
    def body(self) -> bytes:
        """The content as JSON."""
        return self.content.model_dump_json().encode() if self.content else b""


class Pending:
    """The idempotency keys of the calls that this process is busy with."""

    def __init__(self) -> None:
        self._busy: set[tuple[int, str]] = set()
        self._lock = Lock()

    @contextmanager
    def hold(self, key_id: int, key: str) -> Iterator[None]:
        """Keep others with the same key out meanwhile.

        Raises:
            Problem: somebody is at it already.
        """
        with self._lock:
            if (key_id, key) in self._busy:
                raise _still_busy()
            self._busy.add((key_id, key))
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard((key_id, key))


@dataclass(frozen=True)
class Call:
    """One call, admitted."""

    hub: Hub
    admitted: Admitted
    cursors: Cursors
    pending: Pending
    repetition: str = ""  # the idempotency key
    fingerprint: str = field(default="", repr=False)  # of method, path and body

    @property
    def person(self) -> Staff:
        """For whom the program acts."""
        return self.admitted.person

    @property
    def actor(self) -> str:
        """The person, for the ledgers."""
        return self.person.email

    @property
    def keeper(self) -> Keeper:
        """The person at work, for deeds that leave their own trace: with the key in it."""
        return Keeper(f"{self.actor} (key {self._key_id})", self.person)

    def read(self, deed: Callable[[Session], Answer]) -> Response:
        """Look something up; that it was looked up is on record before it leaves."""
        with self.hub.database.reading() as session:
            answer = deed(session)
        if answer.trace or not apikeys.use_is_noted(self.admitted.key):
            with self.hub.database.session() as session:
                self._sign(session, answer)
                session.commit()
        return answer.response()

    def write(self, deed: Callable[[Session], Answer]) -> Response:
        """Change something, once, however often the same call comes."""
        if not self.repetition:
            return self._do(deed)
        with self.pending.hold(self._key_id, self.repetition):
            return self._do_once(deed)

    def about(self, more: bytes) -> Call:
        """The call with what tells it from others, where that is not its body alone."""
        printed = hashlib.sha256(self.fingerprint.encode() + more).hexdigest()
        return replace(self, fingerprint=printed if self.repetition else "")

    def work(self, deed: Callable[[], Answer]) -> Response:
        """Do something long, that commits as it goes and does no harm when it is done again.

        Its line in the audit trail, and the answer kept for a repetition, follow in a transaction of their own.
        """
        if not self.repetition:
            return self._do(lambda _: deed())
        with self.pending.hold(self._key_id, self.repetition):
            with self.hub.database.session() as session:
                kept = self._kept(session)
                session.commit()
            if kept:
                return _again(kept)
            answer = deed()
            return self._do_once(lambda _: answer)

    def _do(self, deed: Callable[[Session], Answer]) -> Response:
        with self.hub.database.session() as session:
            answer = deed(session)
            self._sign(session, answer)
            session.commit()
        return answer.response()

    def _do_once(self, deed: Callable[[Session], Answer]) -> Response:
        with self.hub.database.session() as session:
            if kept := self._kept(session):
                return _again(kept)
            place = self._take_place(session)
            answer = deed(session)
            place.status, place.body = answer.status, _envelope(answer)
            session.add(place)
            self._sign(session, answer)
            session.commit()
        return answer.response()

    def _kept(self, session: Session) -> IdempotencyKey | None:
        """The answer to the same request that is kept, if there is one.

        Raises:
            Problem: the key came with another request.
        """
        session.execute(delete(IdempotencyKey).where(col(IdempotencyKey.at) < now() - ANSWERS_ARE_KEPT))
        query = select(IdempotencyKey).where(
            IdempotencyKey.api_key_id == self._key_id, IdempotencyKey.key == self.repetition
        )
        found = session.exec(query).first()
        if found is not None and found.request != self.fingerprint:
            raise _other_request()
        return found

    def _take_place(self, session: Session) -> IdempotencyKey:
        """The row that will hold the answer; nobody else can have it meanwhile.

        Raises:
            Problem: another process is at it.
        """
        place = IdempotencyKey(
            api_key_id=self._key_id, key=self.repetition, request=self.fingerprint, status=0, body=""
        )
        session.add(place)
        try:
            session.flush()
        except IntegrityError:
            raise _still_busy() from None
        return place

    @property
    def _key_id(self) -> int:
        return self.admitted.key.id or 0

    def _sign(self, session: Session, answer: Answer) -> None:
        """Put the call on record: in the audit trail, and as the last use of its key."""
        if trace := answer.trace:
            audit.record(session, self.actor, trace.action, trace.subject, key=self._key_id, **trace.detail)
        if not apikeys.use_is_noted(self.admitted.key):
            apikeys.note_use(session, self.admitted.key)


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What tells one request from another."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def _of(request: Request) -> Call:
    call: Call = request.state.call  # put there by the door
    return call


Caller = Annotated[Call, Depends(_of)]


def _envelope(answer: Answer) -> str:
    return json.dumps([dict(answer.headers), answer.body.decode()], ensure_ascii=False)


def _again(kept: IdempotencyKey) -> Response:
    headers, body = json.loads(kept.body)
    said = {**_NO_STORE, **headers, "Idempotency-Replayed": "true"}
    return Response(body, kept.status, said, "application/json")


def _still_busy() -> Problem:
    return Problem(
        409, "still_busy", "The same Idempotency-Key is being worked on. Ask again in a moment.",
        errors=[Place(parameter="Idempotency-Key", code="still_busy", detail="Ask again in a moment.")],
        headers={"Retry-After": "1"},
    )  # fmt: skip


def _other_request() -> Problem:
    place = Place(parameter="Idempotency-Key", code="other_request", detail="Take a new key.")
    return Problem(
        422, "not_possible", "This Idempotency-Key came with another request before.", errors=[place]
    )
