"""Segments over a small city: what SQL answers is what plain Python answers, and nobody is named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from contacts import consent, lists, segments
from contacts.audience import Audience, belongs, candidates, writable
from contacts.conditions import People, matches
from contacts.filter_trees import All, Dated, Either, FilterError, Is, Not, Tree
from contacts.filters import show
from contacts.models import Basis, Contact, Endpoint, ListKind
from contacts.segments import Count, SegmentError, UnknownSegment

Make = Callable[..., Endpoint]

LANGUAGES = ["en", "es", "es-MX", "est", "zh-Hant", "zh-Hans"]
AREAS = ["", "North End", "north end", "100%", "a_b", "axb", "O'Neil|x", "back\\slash", "a/b"]
GROUPS = ["", "|elders|", "|Elders|newcomers|", "|new|", "|100%|a_b|"]
CHANNELS = ["sms", "email", "letter"]
DAYS = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (1, 2, 3) for hour in (0, 12, 23)]


@dataclass
class Address:
    """An endpoint, as plain Python knows it."""

    id: int
    channel: str
    usable: bool
    yes: dict[int, datetime] = field(default_factory=dict)  # list -> when


@dataclass
class Person:
    """A contact, as plain Python knows it."""

    id: int
    language: str
    area: str
    groups: str
    created: datetime
    addresses: list[Address] = field(default_factory=list)


@dataclass
class City:
    """Some people, three lists to agree to and one to be left out by."""

    session: Session
    opt_in: list[int]
    exclusion: int
    people: list[Person]


@pytest.fixture
def city(session: Session) -> City:
    chance = random.Random(7)
    opt_in = [lists.get_or_create(session, name).id or 0 for name in ("News", "Alerts", "Schools")]
    families = lists.get_or_create(session, "Families")
    lists.edit(session, families, kind=ListKind.EXCLUSION)
    people = [_person(session, chance, [*opt_in, families.id or 0], number) for number in range(40)]
    session.commit()
    return City(session, opt_in, families.id or 0, people)


def _person(session: Session, chance: random.Random, list_ids: list[int], number: int) -> Person:
    created = chance.choice(DAYS)
    contact = Contact(
        language=chance.choice(LANGUAGES), area=chance.choice(AREAS), groups=chance.choice(GROUPS), created_at=created
    )  # fmt: skip
    session.add(contact)
    session.flush()
    person = Person(contact.id or 0, contact.language, contact.area, contact.groups, created)
    for channel in chance.sample(CHANNELS, chance.randint(0, 3)):
        held = chance.choice(["", "", "", "refusal"])
        state = chance.choice(["usable", "usable", "bad"])
        endpoint = Endpoint(
            contact_id=contact.id, channel=channel, address=f"{channel}{number}", address_key=f"{channel}{number}",
            held=held, state=state,
        )  # fmt: skip
        session.add(endpoint)
        session.flush()
        address = Address(endpoint.id or 0, channel, not held and state == "usable")
        for list_id in chance.sample(list_ids, chance.randint(0, 3)):
            at, yes = chance.choice(DAYS), chance.random() < 0.7
            consent.record(
                session, contact_id=person.id, endpoint_id=address.id, list_id=list_id, decision=yes,
                method="web form", at=at,
            )  # fmt: skip
            if yes:
                address.yes[list_id] = at
        person.addresses.append(address)
    return person


def expected(tree: Tree, city: City, person: Person, address: Address | None) -> bool:
    """What a filter says of a person, at an address or (None) at any."""
    match tree:
        case Not(part):
            return not expected(part, city, person, address)
        case All(parts):
            return all(expected(part, city, person, address) for part in parts)
        case Either(parts):
            return any(expected(part, city, person, address) for part in parts)
        case Dated("created"):
            return _in_time(person.created, tree)
        case Dated():
            return any(
                _in_time(at, tree)
                for each in _looked_at(person, address)
                for list_id, at in each.yes.items()
                if list_id != city.exclusion
            )
    return _has(tree, city, person, address)


def _has(asked: Is, city: City, person: Person, address: Address | None) -> bool:
    values = asked.values
    folded = {str(each).lower() for each in values}
    if asked.field == "language":
        return any(person.language == each or person.language.startswith(f"{each}-") for each in values)
    if asked.field == "area":
        return person.area.lower() in folded
    if asked.field == "group":
        return bool(folded & set(person.groups.lower().strip("|").split("|")))
    if asked.field == "list":
        return any(set(values) & set(each.yes) for each in _looked_at(person, address))
    return any(
        each.usable and each.channel in values and set(each.yes) - {city.exclusion}
        for each in person.addresses
    )


def _looked_at(person: Person, address: Address | None) -> list[Address]:
    return person.addresses if address is None else [address]


def _in_time(moment: datetime, term: Dated) -> bool:
    its, day = moment.date(), term.day
    return {"after": its > day, "since": its >= day, "before": its < day, "until": its <= day}[term.when]


def one_of(field_: str, values: list[str] | list[int]) -> st.SearchStrategy[Tree]:
    some = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)
    return st.builds(Is, st.just(field_), some)


TERMS = st.one_of(
    one_of("language", ["en", "es", "es-MX", "zh", "zh-Hant", "ht"]),
    one_of("area", [*AREAS[1:], "nowhere", "1__%"]),
    one_of("group", ["elders", "ELDERS", "new", "newcomers", "100%", "a_b", "axb"]),
    one_of("channel", [*CHANNELS, "telegram"]),
    one_of("list", [1, 2, 3, 4]),
    st.builds(
        Dated, st.sampled_from(["consent", "created"]), st.sampled_from(["after", "since", "before", "until"]),
        st.dates(date(2026, 2, 28), date(2026, 3, 4)),
    ),
)  # fmt: skip
TREES = st.recursive(
    TERMS,
    lambda parts: st.one_of(
        parts.map(Not),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: All(tuple(found))),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: Either(tuple(found))),
    ),
    max_leaves=6,
)
over_the_city = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@over_the_city
@given(tree=TREES)
def test_sql_and_plain_python_agree_about_every_address(city: City, tree: Tree) -> None:
    query = select(col(Endpoint.id)).join(Contact, col(Contact.id) == col(Endpoint.contact_id))
    found = set(city.session.execute(query.where(matches(tree, People()))).scalars())
    assert found == {
        address.id
        for person in city.people
        for address in person.addresses
        if expected(tree, city, person, address)
    }


@over_the_city
@given(tree=TREES)
def test_sql_and_plain_python_agree_about_every_contact(city: City, tree: Tree) -> None:
    query = select(col(Contact.id)).where(matches(tree, People(endpoint=None)))
    found = set(city.session.execute(query).scalars())
    assert found == {person.id for person in city.people if expected(tree, city, person, None)}


@over_the_city
@given(tree=TREES)
def test_a_count_adds_up_to_those_who_may_be_written_to(city: City, tree: Tree) -> None:
    wanted, people = Audience(None, tree), People()
    query = (
        select(col(Contact.id), col(Endpoint.channel))
        .join(Endpoint, col(Endpoint.contact_id) == col(Contact.id))
        .where(belongs(wanted, people), writable(wanted, people, public_task=True))
    )
    rows = city.session.execute(query).all()
    found = segments.count(city.session, show(tree))
    assert sum(each.people for each in found.rows) == len(rows)
    assert found.reached == len({row.id for row in rows})
    assert found.reached <= found.meant


@pytest.fixture
def news(session: Session) -> int:
    return lists.get_or_create(session, "Weekly news").id or 0


def agree(session: Session, endpoint: Endpoint, list_id: int, decision: bool = True, **more: object) -> None:
    said = {"method": "web form"} | more
    consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=list_id, decision=decision,
        **said,
    )  # type: ignore[arg-type]  # fmt: skip


def asked(
    session: Session, wanted: Audience, channel: str = "sms", *, printed: bool = False
) -> dict[int, str | None]:
    """Why each address in the audience is not written to."""
    query = candidates(channel, wanted, {"en": "en"}, per_household=printed)
    return {row.endpoint_id: row.reason for row in session.execute(query)}


def meant(session: Session, text: str, *excluded: int) -> Audience:
    return Audience(None, segments.looked_up(session, text), excluded)


def test_a_segment_is_kept_with_its_lists_numbers_and_told_with_their_names_of_today(
    session: Session, news: int
) -> None:
    kept = segments.add(session, " Readers ", 'language=Spanish AND list = "weekly NEWS"', actor="ana")
    assert (kept.name, kept.expression) == ("Readers", f"language = es and list = #{news}")
    lists.edit(session, lists.by_name(session, "Weekly news"), name="News on Fridays")
    assert segments.written(session, kept.expression) == 'language = es and list = "News on Fridays"'
    assert '"News on Fridays"' in segments.explain(session, kept.expression)
    assert segments.find(session, "readers").id == kept.id


def test_a_segment_is_edited_renamed_and_removed(session: Session) -> None:
    kept = segments.add(session, "North", "area = North", actor="ana")
    other = segments.add(session, "South", "area = South", actor="ana")
    segments.edit(session, kept, name="The north", expression='area = "North End"')
    assert [each.name for each in segments.every(session)] == ["South", "The north"]
    with pytest.raises(SegmentError, match="already"):
        segments.edit(session, other, name="the NORTH")
    segments.remove(session, other)
    with pytest.raises(UnknownSegment, match="The segments: The north"):
        segments.find(session, "South")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x07b"])
def test_a_name_that_cannot_be_shown_is_refused(session: Session, name: str) -> None:
    with pytest.raises(SegmentError):
        segments.add(session, name, "area = x", actor="ana")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ('list = "Weekly nws"', 'Did you mean "Weekly news"?'),
        ("list = Trumpets", "The lists there are: Weekly news"),
        ("list = #99", "The lists there are"),
        ("channel = smms", "Did you mean sms?"),
    ],
)
def test_a_list_or_channel_that_is_not_there_is_refused_with_the_nearest(
    session: Session, news: int, text: str, cure: str
) -> None:
    with pytest.raises(FilterError) as caught:
        segments.add(session, "x", text, actor="ana", channels=["sms", "email"])
    assert cure in str(caught.value)
    assert "^" in str(caught.value)


def test_an_area_nobody_lives_in_is_doubted(session: Session, resident: Make) -> None:
    resident(area="North End", groups="|elders|")
    text = 'area in ("Nort End", "north end") or group = eldrs'
    assert segments.doubts(session, text) == [
        "Nobody is in the area 'Nort End'. Did you mean \"North End\"?",
        "Nobody is in the group 'eldrs'. Did you mean elders?",
    ]


def test_r8_a_no_to_a_list_keeps_them_out_of_a_segment_that_names_it(
    session: Session, resident: Make, news: int
) -> None:
    stays, left = resident(), resident(address="+12025550144")
    for endpoint in (stays, left):
        lists.add_member(session, news, endpoint.contact_id)
        agree(session, endpoint, news)
    agree(session, left, news, decision=False)
    assert asked(session, meant(session, 'list = "Weekly news"')) == {stays.id: None}


def test_membership_alone_is_not_being_on_a_list(session: Session, resident: Make, news: int) -> None:
    lists.add_member(session, news, resident().contact_id)
    assert asked(session, meant(session, f"list = #{news}")) == {}


def test_a_list_named_beside_an_or_still_has_to_be_agreed_to(
    session: Session, resident: Make, news: int
) -> None:
    other = lists.get_or_create(session, "Other").id or 0
    endpoint = resident(area="North")
    agree(session, endpoint, other)
    assert asked(session, meant(session, "area = North")) == {endpoint.id: None}
    assert asked(session, meant(session, f"area = North or list = #{news}")) == {endpoint.id: "no_consent"}
    assert asked(session, meant(session, f"area = North and not list = #{news}")) == {endpoint.id: None}


def test_being_on_an_exclusion_list_is_no_consent(session: Session, resident: Make) -> None:
    press = lists.get_or_create(session, "Press")
    lists.edit(session, press, kind=ListKind.EXCLUSION)
    endpoint = resident()
    agree(session, endpoint, press.id or 0)
    assert asked(session, Audience()) == {endpoint.id: "no_consent"}


def test_a_whole_person_is_left_out_and_who_shares_an_address_with_them(
    session: Session, resident: Make, news: int
) -> None:
    families = lists.get_or_create(session, "Families").id or 0
    mother, son, stranger = resident(), resident(address="+12025550144"), resident(address="+12025550145")
    for endpoint in (mother, son):
        home = Endpoint(
            contact_id=endpoint.contact_id, channel="letter", address="12 Alder St", address_key="12 alder"
        )
        session.add(home)
    for endpoint in (mother, son, stranger):
        agree(session, endpoint, news)
    lists.add_member(session, families, mother.contact_id)
    wanted = Audience(None, None, (families,))
    assert asked(session, wanted) == {mother.id: "excluded", son.id: "excluded", stranger.id: None}
    assert asked(session, Audience()) == dict.fromkeys([mother.id, son.id, stranger.id])


def test_r3_who_wrote_what_a_person_has_to_read_is_held(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    agree(session, endpoint, news)
    endpoint.held = "refusal"
    session.flush()
    assert asked(session, Audience()) == {endpoint.id: "held"}


@pytest.mark.parametrize("shell", ["erased_at", "merged_into", "state"])
def test_a_shell_is_in_no_audience(session: Session, resident: Make, news: int, shell: str) -> None:
    endpoint = resident()
    agree(session, endpoint, news)
    contact = session.get_one(Contact, endpoint.contact_id)
    if shell == "erased_at":
        contact.erased_at = DAYS[0]
    elif shell == "merged_into":
        contact.merged_into = contact.id
    else:
        endpoint.state = "erased"
    session.flush()
    assert asked(session, Audience()) == {}
    found = segments.count(session, "language = en")
    assert (found.meant, found.rows) == (1 if shell == "state" else 0, ())


@pytest.mark.parametrize(("printed", "reason"), [(True, None), (False, "no_consent")])
def test_public_task_allows_printed_mail_and_nothing_else(
    session: Session, resident: Make, news: int, printed: bool, reason: str | None
) -> None:
    endpoint = resident("letter", "12 Alder St")
    agree(session, endpoint, news, basis=Basis.PUBLIC_TASK)
    lists.add_member(session, news, endpoint.contact_id)
    assert asked(session, Audience(news), "letter", printed=printed) == {endpoint.id: reason}


def test_people_are_counted_by_channel_and_language(session: Session, resident: Make, news: int) -> None:
    mexican, spanish = resident(language="es-MX"), resident(address="+12025550144", language="es")
    both = Endpoint(contact_id=spanish.contact_id, channel="email", address="s@example.org", address_key="s")
    session.add(both)
    session.flush()
    resident(address="+12025550146", language="es")
    for endpoint in (mexican, spanish, both):
        agree(session, endpoint, news)
    found = segments.count(session, "language = es")
    assert (found.meant, found.reached) == (3, 2)
    assert found.rows == (Count("email", "es", 1), Count("sms", "es", 1), Count("sms", "es-MX", 1))


def test_a_yes_counts_from_its_day_in_utc(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    agree(session, endpoint, news, at=datetime(2026, 3, 2, tzinfo=UTC) - timedelta(microseconds=1))
    said = partial(asked, session)
    assert said(meant(session, "consent since 2026-03-01")) == {endpoint.id: None}
    assert said(meant(session, "consent after 2026-03-01")) == {}
    assert said(meant(session, "consent until 2026-03-01")) == {endpoint.id: None}
    assert said(meant(session, "consent before 2026-03-02")) == {endpoint.id: None}
