"""Lists, as a program keeps them."""

from __future__ import annotations

import pytest
from api_city import ADA, EVA, OMAR, Office, Program, place, refused

from notify import liaisons


async def test_a_list_is_kept_by_whoever_made_it(ada: Program, eva: Program, office: Office) -> None:
    number = await eva.make(
        "/lists", {"name": " Weekly  news ", "public": True, "titles": {"Spanish": "Noticias"}}
    )
    found = (await eva.get(f"/lists/{number}")).json()
    assert found.pop("created_at")
    assert found == {
        "id": number, "name": "Weekly news", "description": "", "kind": "opt_in", "public": True, "join_word": "",
        "titles": {"es": "Noticias"}, "members": 0,
    }  # fmt: skip
    omar = Program(ada.http, office.key(OMAR))
    refused(await omar.get(f"/lists/{number}"), 404, "not_found")
    assert (await omar.get("/lists")).json()["items"] == []
    assert [each["id"] for each in (await ada.get("/lists")).json()["items"]] == [number]
    with office.town.hub.database.reading() as session:
        assert [each.email for each in liaisons.keepers_of(session, number)] == [EVA]


async def test_two_lists_do_not_have_one_name(ada: Program) -> None:
    await ada.make("/lists", {"name": "News"})
    other = await ada.make("/lists", {"name": "Other"})
    refused(await ada.post("/lists", {"name": "NEWS"}), 409, "list_known")
    refused(await ada.ask("PATCH", f"/lists/{other}", {"name": "news"}), 422, "not_possible")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"name": "  "}, "", "list_refused"),
        ({"name": "two\nlines\u0007"}, "", "list_refused"),
        ({"name": "News", "kind": "exclusion", "public": True}, "", "list_refused"),
        ({"name": "News", "join_word": "stop"}, "", "list_refused"),
        ({"name": "News", "titles": {"Klingonish": "x"}}, "/titles", "language_unknown"),
    ],
)
async def test_what_no_list_can_be_is_refused_and_leaves_nothing(
    ada: Program, office: Office, body: dict[str, object], pointer: str, code: str
) -> None:
    assert place(refused(await ada.post("/lists", body), 422, "not_possible")) == (pointer, code)
    assert office.lists() == []


async def test_only_what_is_given_of_a_list_is_changed(ada: Program, office: Office) -> None:
    number = await ada.make(
        "/lists", {"name": "News", "public": True, "titles": {"en": "News", "es": "Noticias"}}
    )
    before = await ada.get(f"/lists/{number}")
    change = {"description": "Every week", "titles": {"es": ""}, "join_word": "Elders!"}
    after = await ada.ask("PATCH", f"/lists/{number}", change, if_match=before.headers["etag"])
    assert after.json() == before.json() | {
        "description": "Every week", "titles": {"en": "News"}, "join_word": "elders",
    }  # fmt: skip
    late = await ada.ask("PATCH", f"/lists/{number}", {"name": "x"}, if_match=before.headers["etag"])
    refused(late, 412, "changed_since")
    assert [event.actor for event in office.trail("list.edit")] == [ADA]


async def test_who_is_on_a_list(ada: Program, office: Office) -> None:
    news = await ada.make("/lists", {"name": "News"})
    numbers = [await ada.make("/contacts", {"language": "es"}) for _ in range(3)]
    for number in numbers * 2:
        assert (await ada.ask("PUT", f"/lists/{news}/members/{number}")).status_code == 204
    assert [each["id"] for each in await ada.everything(f"/lists/{news}/members", 2)] == numbers
    for _ in range(2):
        assert (await ada.ask("DELETE", f"/lists/{news}/members/{numbers[0]}")).status_code == 204
    assert (await ada.get(f"/lists/{news}")).json()["members"] == 2
    refused(await ada.ask("PUT", f"/lists/{news}/members/77"), 404, "not_found")
    refused(await ada.ask("PUT", f"/lists/77/members/{numbers[0]}"), 404, "not_found")
    assert len(office.trail("list.members")) == 2


async def test_lists_come_in_pages(ada: Program) -> None:
    numbers = [await ada.make("/lists", {"name": name}) for name in ("Zebra", "Apple", "Mango")]
    assert [each["id"] for each in await ada.everything("/lists", 2)] == numbers
