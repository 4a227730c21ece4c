"""Memory and glossary to and from the files that other translation tools read: TMX, TBX and CSV.

TMX 1.4b (LISA OSCAR, https://www.gala-global.org/tmx-14b), TBX-Basic (ISO 30042:2019, and the older one with
`martif`). Files are strangers': no entity in them is expanded, none is read as a whole.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse
from sqlmodel import Session, select

from contacts.sheets import safe_cell
from notify.translation import memory
from notify.translation.codes import best_match, standard
from notify.translation.models import MemoryEntry, Term, TermKind

LONGEST = 5000  # characters of one sentence
LARGEST_FILE = 500_000_000  # bytes
COLUMNS = ("kind", "source_language", "target_language", "source", "target", "note")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_FORBIDDEN = re.compile("deprecated|supersed|forbidden|obsolete", re.IGNORECASE)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ExchangeError(ValueError):
    """The file cannot be read; the message names the cure."""


@dataclass(slots=True)
class Taken:
    """What a file came to."""

    added: int = 0
    replaced: int = 0
    known: int = 0  # there already, and left as they are
    problems: list[str] = field(default_factory=list)  # a line for each entry that was not taken


def read_tmx(
    session: Session,
    path: Path,
    source: str,
    *,
    targets: Iterable[str] = (),
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Taken:
    """Take the sentences of a TMX file into the memory. What was approved here stays, unless `replace`.

    Args:
        session: an open session that may write; nothing is committed.
        path: the file.
        source: the language that statements are written in, BCP 47; every other one in a unit is a target.
        targets: the languages that the city translates to; a unit in es-US serves a city that has es.
        replace: the file's word counts more than ours.
        progress: called with how many units have been read.

    Raises:
        ExchangeError: it is no TMX file, or too large.
    """
    taken, ours = Taken(), (source, *targets)
    for number, unit in enumerate(_elements(path, "tmx", {"tu"}), start=1):
        try:
            texts = _as_ours(_variants(unit), ours)
        except ValueError as error:
            taken.problems.append(f"unit {number}: {error}")
            continue
        _take_unit(session, number, texts, source, f"imported from {path.name}", replace, taken)
        if progress:
            progress(number)
    return taken


def write_tmx(entries: Iterable[MemoryEntry], stream: IO[str], version: str) -> None:
    """Write entries as TMX 1.4. The stream is text in UTF-8."""
    stream.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n'
        f'<header creationtool="Notify" creationtoolversion={quoteattr(version)} segtype="sentence" '
        'o-tmf="Notify" adminlang="en" srclang="*all*" datatype="plaintext"/>\n<body>\n'
    )
    for each in entries:
        stream.write(
            f'<tu changedate="{each.approved_at:%Y%m%dT%H%M%SZ}" changeid={quoteattr(_xml(each.approved_by))}>\n'
            + _variant(each.source_language, each.source)
            + _variant(each.target_language, each.text)
            + "</tu>\n"
        )
    stream.write("</body>\n</tmx>\n")


def read_glossary(session: Session, path: Path, actor: str, source: str) -> Taken:
    """Take the terms of a TBX or CSV file into the glossary.

    Args:
        session: an open session that may write; nothing is committed.
        path: the file; its first sign tells which of both it is.
        actor: who adds them.
        source: the language that statements are written in, BCP 47.

    Raises:
        ExchangeError: it is neither, or too large.
    """
    with path.open("rb") as stream:
        head = stream.read(200).lstrip(b"\xef\xbb\xbf \t\r\n")
    found = _tbx_terms(path, source) if head.startswith(b"<") else _csv_terms(path)
    taken = Taken()
    known = {_identity(each) for each in session.exec(select(Term))}
    for place, term in found:
        if isinstance(term, str):
            taken.problems.append(f"{place}: {term}")
        elif _identity(term) in known:
            taken.known += 1
        else:
            known.add(_identity(term))
            term.added_by = actor
            session.add(term)
            taken.added += 1
    session.flush()
    return taken


def write_csv(terms: Iterable[Term], stream: IO[str]) -> None:
    """Write terms as CSV."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for each in terms:
        writer.writerow([safe_cell(getattr(each, name)) for name in COLUMNS])


