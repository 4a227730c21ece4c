"""What was approved before is found again; files of other tools come in and go out whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, create_engine, select

from notify import tables
from notify.translation import exchange, glossary, memory
from notify.translation.exchange import ExchangeError
from notify.translation.models import MemoryEntry, Term, TermKind

KNOWN = tables.ALL


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def keep(session: Session, sentence: str, text: str, target: str = "es") -> None:
    memory.keep(session, "en", target, sentence, text, approved_by="tara@city.example")


@pytest.mark.parametrize(
    "asked",
    [
        "The mayor’s office is open – come in.",
        "The mayor's office is open - come in.",
        "The  mayor's office\nis open — come in.",
    ],
)
def test_blanks_quotation_marks_and_dashes_do_not_count(session: Session, asked: str) -> None:
    keep(session, "The mayor's office is open – come in.", "La oficina está abierta.")
    assert memory.exact(session, "en", "es", [asked])[asked].text == "La oficina está abierta."


@pytest.mark.parametrize(
    "asked",
    ["The vigil is at 8:00.", "the vigil is at 7:00.", "The vigil is at 7:00", "The vigil is not at 7:00."],
)
def test_a_sentence_that_says_something_else_is_no_exact_match(session: Session, asked: str) -> None:
    keep(session, "The vigil is at 7:00.", "La vigilia es a las 7:00.")
    assert memory.exact(session, "en", "es", [asked]) == {}
    assert memory.near(session, "en", "es", asked)[0].alike < 100


def test_near_matches_come_likest_first_and_strangers_not_at_all(session: Session) -> None:
    keep(session, "The library on Mill Street is open.", "La biblioteca de Mill Street está abierta.")
    keep(session, "The library on Mill Street is open again from Monday.", "… abre el lunes.")
    keep(session, "If you need help, call 211.", "Si necesita ayuda, llame al 211.")
    found = memory.near(session, "en", "es", "The library on Mill Street is open today.")
    assert [each.source[:30] for each in found] == ["The library on Mill Street is "] * 2
    assert found[0].alike > found[1].alike
    assert memory.near(session, "en", "fr", "The library on Mill Street is open.") == []


def test_shorter_variants_are_shorter(session: Session) -> None:
    keep(session, "If you need help, call 211 now.", "x")
    found = memory.shorter(session, "en", "es", "If you need any help, please call 211 now.")
    assert [each.source for each in found] == ["If you need help, call 211 now."]


def test_the_newest_approved_word_counts(session: Session) -> None:
    keep(session, "Thank you.", "Gracias.")
    keep(session, "Thank you.", "Muchas gracias.")
    assert [each.text for each in session.exec(select(MemoryEntry))] == ["Muchas gracias."]


text = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
    .map(lambda value: " ".join(value.split()))
    .filter(bool)
)


@settings(max_examples=60, deadline=None)
@given(pairs=st.dictionaries(text, text, max_size=6))
def test_what_goes_out_as_tmx_comes_in_the_same(
    pairs: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    path = tmp_path_factory.mktemp("tmx") / "memory.tmx"
    with Session(engine) as first:
        for sentence, translated in pairs.items():
            keep(first, sentence, translated)
        before = {(each.key, each.text) for each in memory.every(first)}
        with path.open("w", encoding="utf-8") as stream:
            exchange.write_tmx(memory.every(first), stream, "1")
        first.rollback()
    SQLModel.metadata.drop_all(engine)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as second:
        taken = exchange.read_tmx(second, path, "en")
        after = {(each.key, each.text) for each in memory.every(second)}
    # noncharacters that XML cannot hold are left out
    assert taken.problems == [] or any(
        not character.isprintable() for key in pairs for character in key + pairs[key]
    )
    if taken.problems == [] and all(value.isprintable() for item in pairs.items() for value in item):
        assert after == before


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


TMX = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="EN-US"/><body>
<tu><tuv xml:lang="EN"><seg>You are <bpt i="1"/>not<ept i="1"/> alone.</seg></tuv>
    <tuv xml:lang="es"><seg>No están solos.</seg></tuv><tuv xml:lang="ht"><seg>Nou pa pou kont nou.</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>Bonjour</seg></tuv></tu>
<tu><tuv xml:lang="not a language"><seg>x</seg></tuv></tu>
</body></tmx>"""


def test_a_tmx_file_of_another_tool_is_read(session: Session, tmp_path: Path) -> None:
    taken = exchange.read_tmx(session, write(tmp_path / "a.tmx", TMX), "en")
    assert (taken.added, len(taken.problems)) == (2, 2)
    assert (
        memory.exact(session, "en", "ht", ["You are not alone."])["You are not alone."].text
        == "Nou pa pou kont nou."
    )
    again = exchange.read_tmx(session, tmp_path / "a.tmx", "en")
    assert (again.added, again.known) == (0, 2)


