"""One sentence of a translation: read, written, answered for; what the memory has for it, and what it weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import Response
from sqlmodel import Session

from notify import statements
from notify.apikeys import Scope
from notify.rendering import Renderer
from notify.statements import Statement, Translation
from notify.translation import memory, serving
from notify.translation.desk import approving, editing, reading, rules
from notify.translation.models import TranslatedSentence as Row
from notify.web.api.calls import Answer, Call, Caller, Trace
from notify.web.api.desk_problems import at_the_desk
from notify.web.api.desk_shaping import one_sentence, statement_there, translation_there
from notify.web.api.fields import IfMatch, PathId
from notify.web.api.routing import Routes
from notify.web.api.seeing import check_match
from notify.web.api.translation_shapes import (
    LanguageTag,
    MemoryShape,
    NearShape,
    NewSignOff,
    SentenceApproval,
    SentenceEdit,
    SentenceShape,
    TriedWords,
    WeightShape,
    WeightsShape,
)

_MOST_NEAR = 5


def add_routes(routes: Routes, one: str) -> None:
    """The routes of sentences.

    Args:
        routes: of translations.
        one: the path of a sentence.
    """
    read, write = Scope.TRANSLATIONS_READ, Scope.TRANSLATIONS_WRITE
    routes.add(
        "GET", one, get_sentence, scope=read, gives=SentenceShape, refuses=[404, 422], headers=["ETag"]
    )
    routes.add(
        "PUT", one, edit_sentence, scope=write, gives=SentenceShape, refuses=[404, 409, 412, 422],
        headers=["ETag"],
    )  # fmt: skip
    routes.add(
        "POST", f"{one}/sign-offs", sign_finding_off, scope=write, gives=SentenceShape,
        refuses=[404, 412], repeatable=True, headers=["ETag"],
    )  # fmt: skip
    routes.add(
        "POST", f"{one}/approvals", approve_sentence, scope=write, gives=SentenceShape,
        refuses=[404, 412], repeatable=True, headers=["ETag"],
    )  # fmt: skip
    routes.add("GET", f"{one}/memory", find_in_memory, scope=read, gives=MemoryShape, refuses=[404, 422])
    routes.add(
        "POST", f"{one}/weight", weigh_sentence, scope=read, gives=WeightsShape, refuses=[404, 409, 422]
    )


def get_sentence(call: Caller, statement_id: PathId, language: LanguageTag, number: PathId) -> Response:
    """One sentence beside its source."""
    return _look_at(call, statement_id, language, number, lambda session, _, row: one_sentence(session, row))


def edit_sentence(
    call: Caller,
    statement_id: PathId,
    language: LanguageTag,
    number: PathId,
    wanted: SentenceEdit,
    match: IfMatch = "",
) -> Response:
    """Write one sentence. Only this one has to be approved again; its signatures are gone.

    If-Match takes the ETag of the sentence.
    """

    def write(session: Session, statement: Statement) -> None:
        editing.edit(session, statement, language, number, wanted.text, call.person, seen=wanted.seen)

    return _change(call, statement_id, language, number, match, "edit", write)


def sign_finding_off(
    call: Caller,
    statement_id: PathId,
    language: LanguageTag,
    number: PathId,
    wanted: NewSignOff,
    match: IfMatch = "",
) -> Response:
    """The key's person answers by name for what a check found. It is in the audit trail, with the reason.

    If-Match takes the ETag of the sentence.
    """

    def sign(session: Session, statement: Statement) -> None:
        approving.sign_off(
            session, statement, language, number, wanted.finding, wanted.reason, call.person, seen=wanted.seen
        )

    return _change(call, statement_id, language, number, match, "sign_off", sign)


def approve_sentence(
    call: Caller,
    statement_id: PathId,
    language: LanguageTag,
    number: PathId,
    read: SentenceApproval,
    match: IfMatch = "",
) -> Response:
    """Approve a sentence that the key's person has read beside its source; with the last one, the whole.

    If-Match takes the ETag of the sentence.
    """

    def approve(session: Session, statement: Statement) -> None:
        approving.approve(
            session, statement, language, call.person, numbers=[number],
            two_people=call.hub.settings.translation.two_people,
            seen={number: read.seen} if read.seen is not None else None,
        )  # fmt: skip

    return _change(call, statement_id, language, number, match, "approve", approve)


def find_in_memory(call: Caller, statement_id: PathId, language: LanguageTag, number: PathId) -> Response:
    """Approved sentences that are like this one, from the city's memory."""

    def look(session: Session, statement: Statement, row: Row) -> Answer:
        asked = (session, statement.source_language, reading.tag(language), row.source)
        return Answer(
            MemoryShape(
                near=[NearShape.model_validate(each) for each in memory.near(*asked, _MOST_NEAR)],
                shorter=[NearShape.model_validate(each) for each in memory.shorter(*asked, _MOST_NEAR)],
            )
        )

    return _look_at(call, statement_id, language, number, look)


