"""Mail that comes back: what a bounce, a complaint or an answer changes, and what a forged one does not."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from imap_servers import ImapServer, dovecot
from returned_mails import comcast, headers_of, postfix, qmail, written, yahoo
from sqlmodel import Session, col, select
from world import ANA, approved, crisis

from channels.contract import EventKind, Verdict
from channels.email import EmailChannel, EmailSettings
from channels.incoming import Kind, TakesMail, Unreadable
from channels.sandbox import Sandbox
from contacts import consent
from contacts.models import Basis, ConsentEvent, Contact, ContactList, Endpoint, EndpointState, Membership
from notify import mailbox
from notify.cli import acting, bounces
from notify.dispatch import control, plan, reputation
from notify.dispatch.models import ChannelHold, Delivery, DeliveryState, Dispatch, DispatchState, Receipt
from notify.dispatch.plan import Order
from notify.hub import Hub
from notify.inbound import Inbound
from notify.mailbox import NoCase, Reader
from notify.tokens import Recipient

LIST = "Weekly news"


class Town:
    """A few residents on one list who have had a statement by email, and the mails as they left."""

    def __init__(self, hub: Hub, sandbox: Sandbox) -> None:
        self.hub, self.sandbox = hub, sandbox
        self.reader = Reader(hub.database, hub.settings, hub.tokens)
        self.channel: TakesMail = mailbox.readers(hub.channels)[0]
        self._statement = 0

    def settle(self, *addresses: str) -> None:
        with self.hub.database.session() as session:
            if not self._statement:
                self._statement = approved(session, crisis()).id or 0
                session.add(ContactList(name=LIST))
                session.flush()
            for address in addresses:
                self._resident(session, address)
            session.commit()

    def _resident(self, session: Session, address: str) -> None:
        contact = Contact(name=address.partition("@")[0])
        session.add(contact)
        session.flush()
        endpoint = Endpoint(contact_id=contact.id or 0, channel="email", address=address, address_key=address)
        session.add(endpoint)
        session.flush()
        list_id = session.exec(select(ContactList.id)).one()
        session.add(Membership(list_id=list_id or 0, contact_id=contact.id or 0))
        consent.record(
            session, contact_id=contact.id or 0, endpoint_id=endpoint.id or 0, list_id=list_id, decision=True,
            method="web form", basis=Basis.CONSENT,
        )  # fmt: skip

    async def send(self, *, over: tuple[str, ...] = (DispatchState.DONE,)) -> int:
        """Send the statement to the list again; returns the dispatch's number."""
        with self.hub.database.session() as session:
            order = Order(self._statement, LIST, ("email",), ANA, again=True)
            dispatch = plan.plan(session, order, self.hub.channels, self.hub.renderer)
            control.start(session, dispatch, ANA)
            session.commit()
        async with self.hub.engine().running(), asyncio.timeout(30):
            while self._state(dispatch.id) not in over:
                await asyncio.sleep(0.05)
        return dispatch.id or 0

    def _state(self, dispatch_id: int | None) -> str:
        with self.hub.database.reading() as session:
            return session.get_one(Dispatch, dispatch_id).state

    def mail(self, address: str) -> bytes:
        """The last mail to a resident, as it left."""
        found = [mail for mail in self.sandbox.mail if mail.address == address]
        return max(found, key=lambda mail: mail.number).raw

    def take(self, raw: bytes) -> Kind | None:
        return self.reader.take(self.channel, raw)

    def bounce(self, address: str, status: str, said: str = "") -> Kind | None:
        code = f"{status[0]}50" if status[0] == "5" else "452"
        return self.take(postfix(self.mail(address), address, status, said or f"{code} {status} no"))

    def endpoint(self, address: str) -> Endpoint:
        with self.hub.database.reading() as session:
            return session.exec(select(Endpoint).where(Endpoint.address == address)).one()

    def delivery(self, address: str) -> Delivery:
        with self.hub.database.reading() as session:
            query = select(Delivery).where(Delivery.endpoint_id == self.endpoint(address).id)
            return session.exec(query.order_by(col(Delivery.id).desc())).first()  # type: ignore[return-value]

    def all(self, table: type[Any]) -> list[Any]:
        with self.hub.database.reading() as session:
            return list(session.exec(select(table)))

    def forget(self) -> None:
        """Let no retry of this dispatch come in the way: its window is over."""
        with self.hub.database.session() as session:
            for dispatch in session.exec(select(Dispatch)):
                dispatch.window_until = dispatch.created_at
                session.add(dispatch)
            session.commit()

    def everything(self) -> list[str]:
        """All that must not change when a mail proves nothing."""
        rows = [*self.all(Endpoint), *self.all(ConsentEvent), *self.all(Delivery), *self.all(Receipt)]
        return [repr(row.model_dump()) for row in [*rows, *self.all(ChannelHold)]]


