"""The one battery that every channel passes, and what it needs to know of a channel.

A channel is described once (`Described`): its settings, its addresses, how to see what arrived, how to bring about
each situation, and the verdicts that are right for it. A situation that cannot arise has its reason written down
instead. A third party's channel passes the battery with a description of its own:

    from conformance import Battery, Described

    class TestSignal(Battery):
        described = Described(name="signal", ...)
"""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from channels.contract import (
    Action,
    AddressKind,
    Answer,
    ApprovedText,
    Batch,
    CallbackRefused,
    CallbackRequest,
    CannotCompose,
    Channel,
    City,
    Event,
    EventKind,
    Level,
    Message,
    MissingSettings,
    Outcome,
    Rendering,
    Verdict,
)
from channels.sandbox import Rule, Sandbox
from notify.settings import SettingsError, load

CITY = City(
    name="Riverton",
    timezone="America/Chicago",
    public_url="https://riverton.example",
    sender="Office of the Mayor",
    phone="+1 555 010 0100",
    postal_address=("City Hall", "1 Main Street", "Riverton IL 62701"),
    languages=("en", "ar"),
)
NAME = "Quetzalcoatl Zimmermann"  # a resident's name that nothing else holds
TOKEN = "opaque.token-of-a-resident"
WORDS = "Xylophone-4711"  # stands in the text that is sent

# A callback that no provider has signed.
UNSIGNED = CallbackRequest("https://riverton.example/hooks/x", {}, b"From=%2B15550100199&Body=STOP")

_IN_DOUBT = frozenset({Verdict.UNKNOWN})


class Situation(StrEnum):
    """What can go wrong between a channel and its provider."""

    THROTTLED = "throttled"
    DOWN = "down"  # the provider says that it has a fault of its own
    JUNK = "junk"  # an answer that is none
    UNKNOWN_CODE = "unknown code"  # a refusal that nobody has listed
    NO_CONNECTION = "no connection"
    DROP_BEFORE = "dropped before acceptance"
    DROP_AFTER = "dropped after acceptance"
    NO_ANSWER = "no answer in time"
    WRONG_CREDENTIALS = "wrong credentials"
    BAD_ADDRESS = "bad address"
    OPTED_OUT = "opted out"


# The verdicts that are right, for every channel.
RIGHT: Mapping[Situation, frozenset[Verdict]] = {
    Situation.THROTTLED: frozenset({Verdict.THROTTLED}),
    Situation.DOWN: frozenset({Verdict.UNREACHABLE}),
    Situation.JUNK: _IN_DOUBT | {Verdict.UNREACHABLE},
    # R11, R14: transient once, or refused; never blamed on the resident or on our settings.
    Situation.UNKNOWN_CODE: frozenset({Verdict.REFUSED, Verdict.UNREACHABLE}),
    Situation.NO_CONNECTION: frozenset({Verdict.UNREACHABLE}),
    Situation.DROP_BEFORE: _IN_DOUBT | {Verdict.UNREACHABLE},
    Situation.DROP_AFTER: _IN_DOUBT,
    Situation.NO_ANSWER: _IN_DOUBT,
    Situation.WRONG_CREDENTIALS: frozenset({Verdict.MISCONFIGURED}),
    Situation.BAD_ADDRESS: frozenset({Verdict.BAD_ADDRESS}),
    Situation.OPTED_OUT: frozenset({Verdict.OPTED_OUT}),
}


@dataclass
class World:
    """One running sandbox, and a folder for what a channel writes."""

    sandbox: Sandbox
    folder: Path
    # As a situation left them; else the description's own.
    settings: dict[str, Any] = field(default_factory=dict)
    address: Callable[[int], str] | None = None


@dataclass(frozen=True)
class Described:
    """What the battery needs to know of one channel.

    Attributes:
        channel: the class.
        settings: complete settings for a world, with short time-outs.
        required: the settings that cannot be left out.
        address: the address of the resident with a number from 0 to 999.
        arrived: every message that reached an address, as text, with the format's own words round it.
        only_ascii: the reason why words in other scripts cannot be read back from what arrived.
        carries: which of a statement's title, short text and body a message holds.
        bring_about: how each situation arises for every message: a rule of the sandbox, or a change to the
            world's settings or addresses.
        cannot_be: the reason why a situation cannot arise; every situation is in one of the two.
        stall: lets the provider take messages and keep its answers to itself for a while; or `why_no_stall`.
        pulls_ahead: how many messages may then be pulled and without an outcome.
    """

    channel: type[Channel]
    settings: Callable[[World], dict[str, Any]]
    required: tuple[str, ...]
    address: Callable[[int], str]
    arrived: Callable[[World, str], list[str]]
    carries: tuple[str, ...]
    bring_about: Mapping[Situation, Callable[[World], Rule | None]]
    cannot_be: Mapping[Situation, str] = field(default_factory=dict)
    only_ascii: str = ""
    stall: Callable[[World], Rule | None] | None = None
    why_no_stall: str = ""
    pulls_ahead: int = 4

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.channel.name