def write_tbx(terms: Iterable[Term], stream: IO[str]) -> None:
    """Write terms as TBX-Basic (ISO 30042:2019), one concept for each."""
    stream.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<tbx style="dca" type="TBX-Basic" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2">\n'
        "<tbxHeader><fileDesc><sourceDesc><p>The glossary of a city</p></sourceDesc></fileDesc></tbxHeader>\n"
        "<text><body>\n"
    )
    for count, each in enumerate(terms, start=1):
        stream.write(f'<conceptEntry id="t{count}">{_concept(each)}</conceptEntry>\n')
    stream.write("</body></text>\n</tbx>\n")


def _elements(path: Path, root: str, wanted: set[str]) -> Iterator[Element]:
    """The elements of these names in a file whose outermost one is `root`, each forgotten after its turn."""
    if path.stat().st_size > LARGEST_FILE:
        raise ExchangeError(f"The file is larger than {LARGEST_FILE // 1_000_000} MB. Give it in parts.")
    outermost: Element | None = None
    try:
        for event, element in iterparse(path, events=("start", "end"), forbid_dtd=False):
            if outermost is None:
                outermost = element
                if _name(element) != root:
                    raise ExchangeError(f"This is no {root.upper()} file: it begins with <{_name(element)}>.")
            elif event == "end" and _name(element) in wanted:
                yield element
                element.clear()
                outermost.clear()
    except ParseError as error:
        raise ExchangeError(
            f"The file is not whole: line {error.position[0]} is no XML. Export it again."
        ) from None
    except DefusedXmlException:
        raise ExchangeError(
            "The file declares entities, which is not safe to read. Export it without."
        ) from None


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _variants(unit: Element) -> dict[str, str]:
    """The sentences of a translation unit by language."""
    texts: dict[str, str] = {}
    for variant in unit:
        if _name(variant) == "tuv":
            language = variant.get(_LANGUAGE) or variant.get("lang") or ""
            text = " ".join("".join(each.itertext()) for each in variant if _name(each) == "seg")
            texts[standard(language)] = " ".join(text.split())
    return texts


def _as_ours(texts: dict[str, str], ours: Sequence[str]) -> dict[str, str]:
    """Sentences by the tags that we use: other tools write en-US where we say en. An exact tag counts more."""
    named = {best_match(language, ours) or language: text for language, text in texts.items()}
    return named | {language: text for language, text in texts.items() if language in ours}


def _take_unit(
    session: Session, number: int, texts: dict[str, str], source: str, by: str, replace: bool, taken: Taken
) -> None:
    sentence = texts.pop(source, "")
    if not sentence or not texts:
        taken.problems.append(f"unit {number}: it has no sentence in {source} with a translation.")
    elif max(map(len, [sentence, *texts.values()])) > LONGEST:
        taken.problems.append(f"unit {number}: a sentence has more than {LONGEST} characters.")
    else:
        for language, text in texts.items():
            if text:
                _take(session, (source, language), sentence, text, by, replace, taken)


def _take(
    session: Session, pair: tuple[str, str], sentence: str, text: str, by: str, replace: bool, taken: Taken
) -> None:
    known = memory.exact(session, *pair, [sentence]).get(sentence)
    if known and (known.text == text or not replace):
        taken.known += 1
        return
    memory.keep(session, *pair, sentence, text, approved_by=by)
    if known:
        taken.replaced += 1
    else:
        taken.added += 1


def _variant(language: str, text: str) -> str:
    return f'<tuv xml:lang="{language}"><seg>{escape(_xml(text))}</seg></tuv>\n'


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


def _identity(term: Term) -> tuple[str, ...]:
    return (term.kind, term.source_language, term.target_language, term.source, term.target)