@pytest.fixture
def town(hub: Hub, sandbox: Sandbox) -> Town:
    return Town(hub, sandbox)


@pytest.fixture
async def sent(town: Town) -> Town:
    town.settle("ana@example.org", "bea@example.org")
    await town.send()
    return town


async def test_r16_a_bounce_for_good_suppresses_the_address_and_nobody_elses(town: Town) -> None:
    codes = {f"resident{code}@example.org": code for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1")}
    town.settle(*codes, "bea@example.org")
    await town.send()
    for address, code in codes.items():
        assert town.bounce(address, code) is Kind.BOUNCE
        found, row = town.endpoint(address), town.delivery(address)
        assert (found.state, found.state_reason) == (EndpointState.BAD, f"provider {code}")
        assert (row.state, row.reason, row.code) == (DeliveryState.UNDELIVERED, Verdict.BAD_ADDRESS, code)
        assert not found.opted_out
    assert town.endpoint("bea@example.org").state == EndpointState.USABLE
    await town.send()
    assert town.sandbox.mail.total == len(codes) + 2


async def test_r11_a_bounce_that_comes_twice_or_in_two_forms_counts_once(sent: Town) -> None:
    assert sent.bounce("ana@example.org", "5.1.1") is Kind.BOUNCE
    assert sent.bounce("ana@example.org", "5.1.1") is None
    before = sent.everything()[:-1]
    sent.take(qmail(sent.mail("ana@example.org"), "ana@example.org", "5.1.1", ""))
    assert [row for row in before if row in sent.everything()] == before
    assert sent.delivery("ana@example.org").state == DeliveryState.UNDELIVERED


FORGED = {
    "names nothing": b"From: mayor@city.example\r\nTo: ana@example.org\r\n\r\nx",
    "names a delivery without its proof": b"Message-ID: <D1.1@city.example>\r\n\r\nx",
    "guesses a proof": b"Message-ID: <D1.1.000000000000000000000000@city.example>\r\n\r\nx",
    "guesses a token": b"List-Unsubscribe: <https://city.example/u/" + b"A" * 36 + b">\r\n\r\nx",
    "returns nothing": b"",
}
SHAPES: dict[Kind, Callable[[bytes, str], bytes]] = {
    Kind.BOUNCE: lambda mail, address: postfix(mail, address, "5.1.1", "550 5.1.1 x"),
    Kind.COMPLAINT: yahoo,
}


async def test_a_forged_bounce_or_complaint_changes_nothing_and_is_listed_for_a_person(sent: Town) -> None:
    before = sent.everything()
    for original in FORGED.values():
        for kind, shape in SHAPES.items():
            assert sent.take(shape(original, "ana@example.org")) is kind
    assert sent.everything() == before
    cases = sent.all(Inbound)
    assert [case.kind for case in cases] == [*SHAPES] * len(FORGED)
    assert {(case.done_at, case.endpoint_id) for case in cases} == {
        (None, sent.endpoint("ana@example.org").id)
    }
    assert not any("ana" in case.text for case in cases)


async def test_a_forged_unsubscribe_changes_nothing(sent: Town) -> None:
    before = sent.everything()
    assert sent.take(written("unsubscribe " + "A" * 36, "", sender="bea@example.org")) is Kind.LEAVE
    assert sent.everything() == before


async def test_r17_leaving_by_mail_leaves_the_list_of_the_token(sent: Town) -> None:
    ana = sent.endpoint("ana@example.org")
    with sent.hub.database.reading() as session:
        list_id = session.exec(select(ContactList.id)).one()
    token = sent.hub.tokens.make(Recipient(ana.id or 0, list_id))
    assert sent.take(written(f"unsubscribe {token}", "", sender="other@example.net")) is Kind.LEAVE
    with sent.hub.database.reading() as session:
        state = consent.present(session, ana.id or 0)
    assert {number: standing.active for number, standing in state.lists.items()} == {list_id: False}
    assert not state.opted_out  # from other lists
    await sent.send()
    assert [mail.address for mail in sent.sandbox.mail].count("ana@example.org") == 1


@pytest.mark.parametrize("loop", [yahoo, comcast], ids=["yahoo", "comcast"])
async def test_r19_a_complaint_is_a_no_at_once_and_proves_that_the_mail_arrived(
    sent: Town, loop: Callable[[bytes, str], bytes]
) -> None:
    for _ in range(2):
        sent.take(loop(sent.mail("ana@example.org"), "ana@example.org"))
    sent.take(loop(sent.mail("ana@example.org"), "ana@example.org") + b"\r\n")  # once more, in other bytes
    assert sent.endpoint("ana@example.org").opted_out
    assert not sent.endpoint("bea@example.org").opted_out
    assert sent.delivery("ana@example.org").state == DeliveryState.DELIVERED
    events = [event for event in sent.all(ConsentEvent) if not event.decision]
    assert [(event.method, event.list_id, event.reference) for event in events] == [
        ("complaint", None, "abuse")
    ]
    await sent.send()
    assert [mail.address for mail in sent.sandbox.mail].count("ana@example.org") == 1


async def test_r19_complaints_are_counted_against_what_providers_allow(sent: Town) -> None:
    sent.take(yahoo(sent.mail("ana@example.org"), "ana@example.org"))
    sent.bounce("bea@example.org", "5.1.1")
    with sent.hub.database.reading() as session:
        (rate,) = reputation.rates(session, ["email"])
        (finding,) = reputation.findings(session, ["email"])
    assert (rate.list_name, rate.accepted, rate.undelivered, rate.complaints) == (LIST, 2, 1, 1)
    assert rate.share == 0.5
    assert "50.00%" in finding.message


@pytest.mark.parametrize(
    ("complaints", "accepted", "level"),
    [(0, 0, "ok"), (0, 5000, "ok"), (5, 5000, "ok"), (6, 5000, "warning"), (15, 5000, "warning"), (16, 5000, "error"),
     (1, 20, "warning"), (2, 20, "error")],
)  # fmt: skip
def test_r19_a_tenth_of_a_percent_warns_and_three_tenths_are_wrong(
    complaints: int, accepted: int, level: str
) -> None:
    assert reputation.Rate("email", LIST, accepted, 0, complaints).level.value == level


@pytest.mark.parametrize("code", ["4.2.2", "5.2.2"])
async def test_r16_soft_bounces_in_succession_hold_the_address_for_a_person(town: Town, code: str) -> None:
    town.settle("ana@example.org")
    for turn in range(1, 6):
        await town.send()
        town.forget()
        town.bounce("ana@example.org", code)
        found = town.endpoint("ana@example.org")
        assert (found.soft_bounces, bool(found.held)) == (turn, turn == 5)
        assert found.state == EndpointState.USABLE


async def test_r16_a_mail_that_did_not_bounce_ends_the_succession(town: Town) -> None:
    town.settle("ana@example.org")
    for bounces_ in (True, True, False, True):
        await town.send()
        town.forget()
        if bounces_:
            town.bounce("ana@example.org", "4.2.2")
    assert town.endpoint("ana@example.org").soft_bounces == 1
    town.take(postfix(town.mail("ana@example.org"), "ana@example.org", "2.0.0", "250 ok", "delivered"))
    assert town.endpoint("ana@example.org").soft_bounces == 1  # R11: the same delivery had its last word


async def test_a_receipt_of_delivery_ends_the_succession(town: Town) -> None:
    town.settle("ana@example.org")
    await town.send()
    town.forget()
    town.bounce("ana@example.org", "4.2.2")
    await town.send()
    town.take(postfix(town.mail("ana@example.org"), "ana@example.org", "2.0.0", "250 ok", "delivered"))
    assert town.endpoint("ana@example.org").soft_bounces == 0
    assert town.delivery("ana@example.org").state == DeliveryState.DELIVERED


async def test_r16_a_soft_bounce_within_the_window_is_tried_again_before_it_counts(sent: Town) -> None:
    sent.bounce("ana@example.org", "4.2.2")
    assert sent.delivery("ana@example.org").state == DeliveryState.PLANNED
    assert sent.endpoint("ana@example.org").soft_bounces == 0


async def test_r16_our_own_fault_blames_nobody_and_stops_the_channel(sent: Town) -> None:
    sent.bounce("ana@example.org", "5.7.26")
    found = sent.endpoint("ana@example.org")
    assert (found.state, found.soft_bounces, found.held) == (EndpointState.USABLE, 0, "")
    (hold,) = sent.all(ChannelHold)
    assert "5.7.26" in hold.reason


async def test_r16_policy_refusals_blame_nobody_and_stop_the_channel_when_they_are_many(town: Town) -> None:
    addresses = [f"resident{number}@example.org" for number in range(12)]
    town.settle(*addresses)
    await town.send()
    for number, address in enumerate(addresses, start=1):
        town.bounce(address, "5.7.1")
        assert len(town.all(ChannelHold)) == (number >= 10)
    assert {endpoint.state for endpoint in town.all(Endpoint)} == {EndpointState.USABLE}
    assert {endpoint.soft_bounces for endpoint in town.all(Endpoint)} == {0}


@pytest.mark.parametrize(
    ("address", "state"),
    [("no-such-mailbox@example.org", EndpointState.BAD), ("blocked@example.org", EndpointState.USABLE)],
)
async def test_r16_a_refusal_at_smtp_time_counts_as_a_bounce_at_once(
    town: Town, address: str, state: EndpointState
) -> None:
    town.settle(address)
    await town.send()
    assert town.endpoint(address).state == state
    assert town.delivery(address).state == DeliveryState.FAILED


async def test_a_delay_changes_nothing(sent: Town) -> None:
    before = sent.everything()
    raw = postfix(sent.mail("ana@example.org"), "ana@example.org", "4.4.1", "451 later", "delayed")
    assert sent.take(raw) is Kind.DELAY
    assert sent.everything() == before


async def test_everybody_who_shares_a_dead_address_is_marked(sent: Town) -> None:
    with sent.hub.database.session() as session:
        twin = Contact()
        session.add(twin)
        session.flush()
        session.add(
            Endpoint(
                contact_id=twin.id or 0,
                channel="email",
                address="ana@example.org",
                address_key="ana@example.org",
            )
        )
        session.commit()
    sent.take(postfix(sent.mail("ana@example.org"), "ana@example.org", "5.1.1", "550 5.1.1 x"))
    states = [endpoint.state for endpoint in sent.all(Endpoint) if endpoint.address == "ana@example.org"]
    assert states == [EndpointState.BAD] * 2


async def test_an_erased_address_stays_erased(sent: Town) -> None:
    with sent.hub.database.session() as session:
        ana = session.exec(select(Endpoint).where(Endpoint.address == "ana@example.org")).one()
        ana.state, ana.address, ana.address_key = EndpointState.ERASED, "", "erased:0"
        session.add(ana)
        session.commit()
    sent.bounce("ana@example.org", "5.1.1")
    assert EndpointState.ERASED in {endpoint.state for endpoint in sent.all(Endpoint)}


async def test_a_relay_that_writes_its_own_message_id_and_drops_our_header_leaves_the_token(
    sent: Town,
) -> None:
    kept = b"\r\n".join(
        line
        for line in headers_of(sent.mail("ana@example.org")).split(b"\r\n")
        if not line.startswith((b"Message-ID", b"X-Notify"))
    )
    sent.take(postfix(kept, "ana@example.org", "5.1.1", "550 5.1.1 gone"))
    assert sent.endpoint("ana@example.org").state == EndpointState.BAD
    assert sent.delivery("ana@example.org").state == DeliveryState.UNDELIVERED


async def test_an_answer_of_a_person_is_kept_for_staff_and_a_machines_is_not_theirs_to_do(sent: Town) -> None:
    sent.take(written("Re: Library", "Is the ramp open?", sender="Ana <ana@example.org>"))
    sent.take(written("Away", "Back on Monday", "Auto-Submitted: auto-replied", sender="bea@example.org"))
    sent.take(written("Hello", "I live here too", sender="stranger@example.net"))
    answer, away, stranger = sent.all(Inbound)
    assert (answer.kind, answer.text, answer.done_at) == (
        EventKind.REPLY,
        "Re: Library\n\nIs the ramp open?",
        None,
    )
    assert answer.endpoint_id == sent.endpoint("ana@example.org").id
    assert (away.kind, "Monday" in away.text, away.done_by) == ("auto_reply", False, "system")
    assert (stranger.endpoint_id, len(stranger.address_hash)) == (None, 64)


# -- a person decides


async def test_a_person_may_believe_what_proves_nothing_once(sent: Town) -> None:
    for shape in (postfix(b"", "ana@example.org", "5.1.1", "550 5.1.1 x"), yahoo(b"", "bea@example.org")):
        sent.take(shape)
    with sent.hub.database.session() as session:
        for case in mailbox.open_cases(session, ["email"]):
            mailbox.decide(session, case.id or 0, ANA, believe=True)
        with pytest.raises(NoCase, match="dealt with"):
            mailbox.decide(session, 1, ANA, believe=False)
        assert mailbox.open_cases(session, ["email"]) == []
        session.commit()
    assert sent.endpoint("ana@example.org").state == EndpointState.BAD
    assert sent.endpoint("bea@example.org").opted_out


async def test_ignoring_changes_nothing_but_the_list(sent: Town) -> None:
    sent.take(postfix(b"", "ana@example.org", "5.1.1", "550 5.1.1 x"))
    before = sent.everything()
    with sent.hub.database.session() as session:
        assert mailbox.decide(session, 1, ANA, believe=False) == "ignored"
        session.commit()
    assert sent.everything() == before


async def test_what_names_nobody_cannot_be_believed(sent: Town) -> None:
    sent.take(postfix(b"", "stranger@example.net", "5.1.1", "550 5.1.1 x"))
    with sent.hub.database.session() as session, pytest.raises(NoCase, match="names no address"):
        mailbox.decide(session, 1, ANA, believe=True)


# -- the mailbox, over a real server


def at(hub: Hub, server: ImapServer) -> TakesMail:
    """The email channel with this mailbox."""
    given = {"host": "127.0.0.1", "from": "mayor@city.example", **server.settings()}
    return EmailChannel(EmailSettings.model_validate(given), hub.settings.as_city())


async def test_the_mailbox_is_read_once_and_what_cannot_be_read_blocks_nothing(sent: Town) -> None:
    bounce = postfix(sent.mail("ana@example.org"), "ana@example.org", "5.1.1", "550 5.1.1 gone")
    bomb = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n" * 5000
    with dovecot() as server:
        server.put(written("One", "1"), bomb, bounce)
        channel = at(sent.hub, server)
        first = await asyncio.to_thread(sent.reader.read, channel)
        second = await asyncio.to_thread(sent.reader.read, channel)
        assert first.to_dict() == {"taken": {"reply": 1, "bounce": 1}, "known": 0, "unreadable": 1}
        assert second.to_dict() == {"taken": {}, "known": 0, "unreadable": 0}
        assert server.mails() == []
        assert server.mails("Notify/Look") == [bomb]
        assert len(server.mails("Notify/Done")) == 2
    assert sent.endpoint("ana@example.org").state == EndpointState.BAD


async def test_a_mail_that_was_taken_but_not_moved_counts_once(
    sent: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut between the commit and the move."""
    with dovecot() as server:
        server.put(written("One", "1"))
        channel = at(sent.hub, server)
        box = type(channel.mailbox())
        with monkeypatch.context() as patch:
            patch.setattr(box, "put_away", lambda *given, **how: (_ for _ in ()).throw(OSError("power cut")))
            with pytest.raises(OSError, match="power cut"):
                await asyncio.to_thread(sent.reader.read, channel)
        found = await asyncio.to_thread(sent.reader.read, channel)
        assert (found.known, server.mails()) == (1, [])
    assert len(sent.all(Inbound)) == 1


async def test_a_database_that_is_away_leaves_the_mail_where_it_is(sent: Town, tmp_path: Path) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from notify.database import Database

    nowhere = Database(f"sqlite:///{tmp_path / 'empty.db'}")  # without tables
    with dovecot() as server:
        server.put(written("One", "1"))
        reader = Reader(nowhere, sent.hub.settings, sent.hub.tokens)
        with pytest.raises(SQLAlchemyError):
            await asyncio.to_thread(reader.read, at(sent.hub, server))
        assert len(server.mails()) == 1
        assert server.mails("Notify/Look") == []
    nowhere.dispose()


async def test_the_hub_reads_by_itself_and_stops_when_it_stops(sent: Town) -> None:
    with dovecot() as server:
        channel = at(sent.hub, server)
        channel.mail_every = 0.1
        async with mailbox.reading(sent.reader, {"email": channel}), asyncio.timeout(20):  # type: ignore[dict-item]
            for turn in (1, 2):
                server.put(written(f"Mail {turn}", "Hello"))
                while len(sent.all(Inbound)) < turn:
                    await asyncio.sleep(0.05)
        server.put(written("Too late", "Hello"))
        await asyncio.sleep(0.3)
        assert len(server.mails()) == 1


async def test_a_mailbox_that_is_away_ends_nothing(sent: Town) -> None:
    with dovecot() as server:
        channel = at(sent.hub, server)
    channel.mail_every = 0.05
    async with mailbox.reading(sent.reader, {"email": channel}):  # type: ignore[dict-item]
        await asyncio.sleep(0.3)


# -- the pipe


@pytest.fixture
def piped(sent: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], int]:
    def pipe(raw: bytes) -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return bounces._take_from_pipe("")

    monkeypatch.setattr(acting, "hub", lambda: sent.hub)
    monkeypatch.setattr(bounces, "hub", lambda: sent.hub)
    return pipe


async def test_a_mail_server_hands_a_bounce_over(sent: Town, piped: Callable[[bytes], int]) -> None:
    raw = postfix(sent.mail("ana@example.org"), "ana@example.org", "5.1.1", "550 5.1.1 gone")
    assert piped(raw) == 0
    assert piped(raw) == 0  # it may come again
    assert sent.endpoint("ana@example.org").state == EndpointState.BAD
    assert len(sent.all(Inbound)) == 1


async def test_a_mail_that_does_harm_is_sent_back(
    sent: Town, piped: Callable[[bytes], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(b"A:\r\n" * 100_000) == 65
    assert piped(b"Subject: ana@example.org\r\n\r\n" + b"x" * 40_000_000) == 65
    assert "larger than 32 MB" in (said := capsys.readouterr().err)
    assert "ana@" not in said
    assert sent.all(Inbound) == []


async def test_a_mail_server_tries_again_when_the_database_is_away(
    sent: Town, piped: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from notify.database import Database

    monkeypatch.setattr(sent.hub, "database", empty := Database(f"sqlite:///{tmp_path / 'empty.db'}"))
    assert piped(written("One", "1")) == 75
    empty.dispose()


def test_unreadable_is_an_error_of_the_mail_and_not_of_the_hub() -> None:
    assert issubclass(Unreadable, ValueError)
    assert json.dumps(mailbox.Round().to_dict()) == '{"taken": {}, "known": 0, "unreadable": 0}'