def statement(body: str = f"Body {WORDS}", **changes: Any) -> ApprovedText:
    """An approved text."""
    fields: dict[str, Any] = {
        "reference": "S1r1",
        "language": "en",
        "source_language": "en",
        "kind": "crisis",
        "title": f"Title {WORDS}",
        "short": f"Short {WORDS}",
        "body": body,
        "actions": (Action("Help line", "+15550100190"),),
        "url": "https://riverton.example/s/1/en",
    }
    return ApprovedText(**(fields | changes))


class Source:
    """Messages as the core hands them over; writes down which were pulled."""

    def __init__(self, described: Described, world: World, rendering: Rendering, count: int) -> None:
        self.address = world.address or described.address
        self.rendering = rendering
        self.count = count
        self.pulled: list[int] = []

    async def messages(self) -> AsyncIterator[Message]:
        """One message for each resident."""
        for key in range(self.count):
            self.pulled.append(key)
            yield Message(key, self.address(key), (self.rendering,), name=NAME, token=TOKEN)

    def batch(self) -> Batch:
        """All of them."""
        return Batch("D7", 1, 1, datetime(2026, 11, 22, 9, tzinfo=UTC), self.messages())


def configured(described: Described, world: World) -> Channel:
    """The channel with the world's settings."""
    settings = described.channel.Settings.model_validate(world.settings or described.settings(world))
    return described.channel(settings, CITY)


async def send(
    described: Described, world: World, count: int = 1, text: ApprovedText | None = None
) -> list[Outcome]:
    """Compose a text and send it to so many residents."""
    async with configured(described, world) as channel:
        source = Source(described, world, channel.compose(text or statement()), count)
        return [outcome async for outcome in channel.send(source.batch())]


