"""The mailbox over a real IMAP server (Dovecot): read in place, moved only when told, whatever the server can do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from email_servers import settings
from imap_servers import ImapServer, dovecot
from returned_mails import written

from channels.contract import Level
from channels.email.imap import ImapMailbox, check_mailbox
from channels.email.parts import READ
from channels.incoming import MailboxUnavailable

FIRST, SECOND, THIRD = (written(f"Mail {number}", "Hello.") for number in (1, 2, 3))
OLD = "IMAP4rev1 LITERAL+"  # neither MOVE nor UIDPLUS nor NAMESPACE


@pytest.fixture(scope="module")
def server() -> Iterator[ImapServer]:
    with dovecot() as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(server: ImapServer) -> Iterator[None]:
    yield
    with server.client() as client:
        for folder in ("INBOX", "Notify/Done", "Notify/Look"):
            if client.select(f'"{folder}"')[0] == "OK":
                client.uid("STORE", "1:*", "+FLAGS", r"(\Deleted)")
                client.expunge()


def mailbox(server: ImapServer, **changes: object) -> ImapMailbox:
    return ImapMailbox(settings(**server.settings(**changes)))


def move_all(server: ImapServer, *, look: bool = False) -> list[bytes]:
    with mailbox(server) as box:
        found = []
        for waiting in box.waiting():
            found.append(waiting.raw)
            box.put_away(waiting, look=look)
    return found


def test_mails_are_read_oldest_first_and_moved_to_where_they_belong(server: ImapServer) -> None:
    server.put(FIRST, SECOND, THIRD)
    with mailbox(server) as box:
        for turn, waiting in enumerate(box.waiting()):
            if turn < 2:
                box.put_away(waiting, look=turn == 1)
    assert server.mails() == [THIRD]
    assert server.mails("Notify/Done") == [FIRST]
    assert server.mails("Notify/Look") == [SECOND]


def test_what_is_not_moved_is_neither_lost_nor_marked_as_seen(server: ImapServer) -> None:
    server.put(FIRST)
    for _ in range(2):
        with mailbox(server) as box:
            assert [waiting.raw for waiting in box.waiting()] == [FIRST]
    with server.client() as client:
        client.select("INBOX", readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b"1"]


def test_mails_that_another_program_has_deleted_are_left_alone(server: ImapServer) -> None:
    server.put(FIRST, SECOND)
    with server.client() as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Deleted)")
    assert move_all(server) == [SECOND]


def test_no_more_of_a_mail_is_fetched_than_is_parsed(server: ImapServer) -> None:
    large = FIRST + (b"x" * 76 + b"\r\n") * 40_000
    server.put(large)
    assert [len(raw) for raw in move_all(server)] == [READ]
    assert server.mails("Notify/Done") == [large]


def test_an_empty_mailbox_is_no_problem(server: ImapServer) -> None:
    assert move_all(server) == []


@pytest.mark.parametrize(
    ("options", "done"),
    [
        ({"separator": "."}, "Notify.Done"),
        ({"separator": ".", "prefix": "INBOX."}, "INBOX.Notify.Done"),
        ({"capability": OLD}, "Notify/Done"),
        ({"capability": "IMAP4rev1 LITERAL+ UIDPLUS"}, "Notify/Done"),
    ],
    ids=["dots between levels", "everything under INBOX", "neither MOVE nor UIDPLUS", "UIDPLUS alone"],
)
def test_servers_that_are_set_up_otherwise_or_can_do_less(options: dict[str, str], done: str) -> None:
    with dovecot(**options) as other:
        other.put(FIRST, SECOND)
        with mailbox(other) as box:
            box.put_away(next(box.waiting()), look=False)
        assert other.mails() == [SECOND]
        assert other.mails(done) == [FIRST]


def test_starttls_secures_the_connection(server: ImapServer) -> None:
    server.put(FIRST)
    with mailbox(server, mailbox_security="starttls", mailbox_port=server.port) as box:
        assert [waiting.raw for waiting in box.waiting()] == [FIRST]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mailbox_password": "wrong"}, "refuses the login"),
        ({"mailbox_folder": "Nowhere"}, "no folder of that name"),
        ({"ca_file": None}, "does not prove who it is"),
        ({"mailbox_port": 1}, "does not answer as a mailbox"),
        ({"mailbox_security": "none"}, "does not answer as a mailbox"),
    ],
    ids=["password", "folder", "certificate", "port", "security"],
)
def test_what_is_wrong_is_named_with_its_cure_and_without_secrets(
    server: ImapServer, changes: dict[str, object], says: str
) -> None:
    wrong = settings(**server.settings(**changes), timeout=2)
    with pytest.raises(MailboxUnavailable, match=says) as caught, ImapMailbox(wrong):
        pass
    assert "NOTIFY_EMAIL__" in str(caught.value)
    assert "pässword" not in str(caught.value)
    assert caught.value.__cause__ is None
    finding = check_mailbox(wrong)
    assert finding.level is Level.ERROR
    assert "NOTIFY_EMAIL__" in finding.cure


def test_the_doctor_says_what_waits_and_what_is_missing(server: ImapServer) -> None:
    server.put(FIRST)
    assert "1 mails wait" in check_mailbox(settings(**server.settings())).message
    nothing = check_mailbox(settings())
    assert (nothing.level, "--pipe" in nothing.cure) == (Level.WARNING, True)


LOGIN = {"mailbox_host": "imap.example", "mailbox_username": "a", "mailbox_password": "b"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"mailbox_host": "imap.example"}, "MAILBOX_USERNAME is missing"),
        ({"mailbox_host": "imap.example", "mailbox_username": "a"}, "MAILBOX_PASSWORD is missing"),
        ({"mailbox_username": "a", "mailbox_password": "b"}, "MAILBOX_HOST is missing"),
        ({**LOGIN, "mailbox_security": "none"}, "MAILBOX_SECURITY is none"),
        ({"mailbox_done": "INBOX"}, "MAILBOX_DONE is the same folder"),
        ({"mailbox_look": "Zu prüfen"}, "ASCII"),
        ({"mailbox_look": "a//b"}, "slashes"),
        ({"mailbox_minutes": 0}, "MAILBOX_MINUTES"),
        ({"return_path": "nobody"}, "RETURN_PATH"),
    ],
)
def test_settings_of_the_mailbox_that_do_not_fit_name_their_cure(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        settings(**changes)