def weigh_sentence(
    call: Caller, statement_id: PathId, language: LanguageTag, number: PathId, tried: TriedWords
) -> Response:
    """What the text would come to over each channel with these words in it: parts, and cost. Nothing is kept."""

    def look(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        translation = translation_there(session, statement, language)
        with at_the_desk():
            rules.refuse_stale(session, statement, translation)
            found = reading.shown(session, statement, translation)
            reading.sentence(found, number)
        source = statements.source(session, statement).text()
        text = reading.with_words(statement, source, found, number, tried.text)
        settings = call.hub.settings
        weights = serving.weigh(
            statement, text, translation.language, call.hub.channels.values(),
            Renderer(settings.as_city()),  # the hub's remembers each text for good
            serving.readers(session, translation.language),
        )  # fmt: skip
        shapes = [WeightShape.model_validate(each) for each in weights]
        return Answer(WeightsShape(currency=settings.city.currency, channels=shapes))

    return call.read(look)


def by_key(statement_id: int, language: str, deed: str, numbers: Sequence[int] = ()) -> Trace:
    """Which key was behind a deed at the desk; the desk has recorded the deed itself.

    Args:
        statement_id: what is translated.
        language: of the translation.
        deed: what was done.
        numbers: of the sentences; none: the whole.
    """
    return Trace(
        "translation.by_key",
        f"statement {statement_id}",
        {"language": language, "deed": deed, "sentences": list(numbers)},
    )


def _look_at(
    call: Call,
    statement_id: int,
    language: str,
    number: int,
    shape: Callable[[Session, Statement, Row], Answer],
) -> Response:
    def look(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        found = reading.shown(session, statement, translation_there(session, statement, language))
        with at_the_desk():
            return shape(session, statement, reading.sentence(found, number))

    return call.read(look)


def _change(
    call: Call,
    statement_id: int,
    language: str,
    number: int,
    match: str,
    deed: str,
    work: Callable[[Session, Statement], None],
) -> Response:
    """Do something to a sentence that is still what the program saw; answers with the sentence as it is then."""

    def do(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        with at_the_desk():
            translation = _unchanged(session, statement, language, number, match)
            work(session, statement)
        row = reading.sentence(reading.rows(session, statement, translation), number)
        return one_sentence(session, row, by_key(statement_id, translation.language, deed, [number]))

    return call.write(do)


def _unchanged(session: Session, statement: Statement, language: str, number: int, match: str) -> Translation:
    """The translation, locked, with a sentence in it that is still what the program saw.

    Raises:
        Problem: the sentence has changed.
        NotPossible: there is no such translation or sentence.
    """
    translation = reading.existing(session, statement, language)
    row = reading.sentence(reading.rows(session, statement, translation), number)
    check_match(match, one_sentence(session, row))
    return translation
