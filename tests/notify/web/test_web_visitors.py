"""Who asks, and how often: only trusted proxies are believed, and a limit forgets nobody too early."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from contacts.addresses import BadAddress, email
from notify.settings import CitySettings, WebSettings
from notify.web.public import signup, visitors
from notify.web.public.forms import LONGEST, Form
from notify.web.public.signup import TRAP, Ways
from notify.web.public.visitors import Visitors, Window


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "ip"),
    [
        ([], "203.0.113.7", ["192.0.2.1"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.0.0.5", ["192.0.2.1"], "192.0.2.1"),
        (["10.0.0.0/8"], "10.0.0.5", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),  # what stands before is anybody's
        (["10.0.0.0/8"], "10.0.0.5", ["192.0.2.1, 10.0.0.9"], "192.0.2.1"),  # two proxies
        (["10.0.0.0/8"], "10.0.0.5", ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),  # two headers
        (["10.0.0.0/8"], "10.0.0.5", [], "10.0.0.5"),
        (["10.0.0.0/8"], "10.0.0.5", ["unknown"], "10.0.0.5"),
        (["10.0.0.0/8"], "10.0.0.5", ["<script>, 192.0.2.1:443"], "10.0.0.5"),
        (["2001:db8::/32"], "2001:db8::1", ["2001:470::7"], "2001:470::7"),
        (["10.0.0.0/8"], None, ["192.0.2.1"], ""),
        ([], "testclient", [], ""),
    ],
)
def test_only_trusted_proxies_say_who_asks(
    trusted: list[str], peer: str | None, forwarded: list[str], ip: str
) -> None:
    assert Visitors(trusted).ip(request(peer, *forwarded)) == ip


def test_unless_the_city_says_otherwise_a_proxy_on_this_machine_is_believed() -> None:
    visitors = Visitors(WebSettings().trusted_proxies)
    assert visitors.ip(request("127.0.0.1", "192.0.2.1")) == "192.0.2.1"
    assert visitors.ip(request("203.0.113.7", "192.0.2.1")) == "203.0.113.7"


@settings(deadline=None)  # other workers may have the machine
@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=4))
def test_whatever_a_header_says_an_ip_address_comes_out(forwarded: list[str]) -> None:
    found = Visitors(["0.0.0.0/0"]).ip(request("10.0.0.5", *forwarded))
    assert ipaddress.ip_address(found)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_slides() -> None:
    clock = Clock()
    window = Window(2, 60, clock)
    assert [window.admits("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert window.admits("192.0.2.2")
    clock.now += 59
    assert not window.admits("192.0.2.1")
    clock.now += 1
    assert [window.admits("192.0.2.1") for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one household has a whole network
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "nonsense", True),
    ],
)
def test_a_household_counts_as_one(one: str, other: str, same: bool) -> None:
    window = Window(1, 60)
    assert window.admits(one)
    assert window.admits(other) is not same


def test_a_window_remembers_only_so_many_and_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MOST_KNOWN", 3)
    window = Window(1, 60)
    assert all(window.admits(f"192.0.2.{number}") for number in range(5))
    assert not window.admits("192.0.2.4")  # still known
    assert window.admits("192.0.2.0")  # forgotten
    assert len(window._visits) == 3
    assert "192" not in repr(window._visits) + repr(vars(window))


@settings(deadline=None)  # other workers may have the machine
@given(
    st.lists(st.tuples(st.sampled_from(["address", "topic", "language", "area", "words", TRAP]), st.text()))
)
def test_whatever_a_form_brings_is_read_and_nothing_unchecked_is_taken(fields: list[tuple[str, str]]) -> None:
    city = CitySettings(languages=["en", "ar"], areas=["Harbor"])
    ways = Ways({kind: kind for kind in (signup.AddressKind.EMAIL, signup.AddressKind.PHONE)}, "US")
    form = Form(fields)
    filled = signup.read(form, ways, city, [], "en", "seal")
    assert "topic" in filled.wrong
    assert filled.language in city.languages or "language" in filled.wrong
    assert filled.area in ("", "Harbor") or "area" in filled.wrong
    assert filled.address or "address" in filled.wrong
    assert len(filled.raw) <= LONGEST + 1
    assert not any(sign in filled.raw for sign in "\r\n\0")


@settings(deadline=None)  # other workers may have the machine
@given(st.text(max_size=60))
def test_no_address_brings_a_line_break_into_a_mail(text: str) -> None:
    try:
        found = email(Form([("address", f"a{text}@example.org")]).one("address"))
    except BadAddress:
        return
    assert not any(sign in found.address for sign in "\r\n\0 <>,;\u202e\u200b")
