"""Contacts, their addresses and their consent, as a program keeps them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from api_city import ADA, EVA, OMAR, ROSA, Office, Program, place, refused

from contacts import consent
from contacts.models import Endpoint
from notify.apikeys import Scope

YES = {"decision": True, "method": "web form", "wording": "Yes, write to me.", "wording_language": "English"}


async def test_what_was_made_can_be_read(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    answer = await ada.post(
        "/contacts",
        {"name": " Rosa  Quintero ", "language": "Spanish", "area": "Harbor", "groups": ["Elders", "elders "],
         "lists": [news], "endpoints": [ROSA, {"channel": "sms", "address": "(206) 555-0143"}]},
    )  # fmt: skip
    number = answer.json()["id"]
    assert answer.headers["location"] == answer.json()["url"] == f"/api/v1/contacts/{number}"
    found = (await ada.get(f"/contacts/{number}")).json()
    assert (found["name"], found["language"], found["area"]) == ("Rosa Quintero", "es", "Harbor")
    assert (found["groups"], found["lists"]) == (["elders"], [news])
    assert [(each["channel"], each["address"]) for each in found["endpoints"]] == [
        ("email", "Rosa@example.org"), ("sms", "+12065550143"),
    ]  # fmt: skip
    assert all(each["subscriptions"] == [] and not each["opted_out"] for each in found["endpoints"])
    assert (await ada.get(f"/contacts/{number}/endpoints")).json()["items"] == found["endpoints"]


async def test_an_answer_to_a_post_repeats_nothing_personal(ada: Program) -> None:
    answer = await ada.post("/contacts", {"name": "Rosa", "language": "es", "endpoints": [ROSA]})
    assert set(answer.json()) == {"id", "url"}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"language": "Klingonish"}, "/language", "language_unknown"),
        ({"language": "es", "lists": [77]}, "/lists/0", "list_unknown"),
        (
            {"language": "es", "endpoints": [ROSA, {"channel": "sms", "address": "555"}]},
            "/endpoints/1/address",
            "phone_short",
        ),
        (
            {"language": "es", "endpoints": [{"channel": "email", "address": "rosa"}]},
            "/endpoints/0/address",
            "email_no_at",
        ),
        (
            {"language": "es", "endpoints": [{"channel": "letter", "address": "1 Main Street"}]},
            "/endpoints/0/address",
            "postal_too_few_lines",
        ),
    ],
)
async def test_what_cannot_be_is_named_by_its_place_and_leaves_nothing(
    ada: Program, body: dict[str, object], pointer: str, code: str
) -> None:
    assert place(refused(await ada.post("/contacts", body), 422, "not_possible")) == (pointer, code)
    assert (await ada.get("/contacts")).json()["items"] == []


async def test_an_address_belongs_to_one_contact_but_a_letter_box_to_a_household(ada: Program) -> None:
    home = {"channel": "letter", "address": "1 Main Street\nSpringfield MA 01103"}
    first = await ada.make("/contacts", {"language": "es", "endpoints": [ROSA, home]})
    second = await ada.make("/contacts", {"language": "es", "endpoints": [home]})
    same = {"channel": "email", "address": "ROSA@example.ORG"}
    problem = refused(await ada.post(f"/contacts/{second}/endpoints", same), 409, "address_known")
    assert place(problem) == ("/address", "address_known")
    assert f"Contact {first} " in problem["errors"][0]["detail"]
    twice = {"language": "es", "endpoints": [home, home]}
    assert (
        place(refused(await ada.post("/contacts", twice), 409, "address_known"))[0] == "/endpoints/1/address"
    )
    assert len((await ada.get("/contacts")).json()["items"]) == 2


async def test_only_what_is_given_is_changed(ada: Program, office: Office) -> None:
    number = await ada.make(
        "/contacts", {"name": "Rosa", "language": "es", "area": "Harbor", "groups": ["elders"]}
    )
    changed = (await ada.ask("PATCH", f"/contacts/{number}", {"language": "العربية"})).json()
    assert (changed["language"], changed["name"], changed["area"]) == ("ar", "Rosa", "Harbor")
    changed = (await ada.ask("PATCH", f"/contacts/{number}", {"area": "", "groups": []})).json()
    assert (changed["language"], changed["area"], changed["groups"]) == ("ar", "", [])
    assert (await ada.ask("PATCH", f"/contacts/{number}", {})).json() == changed
    refused(await ada.ask("PATCH", f"/contacts/{number}", {"name": None}), 400, "not_as_described")
    refused(await ada.ask("PATCH", "/contacts/77", {"name": "x"}), 404, "not_found")
    assert [event.detail for event in office.trail("contact.change")][:2] == [
        '{"fields": ["language"], "key": 1}', '{"fields": ["area", "groups"], "key": 1}',
    ]  # fmt: skip


async def test_two_programs_do_not_overwrite_each_other_unseen(ada: Program) -> None:
    number = await ada.make("/contacts", {"name": "Rosa", "language": "es"})
    path = f"/contacts/{number}"
    tag = (await ada.get(path)).headers["etag"]
    first = await ada.ask("PATCH", path, {"area": "Harbor"}, if_match=tag)
    assert first.status_code == 200 and first.headers["etag"] == (await ada.get(path)).headers["etag"] != tag
    refused(await ada.ask("PATCH", path, {"area": "Hill"}, if_match=tag), 412, "changed_since")
    assert (await ada.get(path)).json()["area"] == "Harbor"
    both = f"{tag}, {first.headers['etag']}"
    assert (await ada.ask("PATCH", path, {"area": "Hill"}, if_match=both)).status_code == 200
    assert (await ada.ask("PATCH", path, {"area": "Bay"}, if_match="*")).status_code == 200


async def test_an_erased_contact_is_gone_and_its_no_is_not(ada: Program, office: Office) -> None:
    number = await ada.make("/contacts", {"name": "Rosa", "language": "es", "endpoints": [ROSA]})
    assert (await ada.ask("DELETE", f"/contacts/{number}")).status_code == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/endpoints"), ("GET", "/consent")):
        refused(await ada.ask(method, f"/contacts/{number}{path}"), 404, "not_found")
    assert (await ada.get("/contacts")).json()["items"] == []
    assert (await ada.post("/contacts/search", ROSA)).json()["items"] == []
    (event,) = office.trail("contact.erase")
    assert (event.actor, event.subject) == (f"{ADA} (key 1)", f"contact {number}")


async def test_pages_hold_everybody_once_while_contacts_come_and_go(ada: Program) -> None:
    numbers = [await ada.make("/contacts", {"name": f"R{index}", "language": "es"}) for index in range(7)]
    first = (await ada.get("/contacts?limit=3")).json()
    assert [each["id"] for each in first["items"]] == numbers[:3]
    await ada.ask("DELETE", f"/contacts/{numbers[1]}")
    later = await ada.make("/contacts", {"name": "Late", "language": "es"})
    second = (await ada.get(f"/contacts?limit=3&cursor={first['next_cursor']}")).json()
    assert [each["id"] for each in second["items"]] == numbers[3:6]
    third = (await ada.get(f"/contacts?limit=3&cursor={second['next_cursor']}")).json()
    assert [each["id"] for each in third["items"]] == [numbers[6], later] and third["next_cursor"] is None
    assert len(await ada.everything("/contacts", 7)) == 7  # a full last page ends the list as well


async def test_a_cursor_is_good_for_the_list_and_the_filters_it_came_with(ada: Program) -> None:
    for index in range(3):
        await ada.make("/contacts", {"name": f"R{index}", "language": "es"})
        await ada.make("/lists", {"name": f"L{index}"})
    cursor = (await ada.get("/contacts?limit=1&language=es")).json()["next_cursor"]
    assert (await ada.get(f"/contacts?limit=2&language=es&cursor={cursor}")).status_code == 200
    spoiled = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for path in (
        f"/contacts?cursor={cursor}",
        f"/lists?cursor={cursor}",
        f"/contacts?language=es&cursor={spoiled}",
        "/lists?cursor=5",
    ):
        assert place(refused(await ada.get(path), 422, "not_possible")) == ("cursor", "cursor")


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("language=es", ["Rosa", "Sol"]),
        ("area=harbor", ["Rosa"]),
        ("area=Harb", []),
        ("group=elders", ["Rosa"]),
        ("group=elder", []),
        ("group=%25", []),
        ("channel=email", ["Rosa"]),
        ("channel=sms", []),
        ("language=es&channel=email", ["Rosa"]),
        ("list_id=1", ["Sol"]),
        ("list_id=2", []),
    ],
)
async def test_filters_narrow_the_list(ada: Program, office: Office, question: str, names: list[str]) -> None:
    news = office.list_of(EVA, "News")
    await ada.make(
        "/contacts",
        {"name": "Rosa", "language": "es", "area": "Harbor", "groups": ["elders"], "endpoints": [ROSA]},
    )
    await ada.make("/contacts", {"name": "Sol", "language": "es", "lists": [news]})
    await ada.make("/contacts", {"name": "Amal", "language": "ar"})
    assert [each["name"] for each in (await ada.get(f"/contacts?{question}")).json()["items"]] == names


async def test_who_has_an_address_is_found_however_it_is_written(ada: Program, office: Office) -> None:
    number = await ada.make(
        "/contacts", {"language": "es", "endpoints": [{"channel": "sms", "address": "+12065550143"}]}
    )
    for written in ("(206) 555-0143", "206.555.0143", "+1 206 555 0143"):
        found = (await ada.post("/contacts/search", {"channel": "sms", "address": written})).json()
        assert [each["id"] for each in found["items"]] == [number]
    nobody = await ada.post("/contacts/search", {"channel": "sms", "address": "+12065550199"})
    assert nobody.json()["items"] == []
    assert (
        place(
            refused(
                await ada.post("/contacts/search", {"channel": "sms", "address": "no"}), 422, "not_possible"
            )
        )[0]
        == "/address"
    )
    assert [event.detail for event in office.trail("contacts.search")] == ['{"count": 1, "key": 1}'] * 3 + [
        '{"count": 0, "key": 1}'
    ]


async def test_each_look_at_residents_is_on_record_with_counts_and_no_contents(
    ada: Program, office: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    number = await ada.make("/contacts", {"name": "Rosa", "language": "es", "endpoints": [ROSA]})
    await ada.get("/contacts")
    await ada.get(f"/contacts/{number}")
    await ada.get(f"/contacts/{number}/endpoints")
    await ada.get(f"/contacts/{number}/consent")
    looks = [*office.trail("contacts.list"), *office.trail("contact.view"), *office.trail("consent.view")]
    assert [(event.actor, event.subject) for event in looks] == [
        (ADA, "contacts"), (ADA, f"contact {number}"), (ADA, f"contact {number}"), (ADA, f"contact {number}"),
    ]  # fmt: skip
    assert "rosa" not in "".join(f"{event.subject}{event.detail}" for event in looks).lower()
    assert "rosa" not in "".join(capfd.readouterr()).lower()


# --- what a liaison's program sees ---


async def test_a_liaisons_program_sees_who_is_on_its_lists(
    ada: Program, eva: Program, office: Office
) -> None:
    hers, his = office.list_of(EVA, "News"), office.list_of(OMAR, "Harbor")
    rosa = await ada.make(
        "/contacts", {"name": "Rosa", "language": "es", "lists": [hers, his], "endpoints": [ROSA]}
    )
    sol = await ada.make("/contacts", {"name": "Sol", "language": "es", "lists": [his]})
    (seen,) = (await eva.get("/contacts")).json()["items"]
    assert (seen["id"], seen["lists"]) == (rosa, [hers])
    for path in (f"/contacts/{sol}", f"/contacts/{sol}/consent", f"/lists/{his}", f"/lists/{his}/members"):
        refused(await eva.get(path), 404, "not_found")
    refused(await eva.ask("PATCH", f"/contacts/{sol}", {"name": "x"}), 404, "not_found")
    refused(await eva.ask("PUT", f"/lists/{hers}/members/{sol}"), 404, "not_found")
    refused(await eva.ask("PUT", f"/lists/{his}/members/{rosa}"), 404, "not_found")
    assert (await eva.get(f"/contacts?list_id={his}")).json()["items"][0]["lists"] == [hers]


async def test_whom_a_liaison_may_not_see_is_not_named(ada: Program, eva: Program, office: Office) -> None:
    hers = office.list_of(EVA, "News")
    await ada.make("/contacts", {"name": "Rosa", "language": "es", "endpoints": [ROSA]})
    assert (await eva.post("/contacts/search", ROSA)).json()["items"] == []
    answer = await eva.post("/contacts", {"language": "es", "lists": [hers], "endpoints": [ROSA]})
    assert refused(answer, 409, "address_known")["errors"][0]["detail"].startswith("Another contact")


async def test_a_liaisons_contact_is_on_a_list_of_theirs(eva: Program, office: Office) -> None:
    hers, his = office.list_of(EVA, "News"), office.list_of(OMAR, "Harbor")
    assert place(refused(await eva.post("/contacts", {"language": "es"}), 422, "not_possible")) == (
        "/lists",
        "list_needed",
    )
    answer = await eva.post("/contacts", {"language": "es", "lists": [hers, his]})
    assert place(refused(answer, 422, "not_possible")) == ("/lists/1", "list_unknown")
    number = await eva.make("/contacts", {"language": "es", "lists": [hers]})
    assert (await eva.get(f"/contacts/{number}")).status_code == 200


async def test_a_liaison_erases_only_whom_nobody_else_keeps(
    ada: Program, eva: Program, office: Office
) -> None:
    hers, his = office.list_of(EVA, "News"), office.list_of(OMAR, "Harbor")
    shared = await ada.make("/contacts", {"language": "es", "lists": [hers, his]})
    own = await ada.make("/contacts", {"language": "es", "lists": [hers]})
    refused(await eva.ask("DELETE", f"/contacts/{shared}"), 403, "other_lists")
    assert (await eva.ask("DELETE", f"/contacts/{own}")).status_code == 204
    assert (await ada.ask("DELETE", f"/contacts/{shared}")).status_code == 204


# --- consent ---


@pytest.fixture
def standing(office: Office) -> Callable[[int], tuple[bool, dict[int, bool]]]:
    """What stands about an address, which always equals a replay of what was said."""

    def look(endpoint_id: int) -> tuple[bool, dict[int, bool]]:
        with office.town.hub.database.reading() as session:
            state = consent.present(session, endpoint_id)
            assert state == consent.replay(session, endpoint_id)
        return state.opted_out, {number: found.active for number, found in state.lists.items()}

    return look


Look = Callable[[int], tuple[bool, dict[int, bool]]]


async def met(program: Program, *lists: int) -> tuple[int, int]:
    """A contact with a mailbox."""
    number = await program.make("/contacts", {"language": "es", "lists": list(lists), "endpoints": [ROSA]})
    (place,) = (await program.get(f"/contacts/{number}/endpoints")).json()["items"]
    return number, place["id"]


async def test_a_yes_is_on_record_with_its_proof(ada: Program, office: Office, standing: Look) -> None:
    """R31: who, when, source, exact wording and its language, IP or form id."""
    news = office.list_of(EVA, "News")
    number, address = await met(ada)
    said = {"endpoint_id": address, "list_id": news, **YES, "reference": "form 4711", "ip": "2001:DB8::9",
            "at": "2026-05-01T10:00:00+02:00"}  # fmt: skip
    event = await ada.make(f"/contacts/{number}/consent", said)
    (kept,) = (await ada.get(f"/contacts/{number}/consent")).json()["items"]
    assert kept.pop("recorded_at") > kept["at"]
    assert kept == {
        "id": event, "endpoint_id": address, "list_id": news, "decision": True, "basis": "consent",
        "method": "web form", "wording": "Yes, write to me.", "wording_language": "en", "reference": "form 4711",
        "actor": ADA, "ip": "2001:db8::9", "at": "2026-05-01T08:00:00Z",
    }  # fmt: skip
    assert standing(address) == (False, {news: True})
    found = (await ada.get(f"/contacts/{number}")).json()
    assert found["lists"] == [news]
    assert found["endpoints"][0]["subscriptions"] == [{"list_id": news, "active": True, "basis": "consent"}]


async def test_the_latest_word_counts_in_whatever_order_it_comes(
    ada: Program, office: Office, standing: Look
) -> None:
    news = office.list_of(EVA, "News")
    number, address = await met(ada)
    no = {
        "endpoint_id": address,
        "list_id": None,
        "decision": False,
        "method": "paper",
        "at": "2026-06-01T00:00:00Z",
    }
    await ada.make(f"/contacts/{number}/consent", no)
    earlier = {"endpoint_id": address, "list_id": news, **YES, "at": "2026-05-01T00:00:00Z"}
    await ada.make(f"/contacts/{number}/consent", earlier)
    assert standing(address) == (True, {news: False})
    await ada.make(f"/contacts/{number}/consent", earlier | {"at": "2026-07-01T00:00:00Z"})
    assert standing(address) == (False, {news: True})


async def test_the_same_word_twice_is_one_event(ada: Program) -> None:
    number, address = await met(ada)
    no = {
        "endpoint_id": address,
        "list_id": None,
        "decision": False,
        "method": "paper",
        "at": "2026-06-01T00:00:00Z",
    }
    first = await ada.make(f"/contacts/{number}/consent", no)
    assert await ada.make(f"/contacts/{number}/consent", no) == first
    assert len(await ada.everything(f"/contacts/{number}/consent", 1)) == 1


async def test_a_no_silences_all_who_share_the_mailbox(ada: Program, office: Office, standing: Look) -> None:
    """R5."""
    number, address = await met(ada)
    with office.town.session() as session:
        kept = session.get_one(Endpoint, address)
        session.add(
            Endpoint(
                contact_id=await_contact(session),
                channel="email",
                address=kept.address,
                address_key=kept.address_key,
            )
        )
        session.commit()
    no = {"endpoint_id": address, "list_id": None, "decision": False, "method": "paper"}
    await ada.make(f"/contacts/{number}/consent", no)
    assert standing(address)[0] and standing(address + 1)[0]


def await_contact(session: object) -> int:
    """Somebody else."""
    from sqlmodel import Session

    from contacts.models import Contact

    assert isinstance(session, Session)
    contact = Contact(language="en")
    session.add(contact)
    session.flush()
    return contact.id or 0


async def test_a_no_to_letters_is_one_persons_in_a_household(ada: Program, standing: Look) -> None:
    home = {"channel": "letter", "address": "1 Main Street\nSpringfield MA 01103"}
    numbers = [await ada.make("/contacts", {"language": "es", "endpoints": [home]}) for _ in range(2)]
    no = {"endpoint_id": 1, "list_id": None, "decision": False, "method": "paper"}
    await ada.make(f"/contacts/{numbers[0]}/consent", no)
    assert standing(1)[0] and not standing(2)[0]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"wording": "  "}, "/wording", "wording_needed"),
        ({"method": "Import"}, "/method", "method"),
        ({"wording_language": "Klingonish"}, "/wording_language", "language_unknown"),
        ({"at": "1989-12-31T23:59:59Z"}, "/at", "date_unknown"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/at", "date_unknown"),
        ({"list_id": 77}, "/list_id", "list_unknown"),
        ({"endpoint_id": 77}, "/endpoint_id", "endpoint_unknown"),
        ({"list_id": 2}, "/list_id", "list_kind"),
    ],
)
async def test_a_yes_without_what_proves_it_is_refused(
    ada: Program, office: Office, standing: Look, change: dict[str, object], pointer: str, code: str
) -> None:
    """R31."""
    news = office.list_of(EVA, "News")
    await ada.make("/lists", {"name": "Press", "kind": "exclusion"})
    number, address = await met(ada)
    said = {"endpoint_id": address, "list_id": news, **YES} | change
    assert place(refused(await ada.post(f"/contacts/{number}/consent", said), 422, "not_possible")) == (
        pointer,
        code,
    )
    assert standing(address) == (False, {})


@pytest.mark.parametrize("at", [5, "5", "2026-05-01", "2026-05-01T10:00:00", "1700000000", "yesterday", None])
async def test_a_moment_needs_its_zone(ada: Program, at: object) -> None:
    number, address = await met(ada)
    said = {"endpoint_id": address, "list_id": None, "decision": False, "method": "paper", "at": at}
    answer = await ada.post(f"/contacts/{number}/consent", said)
    assert answer.status_code == (201 if at is None else 400)


async def test_nobody_agreed_tomorrow(ada: Program) -> None:
    number, address = await met(ada)
    said = {
        "endpoint_id": address,
        "list_id": None,
        "decision": False,
        "method": "paper",
        "at": "9999-12-31T23:59:59-14:00",
    }
    await ada.make(f"/contacts/{number}/consent", said)
    (kept,) = (await ada.get(f"/contacts/{number}/consent")).json()["items"]
    assert kept["at"] < "2100"


async def test_a_liaison_speaks_for_their_lists_and_hears_a_no_to_everything(
    ada: Program, eva: Program, office: Office, standing: Look
) -> None:
    hers, his = office.list_of(EVA, "News"), office.list_of(OMAR, "Harbor")
    number, address = await met(ada, hers, his)
    path = f"/contacts/{number}/consent"
    await ada.make(path, {"endpoint_id": address, "list_id": his, **YES})
    answer = await eva.post(path, {"endpoint_id": address, "list_id": his, **YES})
    assert place(refused(answer, 422, "not_possible")) == ("/list_id", "list_unknown")
    refused(await eva.post(path, {"endpoint_id": address, "list_id": None, **YES}), 403, "other_lists")
    await eva.make(path, {"endpoint_id": address, "list_id": hers, **YES})
    await eva.make(path, {"endpoint_id": address, "list_id": None, "decision": False, "method": "phone"})
    assert [each["list_id"] for each in (await eva.get(path)).json()["items"]] == [hers, None]
    assert len((await ada.get(path)).json()["items"]) == 3
    assert standing(address) == (True, {hers: False, his: False})


async def test_consent_is_only_ever_added_to(ada: Program) -> None:
    number, _ = await met(ada)
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await ada.ask(method, f"/contacts/{number}/consent")
        assert answer.status_code == 405 and answer.headers["allow"] == "GET, POST"


async def test_erasing_needs_a_scope_of_its_own(ada: Program, office: Office) -> None:
    number = await ada.make("/contacts", {"language": "es"})
    scopes = [Scope.CONTACTS_READ, Scope.CONTACTS_WRITE, Scope.LISTS_WRITE]
    careful = Program(ada.http, office.key(ADA, scopes))
    refused(await careful.ask("DELETE", f"/contacts/{number}"), 403, "scope")
