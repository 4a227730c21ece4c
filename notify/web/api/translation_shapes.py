"""What the interface takes and gives about translations and their sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AwareDatetime, ConfigDict, Field

from notify.statements import Kind, State
from notify.translation.facts import Severity
from notify.web.api.fields import Body, Id, Shape, words
from notify.web.api.paging import Paged

LONGEST_SENTENCE = 20_000  # characters; a body that is kept as one piece is one
LONGEST_REASON = 500
MOST_SENTENCES = 1_000

LanguageTag = Annotated[
    str,
    Path(
        max_length=35,
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        description="Of the translation, BCP 47.",
        examples=["es"],
    ),
]
Words = Annotated[str, words(LONGEST_SENTENCE)]
SeenWords = Annotated[
    Words | None,
    Field(
        description="The sentence as you read it: refused with 409 where somebody else has changed it since. "
        "null does not ask.",
        examples=["Ustedes no están solos."],
    ),
]
Span = Annotated[tuple[int, int], Field(description="Start and end, in characters of the visible text.")]


class StatementFilters(Paged):
    """Which statements."""

    state: State | None = Field(default=None, description="Where it is in its life.")


class StatementShape(Shape):
    """A statement that may be translated."""

    id: int
    reference: str = Field(description="With its revision.", examples=["S12r3"])
    kind: Kind
    state: State
    source_language: str = Field(description="BCP 47.")
    title: str
    created_at: AwareDatetime


class StatementPage(Shape):
    """A page of statements in the order in which they were made."""

    items: list[StatementShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class FindingShape(Shape):
    """One thing that a check says about a translation."""

    severity: Severity = Field(
        description="blocking: mend it, or sign it off by name. warning: look at it. note: good to know."
    )
    kind: str = Field(examples=["phone number"])
    message: str = Field(description="For staff, in plain words.")
    fact: str = Field(description="What is missing, or came from nowhere.")
    source: Span | None = Field(description="Where in the source; null where it is no one place.")
    target: Span | None = Field(description="Where in the translation; null where it is no one place.")
    place: str = Field(description="Which part of the text.", examples=["short"])


class PlacedFinding(FindingShape):
    """A finding among all those of a translation."""

    sentence: int | None = Field(
        default=None, description="The number of the sentence; null where it is about the whole."
    )


class NumberedFinding(FindingShape):
    """A finding of one sentence."""

    number: int = Field(description="Among the sentence's findings: what a sign-off names.")
    signed_off: bool = Field(description="Whether somebody has answered for it by name.")


class SignatureShape(Shape):
    """Who answered for a finding, and why."""

    kind: str
    fact: str
    by: str
    reason: str
    at: AwareDatetime


class SentenceShape(Shape):
    """One sentence beside its source."""

    number: int = Field(description="From 1, in the order of the text.")
    place: str = Field(description="title, short, body and action with a number.", examples=["body 1"])
    source: str = Field(description="Inline Markdown in the body.")
    text: str = Field(description="The translation; empty where nobody has written one yet.")
    source_visible: str = Field(description="The source as readers see it: findings point into this.")
    text_visible: str = Field(description="The translation as readers see it.")
    origin: Literal["", "playbook", "memory", "machine", "human"]
    engine: str = Field(description="Which machine drafted it, and its version.")
    edited_by: str | None
    edited_at: AwareDatetime | None
    approved_by: str | None
    approved_at: AwareDatetime | None
    findings: list[NumberedFinding]
    signatures: list[SignatureShape]


class ActionShape(Shape):
    """A call to action."""

    label: str
    value: str


class WordsShape(Shape):
    """A text as a whole."""

    title: str
    short: str = Field(description="The text message.")
    body: str = Field(description="Markdown.")
    actions: list[ActionShape]


class TranslationSummary(Shape):
    """A translation: how far it is."""

    language: str = Field(description="BCP 47.")
    origin: Literal["playbook", "memory", "machine", "human"]
    engine: str = Field(description="Which machine drafted it, and its version.")
    approved: bool = Field(description="Whether a person has approved every sentence.")
    stale: bool = Field(description="Whether the source has changed since: prepare it again.")
    title: str
    sentences: int
    sentences_approved: int
    findings: list[PlacedFinding] = Field(description="Those that nobody has signed off.")


class TranslationPage(Shape):
    """A page of translations in the order in which they were made."""

    items: list[TranslationSummary]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class TranslationShape(Shape):
    """A translation beside its source, sentence by sentence."""

    statement_id: int
    source_language: str = Field(description="BCP 47.")
    language: str = Field(description="BCP 47.")
    origin: Literal["playbook", "memory", "machine", "human"]
    engine: str
    approved: bool
    approved_by: str | None
    approved_at: AwareDatetime | None
    stale: bool = Field(description="Whether the source has changed since: prepare it again.")
    text: WordsShape = Field(description="What the sentences come to.")
    findings: list[FindingShape] = Field(description="Of the whole; those of a sentence stand with it.")
    sentences: list[SentenceShape]


class Preparation(Body):
    """How a translation is to be filled."""

    machine: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="Whether the machine drafts what neither the last version nor the memory has.",
        examples=[True],
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"machine": True}]})


class WorkShape(Shape):
    """What preparing a translation came to, in sentences."""

    language: str
    sentences: int
    carried: int = Field(description="As they were, with who approved them.")
    remembered: int = Field(description="Approved before, for another statement.")
    drafted: int = Field(description="By the machine.")
    to_write: int = Field(description="Nobody has translated them yet.")
    problem: str = Field(description="Why the machine did not help; empty if it did.")


class SentenceEdit(Body):
    """What a sentence is to be."""

    text: Annotated[str, words(LONGEST_SENTENCE, 1)] = Field(
        description="The sentence; in the body, inline Markdown.", examples=["Ustedes no están solos."]
    )
    seen: SeenWords = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Ustedes no están solos."}]})


class NewSignOff(Body):
    """A person answers by name for a finding."""

    finding: Id = Field(description="Its number among the sentence's findings.", examples=[1])
    reason: Annotated[str, words(LONGEST_REASON, 3)] = Field(
        description="Why the sentence is right as it is.", examples=["The number is in the next sentence."]
    )
    seen: SeenWords = None

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"finding": 1, "reason": "The number is in the next sentence."}]}
    )


class SentenceApproval(Body):
    """The key's person has read the sentence beside its source, and answers for it."""

    seen: SeenWords = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"seen": "Ustedes no están solos."}]})


