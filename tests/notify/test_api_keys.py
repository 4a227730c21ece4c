"""Keys for programs: made once, shown once, good for what they were given for, until revoked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlmodel import Session, select

from notify import apikeys, staff
from notify.apikeys import ApiKey, ApiKeyError, NotAdmitted, Scope
from notify.audit import AuditEvent
from notify.cli import acting, main
from notify.hub import Hub
from notify.staff import Role, Staff, StaffError

EVA = "eva@city.example"


@pytest.fixture
def session(
    make_hub: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.chdir(tmp_path)
    with make_hub().database.session() as session:
        yield session


@pytest.fixture
def eva(session: Session) -> Staff:
    return staff.add(session, EVA, [Role.LIAISON])


def make(session: Session, eva: Staff, *scopes: Scope) -> apikeys.NewKey:
    return apikeys.add(session, "Sign-up form", eva, scopes or (Scope.LISTS_READ,), actor=EVA)


def test_a_key_admits_its_person_with_its_scopes(session: Session, eva: Staff) -> None:
    made = make(session, eva, Scope.LISTS_READ, Scope.CONTACTS_READ)
    admitted = apikeys.admit(session, made.secret)
    assert admitted.person.email == EVA
    assert admitted.has(Scope.LISTS_READ) and admitted.has(Scope.CONTACTS_READ)
    assert not admitted.has(Scope.CONTACTS_WRITE)


def test_nothing_that_is_kept_or_shown_opens(session: Session, eva: Staff) -> None:
    made = make(session, eva)
    kept = session.exec(select(ApiKey)).one()
    secret = made.secret.split("_", 2)[2]
    assert len(secret) == 43  # 256 bits
    assert secret not in "".join(str(value) for value in vars(kept).values())
    assert secret not in repr(made) and kept.digest not in repr(kept)
    assert secret not in "".join(event.detail for event in session.exec(select(AuditEvent)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: "",
        lambda key: "notify",
        lambda key: "notify_",
        lambda key: "notify__",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.rsplit("_", 1)[0] if key.count("_") == 2 else key[:30],
        lambda key: f"notify_{'0' * 12}_{key.split('_', 2)[2]}",
        lambda key: f"notify_{key.split('_', 2)[1]}_",
        lambda key: key.upper(),
        lambda key: "ключ_ключ_ключ",
    ],
)
def test_what_is_not_the_key_opens_nothing(session: Session, eva: Staff, spoil: Callable[[str], str]) -> None:
    made = make(session, eva)
    with pytest.raises(NotAdmitted):
        apikeys.admit(session, spoil(made.secret))


def test_a_revoked_key_opens_nothing(session: Session, eva: Staff) -> None:
    made = make(session, eva)
    apikeys.revoke(session, made.key, actor=EVA)
    with pytest.raises(NotAdmitted):
        apikeys.admit(session, made.secret)
    first = made.key.revoked_at
    apikeys.revoke(session, made.key, actor=EVA)
    assert made.key.revoked_at == first


def test_a_key_ends_with_its_persons_work_for_the_city(session: Session, eva: Staff) -> None:
    made = make(session, eva)
    eva.active = False
    session.add(eva)
    session.flush()
    with pytest.raises(NotAdmitted):
        apikeys.admit(session, made.secret)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines"])
def test_a_key_needs_a_name_that_can_be_read(session: Session, eva: Staff, name: str) -> None:
    with pytest.raises(ApiKeyError, match="needs a name"):
        apikeys.add(session, name, eva, [Scope.LISTS_READ], actor=EVA)


def test_a_key_needs_a_scope_and_a_person_who_keeps_lists(session: Session, eva: Staff) -> None:
    with pytest.raises(ApiKeyError, match="without a scope"):
        apikeys.add(session, "Form", eva, [], actor=EVA)
    author = staff.add(session, "ana@city.example", [Role.AUTHOR])
    with pytest.raises(StaffError, match="role liaison"):
        apikeys.add(session, "Form", author, [Scope.LISTS_READ], actor=EVA)


@pytest.mark.parametrize("role", Role)
def test_a_key_has_the_scopes_that_its_persons_roles_cover(session: Session, role: Role) -> None:
    person = staff.add(session, "new@city.example", [role])
    lost = set(apikeys.out_of_reach(person, tuple(Scope)))
    desk = {Scope.TRANSLATIONS_READ, Scope.TRANSLATIONS_WRITE}
    keepers = {Role.LIAISON, Role.ADMINISTRATOR}
    assert lost == (desk if role in keepers else set(Scope) - desk)
    for scope in Scope:
        if scope in lost:
            with pytest.raises(StaffError, match=f"Leave out {scope}"):
                apikeys.add(session, "Program", person, [scope], actor=EVA)
        else:
            assert apikeys.add(session, "Program", person, [scope], actor=EVA).key.scopes == scope


@pytest.fixture
def own_log() -> Iterator[None]:
    """The program chooses where its log goes; other tests choose again."""
    yield
    structlog.reset_defaults()


def test_keys_on_the_command_line(
    own_log: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str, str]:
        acting.hub.cache_clear()
        monkeypatch.setattr(sys, "argv", ["notify", *words])
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capfd.readouterr()

    for email, role in (
        (EVA, "liaison"),
        ("omar@city.example", "liaison"),
        ("ada@city.example", "administrator"),
    ):
        assert run("staff", "add", email, "--role", role)[0] == 0
    add = [
        "api-key",
        "add",
        "Form",
        "--for",
        EVA,
        "--scope",
        "lists:read",
        "--scope",
        "consent:write",
        "--json",
    ]
    status, out, _ = run(*add, "--as", EVA)
    made = json.loads(out)
    assert status == 0 and made["scopes"] == ["consent:write", "lists:read"]
    assert made["key"].startswith(f"notify_{made['prefix']}_")

    status, _, err = run(*add, "--as", "omar@city.example")
    assert status == 1 and "their own keys only" in err
    status, out, _ = run("api-key", "list")
    assert status == 0 and made["prefix"] in out and made["key"] not in out

    status, _, err = run("api-key", "revoke", made["prefix"], "--as", "omar@city.example", "--yes")
    assert status == 1 and "their own keys only" in err
    assert run("api-key", "revoke", made["prefix"], "--as", "ada@city.example", "--yes")[0] == 0
    assert json.loads(run("api-key", "list", "--json")[1])[0]["state"] == "revoked"
    status, _, err = run("api-key", "revoke", "000000000000", "--yes")
    assert status == 1 and "notify api-key list" in err
    assert run("api-key", "add", "Form", "--for", EVA, "--scope", "everything")[0] == 2

    tara = "tara@city.example"
    assert run("staff", "add", tara, "--role", "translator")[0] == 0
    desk = ["api-key", "add", "Desk", "--for", tara, "--scope", "translations:read", "--as", tara]
    assert run(*desk)[0] == 0
    status, _, err = run(*desk, "--scope", "contacts:read")
    assert status == 1 and "Leave out contacts:read" in err and "--role liaison" in err
    assert [key["state"] for key in json.loads(run("api-key", "list", "--json")[1])] == ["revoked", "good"]
