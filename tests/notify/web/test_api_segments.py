"""Segments, as a program keeps them."""

from __future__ import annotations

import pytest
from api_city import EVA, OMAR, ROSA, Office, Program, place, refused

IN_SPANISH = {"name": "In Spanish", "expression": 'language = Spanish and area = "Harbor"'}


async def test_a_segment_is_kept_and_told_in_words(ada: Program, office: Office) -> None:
    office.list_of(EVA, "Weekly news")
    number = await ada.make(
        "/segments", {"name": " Readers ", "expression": 'list = "weekly NEWS" or language=ht'}
    )
    answer = await ada.get(f"/segments/{number}")
    found = answer.json()
    assert (found["name"], found["expression"]) == ("Readers", 'list = "Weekly news" or language = ht')
    changed = await ada.ask("PUT", f"/segments/{number}", IN_SPANISH, if_match=answer.headers["etag"])
    assert changed.json()["expression"] == "language = es and area = Harbor"
    late = await ada.ask("PUT", f"/segments/{number}", IN_SPANISH, if_match=answer.headers["etag"])
    refused(late, 412, "changed_since")
    assert [each["id"] for each in (await ada.get("/segments")).json()["items"]] == [number]
    assert (await ada.ask("DELETE", f"/segments/{number}")).status_code == 204
    refused(await ada.get(f"/segments/{number}"), 404, "not_found")
    assert (len(office.trail("segment.add")), len(office.trail("segment.remove"))) == (1, 1)


async def test_people_are_counted_by_channel_and_language(ada: Program, office: Office) -> None:
    news = office.list_of(EVA, "News")
    number = await ada.make("/contacts", {"language": "es", "area": "Harbor", "endpoints": [ROSA]})
    await ada.make("/contacts", {"language": "es", "area": "Harbor"})
    await ada.make("/contacts", {"language": "en", "area": "Harbor"})
    said = {
        "endpoint_id": 1,
        "list_id": news,
        "decision": True,
        "method": "paper",
        "wording": "Sí, escríbanme.",
    }
    await ada.make(f"/contacts/{number}/consent", said)
    segment = await ada.make("/segments", IN_SPANISH)
    counts = (await ada.get(f"/segments/{segment}/count")).json()
    assert (counts["meant"], counts["reached"]) == (2, 1)
    assert counts["rows"] == [{"channel": "email", "language": "es", "people": 1}]
    assert "Spanish" in counts["explanation"]
    assert (await ada.post("/segments/count", {"expression": IN_SPANISH["expression"]})).json() == counts


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"name": "x", "expression": "language ="}, "/expression", "filter"),
        ({"name": "x", "expression": "name = Rosa"}, "/expression", "filter"),
        ({"name": "x", "expression": "list = Nowhere"}, "/expression", "filter"),
        ({"name": "x", "expression": "channel = fax"}, "/expression", "filter"),
        ({"name": "x", "expression": "1; DROP TABLE contact"}, "/expression", "filter"),
        ({"name": "x", "expression": "(" * 500}, "/expression", "filter"),
        ({"name": " ", "expression": "language = es"}, "/name", "segment_name"),
        ({"name": "KEPT", "expression": "language = es"}, "/name", "segment_name"),
    ],
)
async def test_a_filter_that_is_not_understood_is_refused_with_its_cure(
    ada: Program, body: dict[str, str], pointer: str, code: str
) -> None:
    kept = await ada.make("/segments", {"name": "Kept", "expression": "language = en"})
    assert place(refused(await ada.post("/segments", body), 422, "not_possible")) == (pointer, code)
    if body["name"] != "KEPT":
        answer = await ada.ask("PUT", f"/segments/{kept}", body)
        assert place(refused(answer, 422, "not_possible")) == (pointer, code)
    assert (await ada.get(f"/segments/{kept}")).json()["expression"] == "language = en"


async def test_segments_come_in_pages(ada: Program) -> None:
    numbers = [await ada.make("/segments", {"name": name, "expression": "language = en"}) for name in "cab"]
    assert [each["id"] for each in await ada.everything("/segments", 2)] == numbers


async def test_nobody_counts_with_lists_that_others_keep(ada: Program, eva: Program, office: Office) -> None:
    """A count of one says who is on them."""
    office.list_of(EVA, "Weekly news")
    office.list_of(OMAR, "Families")
    assert (await eva.post("/segments/count", {"expression": 'list = "Weekly news"'})).status_code == 200
    for expression in ("list = Families", 'area = Harbor and not list = "families"'):
        refused(await eva.post("/segments/count", {"expression": expression}), 422, "not_possible")
        segment = await ada.make("/segments", {"name": expression[:9], "expression": expression})
        refused(await eva.get(f"/segments/{segment}/count"), 422, "not_possible")
        assert (await ada.get(f"/segments/{segment}/count")).status_code == 200