def test_a_tmx_file_that_names_regions_serves_a_city_that_does_not(session: Session, tmp_path: Path) -> None:
    regional = """<tmx version="1.4"><body>
    <tu><tuv xml:lang="en-US"><seg>Come in.</seg></tuv><tuv xml:lang="es-US"><seg>Pasen.</seg></tuv>
        <tuv xml:lang="es"><seg>Entren.</seg></tuv><tuv xml:lang="zh-TW"><seg>請進。</seg></tuv></tu>
    <tu><tuv xml:lang="en-GB"><seg>Thank you.</seg></tuv><tuv xml:lang="es-MX"><seg>Gracias.</seg></tuv></tu>
    </body></tmx>"""
    path = write(tmp_path / "a.tmx", regional)
    taken = exchange.read_tmx(session, path, "en", targets=["es", "zh-Hans"])
    assert (taken.added, taken.problems) == (3, [])
    kept = {(each.target_language, each.text) for each in memory.every(session)}
    assert kept == {("es", "Entren."), ("es", "Gracias."), ("zh-TW", "請進。")}


def test_what_was_approved_here_stays_unless_it_is_to_be_replaced(session: Session, tmp_path: Path) -> None:
    keep(session, "You are not alone.", "Ustedes no están solos.")
    path = write(tmp_path / "a.tmx", TMX)
    assert exchange.read_tmx(session, path, "en").known == 1
    assert exchange.read_tmx(session, path, "en", replace=True).replaced == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "line"),
        ("not xml", "line 1"),
        ("<html></html>", "no TMX file"),
        (TMX[:-20], "not whole"),
        ('<!DOCTYPE t [<!ENTITY a "b">]><tmx>&a;</tmx>', "entities"),
        ('<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/passwd">]><tmx>&a;</tmx>', "entities"),
    ],
)
def test_a_broken_or_hostile_file_is_refused_with_its_cure(
    session: Session, tmp_path: Path, content: str, told: str
) -> None:
    with pytest.raises(ExchangeError, match=told):
        exchange.read_tmx(session, write(tmp_path / "a.tmx", content), "en")


CSV = """kind,source_language,target_language,source,target,note
translate,en,es,City Hall,Ayuntamiento|Alcaldía,
keep,en,,Mill Street,,a street
forbidden,,es,,ilegales,never
translate,en,,City Hall,Ayuntamiento,
nonsense,en,es,a,b,
"""


def test_a_glossary_comes_from_csv_and_goes_out_the_same(session: Session, tmp_path: Path) -> None:
    taken = exchange.read_glossary(session, write(tmp_path / "g.csv", CSV), "tara@city.example", "en")
    assert (taken.added, [problem.split(":")[0] for problem in taken.problems]) == (3, ["row 5", "row 6"])
    found = glossary.load(session, "en", "es")
    assert found.keep == ("Mill Street",)
    assert found.terms == (("City Hall", ("Ayuntamiento", "Alcaldía")),)
    assert found.forbidden == ("ilegales",)
    assert glossary.load(session, "en", "fr") == glossary.Glossary(keep=("Mill Street",))
    out = io.StringIO()
    exchange.write_csv(session.exec(select(Term).order_by(Term.id)), out)  # type: ignore[arg-type]
    assert out.getvalue().replace("\r\n", "\n") == "".join(CSV.splitlines(keepends=True)[:4])


def test_a_glossary_goes_out_as_tbx_and_comes_in_again(session: Session, tmp_path: Path) -> None:
    exchange.read_glossary(session, write(tmp_path / "g.csv", CSV), "t", "en")
    path = tmp_path / "g.tbx"
    with path.open("w", encoding="utf-8") as stream:
        exchange.write_tbx(session.exec(select(Term).order_by(Term.id)), stream)  # type: ignore[arg-type]
    for term in session.exec(select(Term)):
        session.delete(term)
    exchange.read_glossary(session, path, "t", "en")
    found = glossary.load(session, "en", "es")
    assert {target for _, targets in found.terms for target in targets} == {"Ayuntamiento", "Alcaldía"}
    assert found.forbidden == ("ilegales",)


def test_the_older_tbx_is_read_too(session: Session, tmp_path: Path) -> None:
    old = """<martif type="TBX" xml:lang="en"><text><body><termEntry id="1">
    <langSet xml:lang="en"><tig><term>shelter</term></tig></langSet>
    <langSet xml:lang="es"><tig><term>refugio</term></tig>
    <tig><term>perrera</term><termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote></tig></langSet>
    </termEntry></body></text></martif>"""
    exchange.read_glossary(session, write(tmp_path / "old.tbx", old), "t", "en")
    found = glossary.load(session, "en", "es")
    assert (found.terms, found.forbidden) == ((("shelter", ("refugio",)),), ("perrera",))


def test_a_formula_goes_out_as_text_and_comes_in_as_it_was(session: Session, tmp_path: Path) -> None:
    session.add(
        Term(kind=TermKind.FORBIDDEN, source_language="", target_language="es", source="", target="=1+1")
    )
    session.flush()
    path = tmp_path / "g.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        exchange.write_csv(session.exec(select(Term)), stream)
    assert "'=1+1" in path.read_text("utf-8")
    assert exchange.read_glossary(session, path, "t", "en").known == 1
