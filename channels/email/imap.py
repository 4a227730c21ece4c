"""The mailbox that bounces, complaints and answers arrive in, over IMAP (RFC 9051, RFC 3501).

A mail is only ever moved, and only when the caller says so: what was read but not dealt with is read again.
It is fetched without marking it as seen, and no more of it than is parsed. The standard library's client does
the talking; it blocks, so all this runs in a thread.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from channels.contract import Finding, Level
from channels.email.connections import tls_context
from channels.email.parts import READ
from channels.email.settings import EmailSettings, Security
from channels.incoming import MailboxUnavailable, Waiting

CHECK_SECONDS = 10.0

_LISTED = re.compile(rb"UID (\d+)")
_DELIMITER = re.compile(rb'\([^)]*\) (?:"(?P<sign>\\?.)"|NIL)')
_PREFIX = re.compile(rb'^\(\("(?P<prefix>[^"]*)"')
_SUBJECT = "mailbox"


class ImapMailbox:
    """A folder of a mailbox, and the two that its mails are moved to: dealt with, or to be looked at.

    Args:
        settings: where it is, and how to log in.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._client: imaplib.IMAP4 | None = None
        self._delimiter = "/"
        self._prefix = ""
        self._made: set[str] = set()

    def __enter__(self) -> Self:
        """Connect, secure, log in and open the folder.

        Raises:
            MailboxUnavailable: with the cure.
        """
        try:
            self._client = self._connect()
            self._log_in(self._client)
            self._look_around(self._client)
            self._open(self._client)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def waiting(self) -> Iterator[Waiting]:
        """What is in the folder, oldest first.

        Raises:
            MailboxUnavailable: the connection was lost.
        """
        for number in self._numbers():
            raw = self._fetch(number)
            if raw is not None:
                yield Waiting(number, raw)

    def put_away(self, mail: Waiting, *, look: bool) -> None:
        """Move a mail out of the folder; it is there no more when this returns.

        Raises:
            MailboxUnavailable: it could not be moved, and is still there.
        """
        settings = self._settings
        folder = self._name(settings.mailbox_look if look else settings.mailbox_done)
        self._make(folder)
        uid, quoted = str(mail.number), _quoted(folder)
        if "MOVE" in self._ours.capabilities:  # RFC 6851
            self._do("UID", "MOVE", uid, quoted)
            return
        self._do("UID", "COPY", uid, quoted)
        self._do("UID", "STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._ours.capabilities:  # RFC 4315
            self._do("UID", "EXPUNGE", uid)
        else:
            self._do("EXPUNGE")

    # -- the connection

    @property
    def _ours(self) -> imaplib.IMAP4:
        if self._client is None:
            raise RuntimeError("The mailbox is not open: use it as a context manager.")
        return self._client

    def _connect(self) -> imaplib.IMAP4:
        settings = self._settings
        host, port = settings.mailbox_host or "", settings.effective_mailbox_port
        secured = settings.mailbox_security is not Security.NONE
        try:
            context = tls_context(settings) if secured else None
            if context and settings.mailbox_security is Security.TLS:
                return imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=settings.timeout)
            client = imaplib.IMAP4(host, port, timeout=settings.timeout)
            if context:
                client.starttls(context)  # raises where there is none: never falls back to an open connection
        except ssl.SSLError as error:
            raise MailboxUnavailable(
                f"{host}:{port} does not prove who it is ({error.reason or 'TLS failed'}). Check "
                "NOTIFY_EMAIL__MAILBOX_HOST and __MAILBOX_SECURITY; for a certificate authority of your own, "
                "set NOTIFY_EMAIL__CA_FILE."
            ) from None
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxUnavailable(
                f"{host}:{port} does not answer as a mailbox ({_reason(error)}). Check "
                "NOTIFY_EMAIL__MAILBOX_HOST, __MAILBOX_PORT and __MAILBOX_SECURITY."
            ) from None
        return client

    def _log_in(self, client: imaplib.IMAP4) -> None:
        settings = self._settings
        name = settings.mailbox_username or ""
        password = settings.mailbox_password.get_secret_value() if settings.mailbox_password else ""
        try:
            if "AUTH=PLAIN" in client.capabilities:  # any character, unlike LOGIN
                client.authenticate("PLAIN", lambda _: f"\0{name}\0{password}".encode())
            else:
                client.login(name, password)
        except (OSError, imaplib.IMAP4.error, UnicodeError):
            # What the server says about a failed login may repeat the name.
            raise MailboxUnavailable(
                "The mailbox refuses the login. Check NOTIFY_EMAIL__MAILBOX_USERNAME and __MAILBOX_PASSWORD; "
                "some providers want a password made for this program, or have to be told to allow IMAP."
            ) from None
        self._ask_capabilities(client)

    def _ask_capabilities(self, client: imaplib.IMAP4) -> None:
        """After the login, it may have more to offer."""
        _, data = client.capability()
        client.capabilities = tuple(_first(data[-1:]).decode("ascii", "replace").upper().split())

    def _look_around(self, client: imaplib.IMAP4) -> None:
        """How folders are written here: what divides their levels, and under which one ours have to be."""
        found = _DELIMITER.search(_first(self._do("LIST", '""', '""')))
        if found and found["sign"]:
            self._delimiter = found["sign"].decode("ascii", "replace")[-1]
        if "NAMESPACE" in client.capabilities:  # RFC 2342
            prefix = _PREFIX.match(_first(self._do("NAMESPACE")))
            self._prefix = prefix["prefix"].decode("ascii", "replace") if prefix else ""

    def _open(self, client: imaplib.IMAP4) -> None:
        name = self._settings.mailbox_folder
        folder = name if name.upper() == "INBOX" else self._name(name)
        try:
            answer, _ = client.select(_quoted(folder))
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxUnavailable(f"The mailbox cannot be opened ({_reason(error)}). Try again.") from None
        if answer != "OK":
            raise MailboxUnavailable(
                "The mailbox has no folder of that name. Check NOTIFY_EMAIL__MAILBOX_FOLDER; usually it is INBOX."
            )

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.logout()
        except (OSError, imaplib.IMAP4.error):
            client.shutdown()

    # -- what is said over it

    def _do(self, command: str, *arguments: str) -> list[Any]:
        """One command; its untagged answer."""
        client = self._ours
        try:
            match command:
                case "UID":
                    answer, data = client.uid(*arguments)
                case "LIST":
                    answer, data = client.list(*arguments)
                case "NAMESPACE":
                    answer, data = client.namespace()
                case "EXPUNGE":
                    answer, data = client.expunge()
                case _:
                    answer, data = getattr(client, command.lower())(*arguments)
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxUnavailable(
                f"The mailbox did not do what was asked ({command}: {_reason(error)}). It is tried again later."
            ) from None
        if answer != "OK":
            raise MailboxUnavailable(
                f"The mailbox refused a command ({command} {' '.join(arguments[:1])}). See that this login may make "
                "folders, and move and delete mails."
            )
        return list(data)

    def _numbers(self) -> list[int]:
        # One short line for each mail: the one long line of a search would be refused when there are many.
        lines = [line for line in self._do("UID", "FETCH", "1:*", "(UID FLAGS)") if isinstance(line, bytes)]
        found = (_LISTED.search(line) for line in lines if rb"\Deleted" not in line)
        return sorted(int(match[1]) for match in found if match)

    def _fetch(self, number: int) -> bytes | None:
        """As much of a mail as is parsed; None when it is gone."""
        for item in self._do("UID", "FETCH", str(number), f"(BODY.PEEK[]<0.{READ}>)"):
            if isinstance(item, tuple):
                return bytes(item[1])
        return None

    def _name(self, folder: str) -> str:
        own = folder.replace("/", self._delimiter)
        return own if own.startswith(self._prefix) else self._prefix + own

    def _make(self, folder: str) -> None:
        """Make a folder that is not there, and let mail programs show it."""
        if folder in self._made:
            return
        if not _first(self._do("LIST", '""', _quoted(folder))):
            self._do("CREATE", _quoted(folder))
            self._do("SUBSCRIBE", _quoted(folder))
        self._made.add(folder)


