"""Postal addresses: R25, R26, and who lives in one household."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import AddressKind
from contacts.addresses import BadAddress, Problem, normalise
from contacts.postal import Fields, country_code, from_fields


def lines(raw: str, country: str = "US") -> list[str]:
    return normalise(AddressKind.POSTAL, raw, country=country).address.split("\n")


def key(raw: str, country: str = "US") -> str:
    return normalise(AddressKind.POSTAL, raw, country=country).key


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("12 Main St\nSpringfield MA 01103", ["12 Main St", "Springfield MA 01103"]),
        ("12 Main St\n\n  Springfield,  ma  01103-1234 \n", ["12 Main St", "Springfield MA 01103-1234"]),
        ("12 Main St, Apt 4, Springfield, MA, 01103", ["12 Main St", "Apt 4", "Springfield MA 01103"]),
        ("12 Main St, Springfield, Massachusetts 1103", ["12 Main St", "Springfield MA 01103"]),
        ("12 Main St\nNew York, N.Y. 10001\nUSA", ["12 Main St", "New York NY 10001"]),
        ("12 Main St\nNew York New York 10001", ["12 Main St", "New York NY 10001"]),
        ("12 Main St\nCharleston West Virginia 253011234", ["12 Main St", "Charleston WV 25301-1234"]),
        ("1600 Pennsylvania Ave NW\nWashington, D.C. 20500", ["1600 Pennsylvania Ave NW", "Washington DC 20500"]),
        ("Calle 5\nSan Juan PR 901", ["Calle 5", "San Juan PR 00901"]),
        ("PSC 3, Box 1\nAPO AE 9010", ["PSC 3, Box 1", "APO AE 09010"]),
        ("5 Rue de la Paix\n75002 Paris\nFrance", ["5 Rue de la Paix", "75002 Paris", "FRANCE"]),
        ("5 Rue de la Paix\n75002 Paris\nFrancia", ["5 Rue de la Paix", "75002 Paris", "FRANCE"]),
        ("1 High St\nLondon SW1A1AA\nEngland", ["1 High St", "London", "SW1A 1AA", "UNITED KINGDOM"]),
    ],
)  # fmt: skip
def test_r26_an_american_address_ends_in_city_state_and_zip(raw: str, expected: list[str]) -> None:
    assert lines(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1 High St\nLondon\nsw1a1aa", ["1 High St", "London", "SW1A 1AA"]),
        ("1 High St, London, W1A 0AX", ["1 High St", "London", "W1A 0AX"]),
        ("1 High St\nLondon M1 1AE\nU.K.", ["1 High St", "London", "M1 1AE"]),
        ("1 High St\nCardiff\nCF10 1AA\nWales", ["1 High St", "Cardiff", "CF10 1AA"]),
        ("1 High St\nSt Helier\nJE2 3AB\nJersey", ["1 High St", "St Helier", "JE2 3AB"]),
        ("Cpl Jones\nBFPO 57", ["Cpl Jones", "BFPO 57"]),
        ("12 Main St\nSpringfield MA 01103\nUnited States", ["12 Main St", "Springfield MA 01103", "UNITED STATES"]),
    ],
)  # fmt: skip
def test_r25_a_british_address_ends_in_a_postcode_and_drops_its_own_country(
    raw: str, expected: list[str]
) -> None:
    assert lines(raw, "GB") == expected


@pytest.mark.parametrize(
    ("raw", "country", "code"),
    [
        ("12 Main St", "US", Problem.POSTAL_TOO_FEW_LINES),
        ("Springfield MA 01103", "US", Problem.POSTAL_TOO_FEW_LINES),
        ("SW1A 1AA", "GB", Problem.POSTAL_TOO_FEW_LINES),
        ("12 Hauptstraße", "DE", Problem.POSTAL_TOO_FEW_LINES),
        ("1\n2\n3\n4\n5\n6\nSpringfield MA 01103", "US", Problem.POSTAL_TOO_MANY_LINES),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9\nSpringfield MA 01103", "US", Problem.POSTAL_TOO_MANY_LINES),
        ("1\n2\n3\n4\n5\n75002 Paris\nFrance", "US", Problem.POSTAL_TOO_MANY_LINES),
        ("12 Main St\nSpringfield", "US", Problem.POSTAL_LAST_LINE_US),
        ("12 Main St\nSpringfield, IL", "US", Problem.POSTAL_LAST_LINE_US),
        ("12 Main St\nSpringfield XX 01103", "US", Problem.POSTAL_LAST_LINE_US),
        ("12 Main St\nSpringfield IL 6270", "US", Problem.POSTAL_LAST_LINE_US),
        ("12 Main St\nAtlanta\nGeorgia", "US", Problem.POSTAL_LAST_LINE_US),
        ("1 High St\nLondon", "GB", Problem.POSTAL_LAST_LINE_GB),
        ("1 High St\nLondon\nQQ1A 1CC", "GB", Problem.POSTAL_LAST_LINE_GB),
        ("=HYPERLINK(1)\nSpringfield MA 01103", "US", Problem.POSTAL_LINE_START),
        ("12 Main St\n<b>\nSpringfield MA 01103", "US", Problem.POSTAL_LINE_START),
        ("~\nSpringfield MA 01103", "US", Problem.POSTAL_LINE_START),
        ("***\nSpringfield MA 01103", "US", Problem.POSTAL_LINE_EMPTY),
        ("NFA\nSpringfield MA 01103", "US", Problem.POSTAL_NO_FIXED_ADDRESS),
        ("No Fixed Abode\nLondon\nSW1A 1AA", "GB", Problem.POSTAL_NO_FIXED_ADDRESS),
        ("no fixed address\nBerlin", "DE", Problem.POSTAL_NO_FIXED_ADDRESS),
        ("Cpl Jones\nBFPO 57\nGermany", "GB", Problem.POSTAL_BFPO_ABROAD),
        ("x" * 101 + "\nSpringfield MA 01103", "US", Problem.TOO_LONG),
        ("," * 10_000, "GB", Problem.POSTAL_TOO_FEW_LINES),
        ("\n", "US", Problem.EMPTY),
    ],
)
def test_r25_an_address_that_no_letter_reaches_is_refused(raw: str, country: str, code: Problem) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(AddressKind.POSTAL, raw, country=country)
    assert refused.value.code == code


@pytest.mark.parametrize("sign", '@()=[]"\\/,<>~')
def test_r25_no_line_starts_with_a_sign_that_machines_read(sign: str) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(AddressKind.POSTAL, f"{sign}12 Main St\nSpringfield MA 01103", country="US")
    assert refused.value.code == Problem.POSTAL_LINE_START


@pytest.mark.parametrize(
    "other",
    [
        "12 MAIN STREET\n#4\nSPRINGFIELD, MASSACHUSETTS 01103",
        "12 Main St., Unit 4, Springfield, MA 01103-1234",
        "Apt. 4\n12 Main St\nSpringfield MA 1103",
        "12 Main St Apt #4\nSpringfield MA 01103\nUSA",
        "12 Máin St  apartment 4\nspringfield ma 01103",
    ],
)
def test_one_household_has_one_key_however_it_is_written(other: str) -> None:
    assert key(other) == key("12 Main St\nApt 4\nSpringfield MA 01103")


@pytest.mark.parametrize(
    "other",
    [
        "12 Main St\nApt 5\nSpringfield MA 01103",
        "12 Main St\nSpringfield MA 01103",
        "12 Main Ave\nApt 4\nSpringfield MA 01103",
        "4 Main St\nApt 12\nSpringfield MA 01103",
        "12 N Main St\nApt 4\nSpringfield MA 01103",
        "12 Main St\nApt 4\nSpringfield MA 01104",
    ],
)
def test_two_households_have_two_keys(other: str) -> None:
    assert key(other) != key("12 Main St\nApt 4\nSpringfield MA 01103")


@pytest.mark.parametrize(
    ("one", "other", "country", "same"),
    [
        ("PO Box 12\nSpringfield IL 62701", "P.O. Box 12\nSpringfield IL 62701", "US", True),
        ("12 North Main St\nErie PA 16501", "12 N. Main St\nErie PA 16501", "US", True),
        ("12 North St NW\nWashington DC 20001", "12 N St NW\nWashington DC 20001", "US", False),
        ("12 St. Mary's Rd\nErie PA 16501", "12 Saint Marys Road\nErie PA 16501", "US", True),
        ("Apt 4\nErie PA 16501", "Unit 4\nErie PA 16501", "US", False),
        ("Flat 2, 1 High Street, London, SW1A 1AA", "1 High St\nflat 2\nsw1a1aa", "GB", True),
        ("Rose Cottage\nDitton\nSW1A 1AA", "Ivy Cottage\nDitton\nSW1A 1AA", "GB", False),
        ("Flat 2\n1 High St\nSW1A 1AA", "Flat 2\n9 High St\nSW1A 1AA", "GB", False),
        ("Hauptstraße 5\n10115 Berlin", "HAUPTSTRASSE 5\n10115 Berlin", "DE", True),
        ("Hauptstr. 5\n10115 Berlin", "Hauptstr. 5\n10117 Berlin", "DE", False),
        ("मकान 12\n110001 दिल्ली", "मकान 12\n110001 दल्ली", "IN", False),
        ("5 Rue X\n75002 Paris\nFrance", "5 rue x\n75002 PARIS\nFRANKREICH", "US", True),
    ],
)
def test_households_by_country(one: str, other: str, country: str, same: bool) -> None:
    assert (key(one, country) == key(other, country)) == same


@given(
    number=st.integers(1, 9999),
    street=st.from_regex(r"[A-Z][a-z]{3,12}", fullmatch=True),
    word=st.sampled_from([("Street", "st."), ("Avenue", "AVE"), ("Road", "Rd"), ("Drive", "dr")]),
    unit=st.from_regex(r"[0-9]{1,3}[A-F]?", fullmatch=True),
    zip_code=st.from_regex(r"6[0-2][0-9]{3}", fullmatch=True),
)
def test_case_punctuation_and_short_forms_never_part_a_household(
    number: int, street: str, word: tuple[str, str], unit: str, zip_code: str
) -> None:
    long = f"{number} {street} {word[0]}\nApartment {unit}\nSpringfield, Illinois {zip_code}"
    short = f"#{unit.lower()}, {number} {street.upper()} {word[1]}, SPRINGFIELD, IL {zip_code}-0001"
    assert key(long) == key(short)


def test_fields_become_lines() -> None:
    found = from_fields(
        Fields(("12 Main St, Rear", "Apt 4"), "Springfield", "Massachusetts", "1103.0", "USA"), country="US"
    )
    assert found.address == "12 Main St, Rear\nApt 4\nSpringfield MA 01103"


@pytest.mark.parametrize(
    ("fields", "country", "expected"),
    [
        (Fields(("Calle 5",), "San Juan", "", "901", "Puerto Rico"), "US", "Calle 5\nSan Juan PR 00901"),
        (Fields(("12 Main St\nSpringfield, MA 01103",)), "US", "12 Main St\nSpringfield MA 01103"),
        (Fields(("12 Main St, Springfield, MA 01103",)), "US", "12 Main St\nSpringfield MA 01103"),
        (Fields(("1 High St",), "London", "", "sw1a 1aa"), "GB", "1 High St\nLondon\nSW1A 1AA"),
        (Fields(("Hauptstr. 5",), "Berlin", "", "10115"), "DE", "Hauptstr. 5\n10115 Berlin"),
        (
            Fields(("Hauptstr. 5",), "Berlin", "", "10115", "Germany"),
            "US",
            "Hauptstr. 5\n10115 Berlin\nGERMANY",
        ),
        (
            Fields(("1 King St",), "Toronto", "ON", "M5H 1A1", "CA"),
            "US",
            "1 King St\nToronto ON M5H 1A1\nCANADA",
        ),
        (
            Fields(("Rustaveli 1",), "Tbilisi", "", "0108", "Georgia"),
            "US",
            "Rustaveli 1\n0108 Tbilisi\nGEORGIA",
        ),
    ],
)
def test_fields_are_written_as_their_country_writes_them(fields: Fields, country: str, expected: str) -> None:
    assert from_fields(fields, country=country).address == expected


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("US", "US"), ("usa", "US"), ("U.S.A.", "US"), ("The United States", "US"), ("Estados Unidos", "US"),
        ("UK", "GB"), ("Scotland", "GB"), ("haiti", "HT"), ("Haïti", "HT"), ("Türkiye", "TR"), ("turkey", "TR"),
        ("Côte d’Ivoire", "CI"), ("México", "MX"),
    ],
)  # fmt: skip
def test_a_country_is_known_by_its_code_and_its_names(name: str, code: str) -> None:
    assert country_code(name) == code


@pytest.mark.parametrize("name", ["Congo", "XX", "ZZ", "EU", "Springfield", "1", ""])
def test_a_country_that_is_none_or_could_be_two_is_refused(name: str) -> None:
    with pytest.raises(BadAddress) as refused:
        country_code(name)
    assert refused.value.code == Problem.POSTAL_COUNTRY


@pytest.mark.parametrize(
    ("fields", "country", "expected"),
    [
        (Fields(("1 Rue X",), "Paris", "", "75002"), "FR", ["1 Rue X", "75002 Paris"]),
        (Fields(("Weg 1",), "Berlin", "Berlin", "10115"), "DE", ["Weg 1", "10115 Berlin"]),
        (Fields(("1 King St W",), "Toronto", "ON", "M5H 1A1"), "CA", ["1 King St W", "Toronto ON M5H 1A1"]),
        (Fields(("1 George St",), "Sydney", "NSW", "2000"), "AU", ["1 George St", "Sydney NSW 2000"]),
        (Fields(("Rua 1",), "Sao Paulo", "SP", "01310-100"), "BR", ["Rua 1", "Sao Paulo SP", "01310-100"]),
        (Fields(("Via 1",), "Roma", "RM", "00184"), "IT", ["Via 1", "00184 Roma RM"]),
        (Fields(("1 High St",), "London", "Greater London", "SW1A 1AA"), "GB", ["1 High St", "London", "SW1A 1AA"]),
        (Fields(("1-1",), "Chiyoda", "Tokyo", "100-0001"), "JP", ["1-1", "100-0001 Chiyoda Tokyo"]),
        (Fields(("5 Rue X",), "Paris", "", "75002", "FR"), "US", ["5 Rue X", "75002 Paris", "FRANCE"]),
    ],
)  # fmt: skip
def test_city_region_and_postcode_stand_as_their_country_writes_them(
    fields: Fields, country: str, expected: list[str]
) -> None:
    assert from_fields(fields, country=country).address.split("\n") == expected


@pytest.mark.parametrize(
    ("fields", "country", "code"),
    [
        (Fields(("Weg 1",), "Berlin", "", "1011"), "DE", Problem.POSTAL_POSTCODE),
        (Fields(("1 King St W",), "Toronto", "ON", "D5H 1A1"), "CA", Problem.POSTAL_POSTCODE),
        (Fields(("1 Rue X",), "Paris", "", "ABCDE", "France"), "US", Problem.POSTAL_POSTCODE),
        (Fields(("12 Main St",), "Springfield", "CA", "01103"), "US", Problem.POSTAL_REGION),
        (Fields(("12 Main St",), "Springfield", "MA", "90210"), "US", Problem.POSTAL_REGION),
    ],
)
def test_r25_a_postcode_that_its_country_or_state_does_not_have_is_refused(
    fields: Fields, country: str, code: Problem
) -> None:
    with pytest.raises(BadAddress) as refused:
        from_fields(fields, country=country)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "raw",
    ["Springfield MA 05501", "New York NY 06390", "Washington DC 20500", "APO AE 09010", "San Juan PR 00901"],
)
def test_r26_zip_codes_outside_their_states_row_are_known(raw: str) -> None:
    assert lines(f"12 Main St\n{raw}")[-1] == raw