def _csv_terms(path: Path) -> Iterator[tuple[str, Term | str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            if missing := set(COLUMNS[:-1]) - set(reader.fieldnames or ()):
                raise ExchangeError(
                    f"The first row lacks {', '.join(sorted(missing))}. It needs: {', '.join(COLUMNS)}."
                )
            for row in reader:
                yield (
                    f"row {reader.line_num}",
                    _term({name: (row.get(name) or "").strip() for name in COLUMNS}),
                )
        except (UnicodeDecodeError, csv.Error):
            raise ExchangeError("The file is no CSV in UTF-8. Save it as “CSV UTF-8”.") from None


def _term(cells: dict[str, str]) -> Term | str:
    """A term, or what is wrong with it."""
    cells = {name: text.removeprefix("'") if text[1:2] in "=+-@" else text for name, text in cells.items()}
    kind = cells["kind"] or TermKind.TRANSLATE
    if kind not in set(TermKind):
        return f"kind {kind!r} is none of {', '.join(TermKind)}."
    needed = {TermKind.TRANSLATE: ("source", "target", "target_language"), TermKind.KEEP: ("source",)}
    empty = [name for name in needed.get(TermKind(kind), ("target", "target_language")) if not cells[name]]
    if empty:
        return f"a term of kind {kind} needs {', '.join(empty)}."
    if max(map(len, cells.values())) > LONGEST:
        return f"a cell has more than {LONGEST} characters."
    try:
        for name in ("source_language", "target_language"):
            cells[name] = standard(cells[name]) if cells[name] else ""
    except ValueError as error:
        return str(error)
    return Term.model_validate({**cells, "kind": kind})


def _tbx_terms(path: Path, source: str) -> Iterator[tuple[str, Term | str]]:
    with path.open("rb") as stream:
        root = "tbx" if b"<tbx" in stream.read(2000) else "martif"
    for number, concept in enumerate(_elements(path, root, {"conceptEntry", "termEntry"}), start=1):
        try:
            named = list(_terms_of(concept))
        except ValueError as error:
            yield f"concept {number}", str(error)
            continue
        ours = [text for language, text, forbidden in named if language == source and not forbidden]
        for language, text, forbidden in named:
            for cells in _as_cells(source, ours, language, text, forbidden):
                yield f"concept {number}", _term({**dict.fromkeys(COLUMNS, ""), **cells})


def _as_cells(
    source: str, ours: list[str], language: str, text: str, forbidden: bool
) -> Iterator[dict[str, str]]:
    if forbidden:
        yield {"kind": TermKind.FORBIDDEN, "target_language": language, "target": text}
    elif language != source:
        for term in ours:
            yield {
                "kind": TermKind.TRANSLATE, "source_language": source, "source": term,
                "target_language": language, "target": text,
            }  # fmt: skip


def _terms_of(concept: Element) -> Iterator[tuple[str, str, bool]]:
    """Language, term, and whether it is forbidden."""
    for section in concept.iter():
        if _name(section) in {"langSec", "langSet"}:
            language = standard(section.get(_LANGUAGE) or "")
            for group in section.iter():
                terms = [each for each in group if _name(each) == "term"]
                status = " ".join(each.text or "" for each in group if _name(each) == "termNote")
                for term in terms:
                    yield (
                        language,
                        " ".join("".join(term.itertext()).split()),
                        bool(_FORBIDDEN.search(status)),
                    )


def _concept(term: Term) -> str:
    sections = [(term.source_language, term.source, "preferredTerm-admn-sts")] if term.source else []
    if term.kind == TermKind.FORBIDDEN:
        sections = [(term.target_language, term.target, "deprecatedTerm-admn-sts")]
    elif term.kind == TermKind.TRANSLATE:
        sections += [
            (term.target_language, each, "preferredTerm-admn-sts") for each in term.target.split("|")
        ]
    return "".join(
        f'<langSec xml:lang="{language or "und"}"><termSec><term>{escape(_xml(text))}</term>'
        f'<termNote type="administrativeStatus">{status}</termNote></termSec></langSec>'
        for language, text, status in sections
    )