def check_mailbox(settings: EmailSettings) -> Finding:
    """Whether bounces, complaints and answers can be read."""
    if not settings.mailbox_host:
        return Finding(
            Level.WARNING,
            _SUBJECT,
            "Bounces, complaints and answers are not read from a mailbox.",
            "Set NOTIFY_EMAIL__MAILBOX_HOST, __MAILBOX_USERNAME and __MAILBOX_PASSWORD, or let the mail server "
            "pipe them into `notify bounces read --pipe`.",
        )
    shown = f"{_SUBJECT} {settings.mailbox_host}:{settings.effective_mailbox_port}"
    quick = settings.model_copy(update={"timeout": min(settings.timeout, CHECK_SECONDS)})
    try:
        with ImapMailbox(quick) as mailbox:
            waiting = len(mailbox._numbers())
    except MailboxUnavailable as problem:
        return Finding(Level.ERROR, shown, *_message_and_cure(str(problem)))
    return Finding(Level.OK, shown, f"opens; {waiting} mails wait in it.")


def _message_and_cure(text: str) -> tuple[str, str]:
    message, _, cure = text.partition(". ")
    return f"{message}.", cure


def _reason(error: Exception) -> str:
    """Why, without what a server says: it may quote the mailbox's name."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _first(data: list[Any]) -> bytes:
    found = data[0] if data else None
    return found if isinstance(found, bytes) else b""