def secrets_of(settings: BaseModel) -> list[str]:
    """The secret values among a channel's settings."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


# Each must arrive as it is, or be refused before anything is sent.
HOSTILE: Mapping[str, str] = {
    "markup": "<b>bold</b> <script>alert(1)</script> &amp A&B [x](javascript:alert(1))",
    "templates": "{{ 7*7 }} {% raw %} ${HOME} %(x)s {0}",
    "typst": '#read("/etc/passwd") #set page(width: 1pt) $x$ @ref',
    "headers": "line\r\nBcc: everybody@city.example\r\n\r\n.\r\nQUIT",
    "emoji": "Safe now 😀👨‍👩‍👧🇺🇦",
    "combining": "e\u0301 n\u0303 a\u0308 Nguye\u0302\u0303n",
    "right to left": "اتصل بالرقم 555-010-0199 الآن، من 9 إلى 17",
    "controls": "a\x00b\x08c\x1bd\u202ee",
    "long": "Ten thousand characters are sent. " * 300,
}


class Battery:
    """The tests. A subclass names its `described`; pytest collects it as it is."""

    described: ClassVar[Described]

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[World]:
        """A sandbox of its own for each test."""
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            sandbox.provider.delay = 0
            yield World(sandbox, tmp_path / "folder")

    def test_it_says_what_it_is(self) -> None:
        channel = self.described.channel
        texts = (channel.name, channel.label, channel.unit)
        assert all(isinstance(text, str) and text for text in texts)
        assert isinstance(channel.address_kind, AddressKind)
        assert channel.batch_size > 0
        flags = (channel.repeat_is_safe, channel.disturbs, channel.per_household)
        assert all(isinstance(flag, bool) for flag in flags)
        assert issubclass(channel.Settings, BaseModel)

    def test_every_situation_is_tested_or_has_its_reason(self) -> None:
        described = self.described
        assert set(described.bring_about) | set(described.cannot_be) == set(Situation)
        assert not set(described.bring_about) & set(described.cannot_be)
        assert all(len(reason) > 20 for reason in described.cannot_be.values())
        assert described.stall or len(described.why_no_stall) > 20

    async def test_a_missing_setting_is_named_with_its_cure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(world.sandbox.folder)
        complete = self.described.settings(world)
        for name in self.described.required:
            given = {key: value for key, value in complete.items() if key != name}
            with pytest.raises(ValidationError):
                self.described.channel.Settings.model_validate(given)
            with pytest.raises(SettingsError) as refusal:
                load(**{self.described.name: given})
            (problem,) = refusal.value.problems
            assert f"NOTIFY_{self.described.name.upper()}__{name.upper()}" in problem
            assert any(cure in problem for cure in ("Set it", "Write", "write", "Name", "name"))

    async def test_settings_of_another_channel_are_refused(self) -> None:
        class Other(BaseModel):
            """Settings of nothing."""

        with pytest.raises(MissingSettings, match=f"NOTIFY_{self.described.name.upper()}__"):
            self.described.channel(Other(), CITY)

    async def test_nothing_is_sent_by_opening_checking_and_composing(self, world: World) -> None:
        channel = configured(self.described, world)
        rendering = channel.compose(statement())
        async with channel:
            findings = await channel.check()
        assert findings
        assert all(finding.cure for finding in findings if finding.level is not Level.OK)
        assert not self.described.arrived(world, self.described.address(0))
        assert not any(shelf.total for shelf in world.sandbox.shelves.values())
        assert rendering.channel == self.described.name
        assert rendering.language == "en"
        assert rendering.parts >= 1
        assert rendering.cost >= Decimal(0)
        assert WORDS in rendering.preview

    async def test_a_message_arrives_and_is_accepted(self, world: World) -> None:
        outcomes = await send(self.described, world, 3)
        assert {outcome.key: outcome.verdict for outcome in outcomes} == dict.fromkeys(
            range(3), Verdict.ACCEPTED
        )
        assert all(outcome.provider_id for outcome in outcomes)
        for number in range(3):
            (text,) = self.described.arrived(world, self.described.address(number))
            assert WORDS in text

    async def test_it_can_be_opened_again(self, world: World) -> None:
        channel = configured(self.described, world)
        for _ in range(2):
            async with channel:
                source = Source(self.described, world, channel.compose(statement()), 1)
                outcomes = [outcome async for outcome in channel.send(source.batch())]
            assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED]

    @pytest.mark.parametrize("situation", Situation)
    async def test_each_situation_has_its_verdict_and_shows_no_secret(
        self, world: World, situation: Situation, caplog: pytest.LogCaptureFixture
    ) -> None:
        described = self.described
        if situation in described.cannot_be:
            pytest.skip(described.cannot_be[situation])
        caplog.set_level(logging.DEBUG)
        world.settings = described.settings(world)
        described.bring_about[situation](world)
        outcomes = await send(described, world, 2)
        assert sorted(outcome.key for outcome in outcomes) == [0, 1]
        assert {outcome.verdict for outcome in outcomes} <= RIGHT[situation]
        assert all(outcome.detail for outcome in outcomes)
        if situation is Situation.THROTTLED:
            assert all(outcome.retry_after for outcome in outcomes)
        if situation is Situation.DROP_AFTER:
            assert all(len(described.arrived(world, described.address(number))) == 1 for number in range(2))
        self.check_shows_nothing(
            world, f"{caplog.text}\n{outcomes!r}\n{[str(outcome) for outcome in outcomes]}"
        )

    async def test_when_all_goes_well_nothing_personal_is_shown_either(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with configured(self.described, world) as channel:
            source = Source(self.described, world, channel.compose(statement()), 2)
            outcomes = [outcome async for outcome in channel.send(source.batch())]
            findings = await channel.check()
            message = Message(1, self.described.address(1), (source.rendering,), name=NAME, token=TOKEN)
            shown = f"{caplog.text}\n{outcomes!r}\n{findings!r}\n{message!r}\n{channel!r}\n{vars(channel)!r}"
        self.check_shows_nothing(world, shown)

    def check_shows_nothing(self, world: World, shown: str) -> None:
        """Neither a secret nor anything personal stands in what staff or a log can see."""
        settings = self.described.channel.Settings.model_validate(
            world.settings or self.described.settings(world)
        )
        personal = [NAME, TOKEN, *(self.described.address(number) for number in range(2))]
        for value in [*secrets_of(settings), *personal]:
            assert value not in shown
            assert value.encode().hex() not in shown

    async def test_each_message_pulled_has_exactly_one_outcome(self, world: World) -> None:
        world.settings = self.described.settings(world)
        for every, situation in (
            (3, Situation.THROTTLED),
            (5, Situation.UNKNOWN_CODE),
            (7, Situation.DROP_BEFORE),
        ):
            if situation in self.described.bring_about and (
                rule := self.described.bring_about[situation](world)
            ):
                rule.every = every
        outcomes = await send(self.described, world, 60)
        assert sorted(outcome.key for outcome in outcomes) == list(range(60))
        accepted = {outcome.key for outcome in outcomes if outcome.verdict is Verdict.ACCEPTED}
        arrived = {key for key in range(60) if self.described.arrived(world, self.described.address(key))}
        assert accepted
        assert accepted <= arrived

    async def test_what_is_not_about_to_be_sent_stays_unpulled(self, world: World) -> None:
        """Also when the sending is cancelled: then what was in flight has no outcome."""
        if self.described.stall is None:
            pytest.skip(self.described.why_no_stall)
        self.described.stall(world)
        outcomes: list[Outcome] = []

        async def collect() -> None:
            async with configured(self.described, world) as channel:
                async for outcome in channel.send(source.batch()):
                    outcomes.append(outcome)

        composed = configured(self.described, world).compose(statement())
        source = Source(self.described, world, composed, 60)
        sending = asyncio.create_task(collect())
        await asyncio.sleep(0.3)
        assert 0 < len(source.pulled) <= self.described.pulls_ahead
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert sending.cancelled()
        await asyncio.sleep(0.05)
        assert len(source.pulled) <= self.described.pulls_ahead
        assert not outcomes

    async def test_stopped_half_way_nothing_more_is_pulled_or_told_twice(self, world: World) -> None:
        async with configured(self.described, world) as channel:
            source = Source(self.described, world, channel.compose(statement()), 60)
            outcomes: list[Outcome] = []
            async with aclosing(channel.send(source.batch())) as sending:  # type: ignore[type-var]
                async for outcome in sending:
                    outcomes.append(outcome)
                    if len(outcomes) == 10:
                        break
            pulled = len(source.pulled)
            await asyncio.sleep(0.05)
        assert len(source.pulled) == pulled
        keys = {outcome.key for outcome in outcomes}
        assert len(keys) == 10
        assert keys <= set(source.pulled)
        arrived = {key for key in range(60) if self.described.arrived(world, self.described.address(key))}
        assert arrived <= set(source.pulled)

    @pytest.mark.parametrize("kind", HOSTILE)
    @pytest.mark.parametrize("where", ["title", "short", "body"])
    async def test_hostile_text_arrives_as_text_or_is_refused(
        self, world: World, kind: str, where: str
    ) -> None:
        text = statement(**{where: HOSTILE[kind]})
        if refusal := self.refusal(world, text):
            assert len(refusal) > 30  # it names the reason and the cure
            return
        outcomes = await send(self.described, world, text=text)
        assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED]
        (arrived,) = self.described.arrived(world, self.described.address(0))
        if where in self.described.carries:
            wanted = [
                piece for piece in pieces(HOSTILE[kind]) if not self.described.only_ascii or piece.isascii()
            ]
            assert [piece for piece in wanted if piece not in glued(arrived)] == []

    def refusal(self, world: World, text: ApprovedText) -> str:
        """Why the channel refuses a text; empty where it takes it."""
        try:
            configured(self.described, world).compose(text)
        except CannotCompose as refusal:
            return str(refusal)
        return ""

    def test_a_callback_that_nobody_signed_is_refused(self, tmp_path: Path) -> None:
        channel = configured(self.described, World(Sandbox(tmp_path), tmp_path))
        with pytest.raises(CallbackRefused) as refusal:
            channel.read_callback(UNSIGNED)
        assert "STOP" not in str(refusal.value)

    def test_an_answer_is_data(self, tmp_path: Path) -> None:
        channel = configured(self.described, World(Sandbox(tmp_path), tmp_path))
        answer = channel.answer(Event(EventKind.REPLY, address=self.described.address(0)), "<b>&amp;</b>")
        assert isinstance(answer, Answer)
        assert answer.media_type
        if "xml" in answer.media_type or "html" in answer.media_type:
            assert b"<b>" not in answer.body


def pieces(text: str) -> Sequence[str]:
    """What must be found of a hostile text: its words, without what no channel keeps."""
    return [piece for word in text.split() if (piece := glued(word))][:40]


def glued(text: str) -> str:
    """A text without space, invisible marks and control characters: lines may break anywhere."""
    kept = (" " if character.isspace() else character for character in text)
    visible = "".join(
        character for character in kept if unicodedata.category(character) not in ("Cc", "Cf", "Cs")
    )
    return "".join(unicodedata.normalize("NFC", visible).split())
