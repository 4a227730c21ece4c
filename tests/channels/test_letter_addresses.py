"""R25 and R26: whether a letter can be delivered to the lines in its window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.letter.addresses import BadAddress, check, tidy

NAME = ("Ana Diaz",)


@pytest.mark.parametrize(
    ("country", "address", "lines", "postcode"),
    [
        ("GB", "12 High Street,\n\n  London \nsw1a2aa", ("12 High Street", "London", "SW1A 2AA"), "SW1A 2AA"),
        ("GB", "12 High Street\nLondon, SW1A 2AA", ("12 High Street", "London", "SW1A 2AA"), "SW1A 2AA"),
        ("GB", "1 Quay\nM1 1AE\nUnited Kingdom", ("1 Quay", "M1 1AE"), "M1 1AE"),
        ("GB", "1 Quay\nCardiff\nCF10 1EP\nWales", ("1 Quay", "Cardiff", "CF10 1EP"), "CF10 1EP"),
        ("GB", "1 Quay\nEC1A 1BB", ("1 Quay", "EC1A 1BB"), "EC1A 1BB"),
        ("GB", "Pte Diaz\nB Company\nBFPO 801", ("Pte Diaz", "B Company", "BFPO 801"), "BFPO 801"),
        ("US", "12 N Main St\nSpringfield, il 62701", ("12 N Main St", "Springfield IL 62701"), "62701"),
        (
            "US",
            "12 N Main St\nSpringfield IL 627011234",
            ("12 N Main St", "Springfield IL 62701-1234"),
            "62701-1234",
        ),
        ("US", "PSC 3 Box 9\nAPO AE 09012\nUSA", ("PSC 3 Box 9", "APO AE 09012"), "09012"),
        ("US", "Urb Las Gladiolas\n150 Calle A\nSan Juan PR 00926", None, "00926"),
        ("CA", "1 Rue A\nMontréal QC h3z2y7", ("1 Rue A", "Montréal QC H3Z 2Y7"), "H3Z 2Y7"),
        ("DE", "Am Ring 1\n10115 Berlin", ("Am Ring 1", "10115 Berlin"), "10115"),
        ("IE", "1 Quay\nCork", ("1 Quay", "Cork"), ""),
    ],
)
def test_a_good_address_is_written_as_its_post_wants_it(country, address, lines, postcode):
    place = check(tidy(address), NAME, country, international=False)
    assert place.lines == (lines or tidy(address))
    assert (place.postcode, place.country) == (postcode, country)


@pytest.mark.parametrize(
    ("country", "address", "reason"),
    [
        ("GB", "", "no address"),
        ("GB", "United Kingdom", "no address"),
        ("GB", "SW1A 2AA", "2 lines"),
        ("GB", "1\n2\n3\n4\n5\n6\nSW1A 2AA", "8 lines"),
        ("GB", "12 High Street\nLondon", "not a postcode"),
        ("GB", "12 High Street\nZZ1 1ZZ", "not a postcode"),
        ("GB", "12 High Street\nSW1A 2AC2", "not a postcode"),
        ("GB", "12 High Street\nParis\nFrance", "another country"),
        ("GB", "BFPO 801\nHamburg\nGermany", "BFPO"),
        ("GB", "NFA\nSW1A 2AA", "no fixed"),
        ("GB", "n.f.a.\nSW1A 2AA", "no fixed"),
        ("GB", "No fixed abode, London\nSW1A 2AA", "no fixed"),
        ("GB", "no Fixed Address\nSW1A 2AA", "no fixed"),
        ("GB", "…\nSW1A 2AA", "no letter or digit"),
        ("US", "12 Main St\nSpringfield IL", "ZIP"),
        ("US", "12 Main St\nSpringfield XX 62701", "ZIP"),
        ("US", "12 Main St\nSpringfield IL 6270", "ZIP"),
        ("US", "12 Main St\n62701", "ZIP"),
        ("CA", "1 Rue A\nMontréal QC", "postcode"),
        ("DE", "Am Ring 1\n-", "letter or digit"),
        ("GB", "x" * 101 + "\nSW1A 2AA", "longer"),
    ],
)
def test_an_address_no_letter_reaches_is_refused_with_its_reason(country, address, reason):
    with pytest.raises(BadAddress, match=reason):
        check(tidy(address), NAME, country, international=False)


@pytest.mark.parametrize("sign", list('@()=[]"\\/,<>~'))
def test_no_line_starts_with_a_sign_that_no_address_starts_with(sign):
    """R25."""
    with pytest.raises(BadAddress, match="Line 2"):
        check((f"{sign}12 High Street", "SW1A 2AA"), NAME, "GB", international=False)


def test_a_foreign_address_is_taken_only_where_the_city_writes_abroad():
    place = check(("1 Rue A", "75001 Paris", "France"), NAME, "GB", international=True)
    assert place.lines[-1] == "FRANCE"
    assert place.country == "FR"


def test_a_reason_never_quotes_the_address():
    with pytest.raises(BadAddress) as refused:
        check(("Hideaway Cottage", "Nowhere"), ("Secret Person",), "GB", international=False)
    assert not {"Hideaway", "Nowhere", "Secret"} & set(str(refused.value).split())


@given(st.lists(st.text(max_size=40), max_size=9), st.sampled_from(["GB", "US", "CA", "DE"]), st.booleans())
def test_any_lines_are_either_a_place_or_refused_and_a_place_stays_itself(lines, country, international):
    try:
        place = check(tidy("\n".join(lines)), NAME, country, international=international)
    except BadAddress:
        return
    assert 3 <= len(NAME) + len(place.lines) <= 7
    assert place.lines == tidy("\n".join(place.lines))
    if place.country == country:
        assert check(place.lines, NAME, country, international=international) == place
