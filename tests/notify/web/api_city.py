"""Programs of a small city: keys, and a client that holds one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx
from sqlmodel import col, select
from web_city import Town

from contacts import lists
from contacts.models import ContactList
from notify import apikeys, liaisons, staff
from notify.apikeys import Scope
from notify.audit import AuditEvent
from notify.staff import Role

API = "/api/v1"
ADA, EVA, OMAR = "ada@city.example", "eva@city.example", "omar@city.example"
ROSA = {"channel": "email", "address": "Rosa@Example.org"}


@dataclass
class Office:
    """Ada is the administrator; Eva and Omar are liaisons with lists of their own."""

    town: Town

    def hire(self, email: str, *roles: Role, reads: Collection[str] = ()) -> None:
        with self.town.session() as session:
            staff.add(session, email, list(roles or [Role.LIAISON]), reads=reads)
            session.commit()

    def key(self, email: str, scopes: Collection[Scope] | None = None) -> str:
        """A new key that acts for somebody; with every scope that their roles cover, if none is given."""
        with self.town.session() as session:
            person = staff.find(session, email)
            lost = apikeys.out_of_reach(person, tuple(Scope))
            given = [scope for scope in Scope if scope not in lost] if scopes is None else scopes
            made = apikeys.add(session, "A program", person, given, actor=email)
            session.commit()
        return made.secret

    def list_of(self, email: str, name: str) -> int:
        """A list in somebody's hands."""
        with self.town.session() as session:
            listed = lists.get_or_create(session, name)
            liaisons.give(session, listed, staff.find(session, email), by=ADA)
            session.commit()
            return listed.id or 0

    def lists(self) -> list[ContactList]:
        with self.town.hub.database.reading() as session:
            return list(session.exec(select(ContactList)))

    def trail(self, action: str) -> list[AuditEvent]:
        """The lines of the audit trail about one kind of deed."""
        with self.town.hub.database.reading() as session:
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(col(AuditEvent.id))
            return list(session.exec(query))


@dataclass
class Program:
    """A client with one key."""

    http: httpx.AsyncClient
    key: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("authorization", f"Bearer {self.key}")
        if body is None:
            return await self.http.request(method, f"{API}{path}", headers=named)
        named.setdefault("content-type", "application/json")
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return await self.http.request(method, f"{API}{path}", content=content, headers=named)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.ask("POST", path, body, **headers)

    async def make(self, path: str, body: Any) -> int:
        """The id of what was made."""
        answer = await self.post(path, body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def everything(self, path: str, limit: int) -> list[dict[str, Any]]:
        """All pages of a long list."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            sign = "&" if "?" in path else "?"
            page = (await self.get(f"{path}{sign}limit={limit}&cursor={cursor}")).json()
            items += page["items"]
            assert len(page["items"]) <= limit
            cursor = page["next_cursor"]
            if cursor is None:
                return items


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["title"] and problem["detail"]
    return problem


def place(problem: dict[str, Any]) -> tuple[str, str]:
    """Where the one thing is that is wrong, and its code."""
    (found,) = problem["errors"]
    return found["pointer"] or found["parameter"], found["code"]