class NewApproval(Body):
    """What the key's person has read beside its source, and answers for."""

    sentences: Annotated[list[Id], Field(min_length=1, max_length=MOST_SENTENCES)] | None = Field(
        default=None, description="The numbers of these only; null: all of them.", examples=[[1, 2]]
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"sentences": [1, 2]}]})


class NearShape(Shape):
    """An approved sentence that is like this one: a help, never used by itself."""

    source: str
    text: str
    alike: int = Field(description="Of 100.")
    approved_by: str


class MemoryShape(Shape):
    """What the memory has for a sentence, the likest first."""

    near: list[NearShape]
    shorter: list[NearShape] = Field(
        description="Of those, what says it in fewer characters: for a text message."
    )


class TriedWords(Body):
    """Words for a sentence that are not kept."""

    text: Words = Field(examples=["Ustedes no están solos."])

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Ustedes no están solos."}]})


class WeightShape(Shape):
    """What the text would come to over one channel with these words in it."""

    channel: str
    parts: int = Field(description="For one resident.")
    unit: str = Field(examples=["segments"])
    measure: str = Field(
        description="How full it is; empty where the channel has no limit.",
        examples=["212 of 306 GSM-7 characters"],
    )
    people: int = Field(description="Who read the language.")
    cost: Decimal = Field(description="For all of them, estimated.")
    problem: str = Field(description="Why it does not fit; empty if it does.")


class WeightsShape(Shape):
    """What the text would come to."""

    currency: str = Field(description="Of the costs, ISO 4217.", examples=["USD"])
    channels: list[WeightShape]


class BackShape(Shape):
    """A sentence that the machine translated back."""

    number: int
    source: str
    text: str = Field(description="By machine, and no proof: a good translation may come back oddly.")


class BacksShape(Shape):
    """A translation, translated back: a help for staff who do not read the language."""

    items: list[BackShape]
