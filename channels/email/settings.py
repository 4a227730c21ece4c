"""The settings of the email channel, NOTIFY_EMAIL__HOST and its neighbours.

An error names the setting as it stands in the environment, and what to write there. It never repeats the
value: the value may be the password.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from channels.net import Mailbox, is_loopback, mailbox

PREFIX = "NOTIFY_EMAIL__"

_CURES = {
    "host": "Write the name of your mail server there, such as smtp.city.example.",
    "port": "Write a whole number from 1 to 65535, usually 587; or leave it out.",
    "username": "Write the name to log in with there, or leave both it and the password out.",
    "password": "Write the password of NOTIFY_EMAIL__USERNAME there, or leave both out.",
    "security": "Write starttls (usual), tls, or none.",
    "from": "Write the sender there, such as City of Riverton <news@riverton.example>.",
    "reply_to": "Write the address that answers go to, such as mayor@riverton.example; or leave it out.",
    "unsubscribe_mailto": "Write the address that reads requests to stop, or leave it out.",
    "connections": "Write a whole number from 1 to 100.",
    "rate": "Write how many messages a second your provider allows; 0 is no limit.",
    "timeout": "Write a number of seconds from 1 to 3600.",
    "ca_file": "Write the path of a PEM file with your certificate authority, or leave it out.",
    "return_path": "Write the address that bounces go to, such as bounces@riverton.example; or leave it out.",
    "return_tags": "Write true if mail to bounces+anything@… arrives in that mailbox too; else leave it out.",
    "mailbox_host": "Write the name of the IMAP server there, such as imap.city.example; or leave it out.",
    "mailbox_port": "Write a whole number from 1 to 65535, usually 993; or leave it out.",
    "mailbox_username": "Write the name to log in to the mailbox with there.",
    "mailbox_password": "Write the password of NOTIFY_EMAIL__MAILBOX_USERNAME there.",
    "mailbox_security": "Write tls (usual), starttls, or none.",
    "mailbox_folder": "Write the folder to read, usually INBOX, in ASCII letters.",
    "mailbox_done": "Write a folder in ASCII letters, such as Notify/Done.",
    "mailbox_look": "Write a folder in ASCII letters, such as Notify/Look.",
    "mailbox_minutes": "Write how many minutes pass between looks into the mailbox, from 0.05 to 1440.",
    "dkim_selector": "Write the selector your mail server signs with, such as mail2026; or leave it out.",
}


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


MAILBOX_PORTS = {Security.STARTTLS: 143, Security.TLS: 993, Security.NONE: 143}
PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}

_NAMED = re.compile(r'(?:"?(?P<name>[^<>"\x00-\x1f\x7f]*?)"?\s*(?=<))?<?(?P<address>[^<>\s]+)>?')


def _one_line(value: str) -> str:
    if not value or any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError("it must be one word")
    return value


def _address(value: str) -> str:
    box = mailbox(value)
    if box.utf8:
        raise ValueError("its part before the @ must be ASCII, or many servers would refuse it")
    return box.address


def _sender(value: str) -> str:
    match = _NAMED.fullmatch(value)
    if match is None:
        raise ValueError("it must be one address, with or without a name before it")
    address = _address(match["address"])
    return f"{match['name']} <{address}>" if match["name"] else address


def _pem_file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("there is no such file")
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    plain = value.isascii() and value.isprintable() and not set(value) & set('&%*"\\')
    if not plain or not all(part.strip() for part in parts):
        raise ValueError("it must be a folder's name in ASCII letters, its levels divided by slashes")
    return value


Folder = Annotated[str, AfterValidator(_folder)]
Word = Annotated[str, AfterValidator(_one_line)]
Address = Annotated[str, AfterValidator(_address)]


class EmailSettings(BaseModel):
    """Where mail is handed over, and who sends it.

    Raises:
        ValidationError: a `ValueError` that names each wrong setting and its cure.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    host: Word
    port: int = Field(default=0, ge=0, le=65535)  # 0: the usual one for `security`
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    security: Security = Security.STARTTLS
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    reply_to: Address | None = None
    unsubscribe_mailto: Address | None = None
    connections: int = Field(default=10, ge=1, le=100)
    rate: float = Field(default=0, ge=0, allow_inf_nan=False)  # messages a second
    timeout: float = Field(default=60, ge=1, le=3600)  # seconds for one reply
    ca_file: Annotated[Path, AfterValidator(_pem_file)] | None = None
    return_path: Address | None = None  # the envelope's sender: bounces go there; else to the sender
    return_tags: bool = False  # bounces+D7.123.…@ instead (VERP)
    mailbox_host: Word | None = None  # IMAP; bounces, complaints and answers are read there
    mailbox_port: int = Field(default=0, ge=0, le=65535)  # 0: the usual one for `mailbox_security`
    mailbox_username: str | None = Field(default=None, min_length=1)
    mailbox_password: SecretStr | None = Field(default=None, min_length=1)
    mailbox_security: Security = Security.TLS
    mailbox_folder: Folder = "INBOX"
    mailbox_done: Folder = "Notify/Done"
    mailbox_look: Folder = "Notify/Look"
    mailbox_minutes: float = Field(default=5, ge=0.05, le=1440)
    dkim_selector: Word | None = None  # lets `check` look for the DKIM key

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_settings(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            settings = handler(data)
            problems = settings._contradictions()
        except ValidationError as error:
            problems = [_named(*_words(item)) for item in error.errors(include_url=False)]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems, hide_input=True) from None
        return settings

    def _contradictions(self) -> list[InitErrorDetails]:
        problems = []
        if (self.username is None) != (self.password is None):
            missing = "username" if self.username is None else "password"
            problems.append(_named(missing, "is missing: a login needs both a name and a password"))
        if self.password and self.security is Security.NONE and not is_loopback(self.host):
            problem = "is none, so the password would cross the network for all to read"
            problems.append(_named("security", problem))
        return problems + self._mailbox_contradictions()

    def _mailbox_contradictions(self) -> list[InitErrorDetails]:
        problems = []
        login = (self.mailbox_username, self.mailbox_password)
        if self.mailbox_host and None in login:
            missing = "mailbox_username" if self.mailbox_username is None else "mailbox_password"
            problems.append(_named(missing, "is missing: a mailbox needs both a name and a password"))
        if not self.mailbox_host and login != (None, None):
            problems.append(_named("mailbox_host", "is missing: there is a login for it"))
        if (
            self.mailbox_host
            and self.mailbox_security is Security.NONE
            and not is_loopback(self.mailbox_host)
        ):
            problem = "is none, so the password would cross the network for all to read"
            problems.append(_named("mailbox_security", problem))
        if len({self.mailbox_folder, self.mailbox_done, self.mailbox_look}) < 3:
            problems.append(_named("mailbox_done", "is the same folder as another one of the mailbox"))
        return problems

    @property
    def effective_mailbox_port(self) -> int:
        """The port of the mailbox."""
        return self.mailbox_port or MAILBOX_PORTS[self.mailbox_security]

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return self.port or PORTS[self.security]

    @property
    def sender_name(self) -> str:
        """The name before the address; may be empty."""
        return self.sender.rpartition("<")[0].strip()

    @property
    def sender_mailbox(self) -> Mailbox:
        """The address alone."""
        return mailbox(self.sender.rpartition("<")[2].rstrip(">"))


def _named(name: str, problem: str) -> InitErrorDetails:
    cure = _CURES.get(name) or f"The settings of this channel are {', '.join(_CURES)}."
    text = f"{PREFIX}{name.upper()} {problem}. {cure}"
    # The input stays out: it may be the password.
    return InitErrorDetails(
        type=PydanticCustomError("setting", "{text}", {"text": text}), loc=(name,), input=None
    )


def _words(item: ErrorDetails) -> tuple[str, str]:
    name = str(item["loc"][0]) if item["loc"] else "*"
    match item["type"]:
        case "missing":
            return name, "is missing"
        case "extra_forbidden":
            return name, "is not a setting"
    return name, f"does not fit ({item['msg'].removeprefix('Value error, ').rstrip('.')})"
