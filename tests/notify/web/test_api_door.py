"""Who may come in, how often, in which form; and what is answered to everybody else."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from api_city import ADA, API, EVA, ROSA, Office, Program, place, refused
from web_city import Town

from notify import apikeys, staff
from notify.apikeys import ApiKey, Scope
from notify.staff import Role
from notify.web.api.rates import Rates
from notify.web.app import create_app


async def test_without_a_key_nothing_is_said(web: httpx.AsyncClient, office: Office) -> None:
    answer = await web.get(f"{API}/contacts")
    refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="notify"'


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic YTpi", "Bearer notify_000000000000_x", "notify_a_b", "Bearer ключ"],
)
async def test_what_is_no_key_opens_nothing(
    web: httpx.AsyncClient, office: Office, authorization: str
) -> None:
    headers = {"authorization": authorization.encode()}
    refused(await web.get(f"{API}/contacts", headers=headers), 401, "unauthorized")
    # Nor is a body looked at before.
    refused(await web.post(f"{API}/contacts", headers=headers, content=b"{"), 401, "unauthorized")


async def test_a_revoked_key_opens_nothing_from_the_next_request_on(ada: Program, office: Office) -> None:
    assert (await ada.get("/lists")).status_code == 200
    with office.town.session() as session:
        apikeys.revoke(session, apikeys.find(session, ada.key.split("_")[1]), actor=ADA)
        session.commit()
    answer = await ada.get("/lists")
    refused(answer, 401, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_key_does_what_its_scopes_say(web: httpx.AsyncClient, office: Office) -> None:
    program = Program(web, office.key(ADA, [Scope.LISTS_READ]))
    assert (await program.get("/lists")).status_code == 200
    answer = await program.get("/contacts")
    refused(answer, 403, "scope")
    assert 'scope="contacts:read"' in answer.headers["www-authenticate"]
    refused(await program.post("/lists", {"name": "News"}), 403, "scope")


async def test_a_key_may_do_no_more_than_its_person(ada: Program, office: Office) -> None:
    with office.town.session() as session:
        person = staff.find(session, ADA)
        person.roles = Role.AUTHOR.value
        session.add(person)
        session.commit()
    refused(await ada.get("/lists"), 403, "role")


async def test_when_a_key_was_used_last_is_kept(ada: Program, office: Office) -> None:
    await ada.get("/lists")
    with office.town.hub.database.reading() as session:
        key = session.get_one(ApiKey, 1)
    assert key.last_used_at is not None and key.last_used_at >= key.created_at


async def test_a_key_that_asks_too_often_is_told_when_to_ask_again(
    web: httpx.AsyncClient, ada: Program, office: Office
) -> None:
    office.town.hub.settings.api.requests_per_minute = 8
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(office.town.hub)), base_url="https://hub.example"
    ) as client:
        busy, other = Program(client, ada.key), Program(client, office.key(ADA))
        assert [(await busy.get("/lists")).status_code for _ in range(2)] == [200, 200]
        answer = await busy.get("/lists")
        refused(answer, 429, "too_often")
        assert 1 <= int(answer.headers["retry-after"]) <= 8
        assert (await other.get("/lists")).status_code == 200


def test_the_rate_holds_over_any_minute() -> None:
    moment = 0.0
    rates = Rates(60, clock=lambda: moment)
    passed = 0
    for _ in range(600):  # ten times too often, for a minute
        passed += rates.take(1) == 0
        moment += 0.1
    assert 60 <= passed <= 60 + 15
    assert 0 < rates.take(1) <= 1 or passed


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_index_tells_programs_and_people_what_is_here(web: httpx.AsyncClient, path: str) -> None:
    for_programs = (await web.get(f"{API}{path}")).json()
    assert for_programs["description"].endswith("/openapi.json") and "contacts" in for_programs["resources"]
    page = await web.get(f"{API}{path}", headers={"accept": "text/html"})
    assert "text/html" in page.headers["content-type"]
    assert "/contacts/{contact_id}" in page.text and "contacts:read" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/contacts/",
        "/contacts/1/nothing",
        "/contacts/0",
        "/contacts/-1",
        "/contacts/rosa@example.org",
        f"/contacts/{'9' * 5000}",
        "/docs",
        "/redoc",
    ],
)
async def test_an_address_where_nothing_is_says_so_in_json(ada: Program, path: str) -> None:
    refused_without_cache(await ada.get(path), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/contacts",
        "/api/v1/contacts/%0A",
        "/api/v1/lists/%0A=/members",
        "/api/%0Av1",
        "/api/v1/lists%0D%0A",
    ],
)
async def test_so_does_everything_else_under_api(web: httpx.AsyncClient, path: str) -> None:
    refused_without_cache(await web.get(path), 404)


def refused_without_cache(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_not_there_is_told_which_are(ada: Program) -> None:
    answer = await ada.ask("PUT", "/contacts/1", {})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PATCH"
    assert (await ada.ask("DELETE", "/contacts")).headers["allow"] == "GET, POST"
    assert (await ada.ask("PATCH", "/contacts/search", {})).headers["allow"] == "POST"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
async def test_a_body_in_another_form_is_not_read(ada: Program, media_type: str) -> None:
    refused(await ada.post("/lists", '{"name": "News"}', content_type=media_type), 415, "media_type")


async def test_a_media_type_may_carry_its_charset(ada: Program) -> None:
    answer = await ada.post("/lists", {"name": "News"}, content_type="Application/JSON; charset=utf-8")
    assert answer.status_code == 201


async def test_a_body_has_an_end(ada: Program) -> None:
    answer = await ada.post("/lists", {"name": "News", "description": "x" * 300_000})
    refused(answer, 413, "too_large")

    async def endless() -> object:
        for _ in range(1000):
            yield b" " * 1000

    headers = {"authorization": f"Bearer {ada.key}", "content-type": "application/json"}
    answer = await ada.http.post(f"{API}/lists", content=endless(), headers=headers)
    refused(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"{", "", "json_invalid"),
        (b"", "", "missing"),
        (b"[]", "", "model_attributes_type"),
        (b"null", "", "model_attributes_type"),
        (b'"news"', "", "model_attributes_type"),
        (b"{}", "/language", "missing"),
        (b'{"language": 5}', "/language", "string_type"),
        (b'{"language": null}', "/language", "string_type"),
        (b'{"language": "en", "name": "a\\u0000b"}', "/name", "string_pattern_mismatch"),
        (b'{"language": "en", "name": "\\ud800"}', "/name", "string_unicode"),
        (b'{"language": "en", "lists": ["1"]}', "/lists/0", "int_type"),
        (b'{"language": "en", "lists": [true]}', "/lists/0", "int_type"),
        (b'{"language": "en", "lists": [0]}', "/lists/0", "greater_than_equal"),
        (b'{"language": "en", "lists": [99999999999999999999]}', "/lists/0", "less_than_equal"),
        (
            b'{"language": "en", "endpoints": [{"channel": "fax", "address": "1"}]}',
            "/endpoints/0/channel",
            "value_error",
        ),
        (b'{"language": "en", "rosa@example.org": 1}', "", "extra_forbidden"),
        (b'{"language": "en", "endpoints": {"rosa@example.org": 1}}', "/endpoints", "list_type"),
    ],
)
async def test_what_is_not_as_described_is_named_by_its_place(
    ada: Program, body: bytes, pointer: str, code: str
) -> None:
    problem = refused(await ada.post("/contacts", body), 400, "not_as_described")
    assert place(problem) == (pointer, code)
    assert problem["errors"][0]["detail"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, b'{"language": ' + b"1" * 5000 + b"}"])
async def test_a_body_that_cannot_be_read_is_refused_quietly(ada: Program, body: bytes) -> None:
    assert (await ada.post("/contacts", body)).status_code == 400


@pytest.mark.parametrize(
    ("path", "parameter", "code"),
    [
        ("/contacts?limit=0", "limit", "greater_than_equal"),
        ("/contacts?limit=201", "limit", "less_than_equal"),
        ("/contacts?limit=many", "limit", "int_parsing"),
        ("/contacts?langauge=es", "", "extra_forbidden"),
        ("/contacts?address=rosa@example.org", "", "extra_forbidden"),
        ("/contacts/2147483648", "contact_id", "less_than_equal"),
    ],
)
async def test_a_parameter_that_is_not_as_described_is_named(
    ada: Program, path: str, parameter: str, code: str
) -> None:
    assert place(refused(await ada.get(path), 400, "not_as_described")) == (parameter, code)


async def test_no_error_repeats_what_was_sent(ada: Program, capfd: pytest.CaptureFixture[str]) -> None:
    rosa = "rosa.quintero@example.org"
    bodies = [
        {"language": rosa},
        {"language": "en", "name": [rosa]},
        {"language": "en", rosa: rosa},
        {"language": "en", "endpoints": [{"channel": rosa, "address": rosa}]},
        {"language": "en", "endpoints": [{"channel": "sms", "address": rosa}]},
        {"language": "en", "groups": [f"{rosa}|"]},
        {"language": "en", "name": f"{rosa}\0"},
        f'{{"{rosa}',
    ]
    answers = [await ada.post("/contacts", body) for body in bodies]
    answers += [await ada.get(f"/contacts?{rosa}={rosa}"), await ada.get(f"/contacts/{rosa}")]
    answers += [await ada.post("/contacts/search", {"channel": "sms", "address": rosa})]
    answers += [await ada.post("/lists", {"name": "Titles", "titles": {f"{rosa}{rosa * 5}": "x"}})]
    assert {answer.status_code for answer in answers} == {400, 404, 422}
    assert not [answer.text for answer in answers if "rosa" in answer.text.lower()]
    assert "rosa" not in "".join(capfd.readouterr()).lower()


async def test_a_defect_tells_nothing_and_changes_nothing(
    ada: Program, office: Office, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("rosa@example.org is not there")

    monkeypatch.setattr("contacts.lists.add_member", broken)
    news = office.list_of(EVA, "News")
    answer = await ada.post("/contacts", {"language": "es", "lists": [news], "endpoints": [ROSA]})
    assert refused_text(answer) == "defect" and "content-security-policy" in answer.headers
    logged = "".join(capfd.readouterr())
    assert "request_failed" in logged and "notify/web/api/contacts.py" in logged
    assert "rosa" not in logged.lower() + answer.text.lower()
    monkeypatch.undo()
    assert (await ada.get("/contacts")).json()["items"] == []


def refused_text(answer: httpx.Response) -> str:
    assert answer.status_code == 500
    return str(answer.json()["code"])


async def test_the_same_key_does_the_same_thing_once(ada: Program, office: Office) -> None:
    body = {"language": "es", "endpoints": [ROSA]}
    first = await ada.post("/contacts", body, idempotency_key="form-4711")
    again = await ada.post("/contacts", body, idempotency_key="form-4711")
    assert (first.status_code, first.content, first.headers["location"]) == (
        again.status_code, again.content, again.headers["location"],
    )  # fmt: skip
    assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
    assert len((await ada.get("/contacts")).json()["items"]) == 1
    assert len(office.trail("contact.add")) == 1


async def test_the_same_key_with_another_request_is_refused(ada: Program) -> None:
    assert (await ada.post("/lists", {"name": "News"}, idempotency_key="a")).status_code == 201
    for path, body in (("/lists", {"name": "Other"}), ("/contacts", {"language": "en"})):
        problem = refused(await ada.post(path, body, idempotency_key="a"), 422, "not_possible")
        assert place(problem) == ("Idempotency-Key", "other_request")


async def test_keys_of_two_programs_do_not_meet(ada: Program, office: Office) -> None:
    other = Program(ada.http, office.key(ADA))
    assert (await ada.post("/lists", {"name": "News"}, idempotency_key="a")).status_code == 201
    assert (await other.post("/lists", {"name": "Other"}, idempotency_key="a")).status_code == 201


async def test_what_was_refused_may_be_tried_again_with_the_same_key(ada: Program) -> None:
    taken = {"language": "en", "endpoints": [ROSA]}
    first = await ada.make("/contacts", taken)
    refused(await ada.post("/contacts", taken, idempotency_key="b"), 409, "address_known")
    assert (await ada.ask("DELETE", f"/contacts/{first}")).status_code == 204
    assert (await ada.post("/contacts", taken, idempotency_key="b")).status_code == 201


async def test_one_of_many_at_once_does_it(ada: Program, office: Office) -> None:
    body = {"name": "News"}
    answers = await asyncio.gather(*(ada.post("/lists", body, idempotency_key="c") for _ in range(8)))
    statuses = sorted({answer.status_code for answer in answers})
    assert statuses in ([201], [201, 409])
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert len(office.lists()) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"] and answer.json()["code"] == "still_busy"


async def test_an_answer_is_kept_for_a_day(
    ada: Program, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from contacts.columns import now

    await ada.post("/lists", {"name": "News"}, idempotency_key="d")
    later = now() + timedelta(hours=23, minutes=59)
    monkeypatch.setattr("notify.web.api.calls.now", lambda: later)
    assert (await ada.post("/lists", {"name": "News"}, idempotency_key="d")).status_code == 201
    monkeypatch.setattr("notify.web.api.calls.now", lambda: later + timedelta(minutes=2))
    refused(await ada.post("/lists", {"name": "News"}, idempotency_key="d"), 409, "list_known")


async def test_nothing_that_is_kept_for_a_repetition_is_personal(ada: Program, office: Office) -> None:
    from sqlmodel import select

    from notify.apikeys import IdempotencyKey

    body = {"name": "Rosa Quintero", "language": "es", "endpoints": [ROSA]}
    await ada.post("/contacts", body, idempotency_key="e")
    with office.town.hub.database.reading() as session:
        (kept,) = session.exec(select(IdempotencyKey))
    assert "rosa" not in json.dumps([kept.body, kept.request, kept.key]).lower()


@pytest.mark.parametrize("key", ["x" * 256, "schlüssel", "two words"])
async def test_a_key_for_repetitions_is_plain_and_short(ada: Program, key: str) -> None:
    answer = await ada.http.post(
        f"{API}/lists", json={"name": "News"},
        headers={"authorization": f"Bearer {ada.key}".encode(), "idempotency-key": key.encode()},
    )  # fmt: skip
    assert place(refused(answer, 400, "not_as_described"))[0] == "Idempotency-Key"


async def test_the_description_is_open_and_names_every_way(town: Town, web: httpx.AsyncClient) -> None:
    description = (await web.get(f"{API}/openapi.json")).json()
    assert description["openapi"].startswith("3.1")
    operations = [way for path in description["paths"].values() for way in path.values()]
    ids = [way["operationId"] for way in operations]
    assert len(ids) == len(set(ids))
    for way in operations:
        (needed,) = way["security"]
        assert Scope(needed["key"][0])
        assert {"400", "401", "403", "429", "500"} <= set(way["responses"])
        assert "HTTPValidationError" not in json.dumps(way)
        if "requestBody" in way:
            assert {"413", "415"} <= set(way["responses"])
