"""One typed tree of settings: the environment (`NOTIFY_…`) over `notify.toml`.

`NOTIFY_SMS__FROM` and `from` in the table `[sms]` are the same setting; the environment wins. A secret may
be kept in a file named by the same variable with `_FILE` at its end. Every channel declares its own table;
a table that is not there switches the channel off.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
import tomllib
from datetime import time
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from channels.contract import City
from channels.registry import available

PREFIX = "NOTIFY_"
CONFIG_VARIABLE = "NOTIFY_CONFIG"
DEFAULT_FILE = "notify.toml"
# Read by other parts of the program, and no settings of the tree.
_OUTSIDE = {CONFIG_VARIABLE, "NOTIFY_AS", "NOTIFY_PASSWORD", "NOTIFY_TEST_POSTGRES"}


class SettingsError(ValueError):
    """Settings that do not fit: one line for each, naming the setting and the cure."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise ValueError(
            "this is no IANA time zone; write one like America/Chicago or Europe/London"
        ) from None
    return name


def _public_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
        raise ValueError("write the address residents see, like https://notify.city.example")
    return url.rstrip("/")


def _tag(language: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise ValueError("write languages as BCP 47 tags, like en, es, zh-Hans")
    return language


def _origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin):
        raise ValueError("write the start of a page's address and no more, like https://www.city.example")
    return origin


def _network(network: str) -> str:
    try:
        return str(ip_network(network, strict=False))
    except ValueError:
        raise ValueError("write an IP address or a network, like 10.0.0.5 or 10.0.0.0/8") from None


class CitySettings(BaseModel):
    """The city that speaks."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="Our City", min_length=1, max_length=60)
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    country: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    sender: str = Field(default="Office of the Mayor", max_length=60)
    phone: str = Field(default="", max_length=40)
    postal_address: list[str] = Field(default_factory=list, max_length=6)
    languages: list[Annotated[str, AfterValidator(_tag)]] = Field(
        default_factory=lambda: ["en"], min_length=1
    )
    areas: list[Annotated[str, Field(min_length=1, max_length=60)]] = Field(
        default_factory=list
    )  # neighbourhoods or postal areas that residents may choose from
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    quiet_from: time | None = time(21, 0)  # no text message between these, local time (R10)
    quiet_until: time | None = time(8, 0)


class SendingSettings(BaseModel):
    """How the dispatcher behaves when a provider does not."""

    model_config = ConfigDict(extra="forbid")

    retry_seconds: float = Field(default=30, gt=0)  # before the second try; doubles with every further one
    retry_longest_seconds: float = Field(default=3600, gt=0)
    window_hours: float = Field(default=24, gt=0)  # after that a message is old news: failed, not sent
    refused_share: float = Field(
        default=0.02, gt=0, le=1
    )  # more than this refused: the channel stops (R: 30007)
    refused_least: int = Field(default=10, ge=1)  # ... and at least so many
    soft_bounces: int = Field(
        default=5, ge=2
    )  # in succession: the address is held until a person looks (R16)
    slot_grace_minutes: float = Field(default=15, gt=0)  # a timetable's slot missed by more asks a person
    settle_seconds: float = Field(default=60, ge=0)  # before a provider is asked about an unknown


class TranslationSettings(BaseModel):
    """How translations are made and approved."""

    model_config = ConfigDict(extra="forbid")

    two_people: bool = Field(
        default=False, description="Nobody approves a sentence that they were the last to edit."
    )
    engines: list[Literal["argos", "libretranslate", "apertium"]] = Field(
        default=["argos"],
        description="Asked in this order; the first that has the pair drafts.",
    )
    libretranslate_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    libretranslate_key: SecretStr = SecretStr("")
    apertium_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$"
    )  # of an APY server; empty: the command
    # Where packages for the machine are listed: an address, or a folder on a machine without internet.
    index: str = "https://raw.githubusercontent.com/argosopentech/argospm-index/main/index.json"
    # What readers of a language get whose translation is not approved: nothing ("hold", the rule), the source
    # with a notice in their language ("notice"), or that and the text in another language ("both fr").
    missing: dict[
        Annotated[str, AfterValidator(_tag)],
        Annotated[str, Field(pattern=r"^(hold|notice|both [A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)$")],
    ] = Field(default_factory=dict)


class ApiSettings(BaseModel):
    """What programs may ask of the HTTP interface."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: int = Field(default=600, ge=1)  # of one key, in one process
    upload_megabytes: int = Field(default=200, ge=1)  # of one sheet


class WebSettings(BaseModel):
    """Residents' pages: who may embed them, and how often somebody may sign up."""

    model_config = ConfigDict(extra="forbid")

    embed_origins: list[Annotated[str, AfterValidator(_origin)]] = Field(default_factory=list)
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = Field(
        default_factory=lambda: ["127.0.0.0/8", "::1/128"]
    )  # whose X-Forwarded-For is believed: this machine's own, unless the city names others
    signups_per_hour: int = Field(default=30, ge=1)  # from one IP address; a library has one for all
    all_signups_per_hour: int = Field(default=1000, ge=1)  # from all together: each costs a message
    confirmations_per_day: int = Field(default=3, ge=1)  # to one address
    confirm_within_days: int = Field(default=7, ge=1, le=90)


class RetentionSettings(BaseModel):
    """For how long personal data is kept that nothing needs any more; 0 keeps it for ever."""

    model_config = ConfigDict(extra="forbid")

    inbound_days: int = Field(default=365, ge=0)  # texts of residents' messages
    unconfirmed_days: int = Field(default=30, ge=0)  # sign-ups on web forms, after their link has run out
    answers_days: int = Field(default=2, ge=0)  # of the HTTP interface, for requests that are repeated
    inactive_years: int = Field(default=3, ge=0)  # residents without any subscription are erased
    print_days: int = Field(default=90, ge=0)  # letters' files, names and addresses in them
    journal_days: int = Field(default=30, ge=0)


class Ground(BaseSettings):
    """The settings that are there whatever channels are installed; `Settings` adds a table for each channel."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")
    toml_path: ClassVar[Path] = Path(DEFAULT_FILE)

    state_dir: Path = Path("notify-data")  # journal, generated key, language packages
    database_url: str = ""  # empty: SQLite in the state directory
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    secret_key: SecretStr | None = None  # empty: generated once, kept in the state directory
    models_dir: Path | None = None  # installed Argos packages; empty: in the state directory
    playbooks_dir: Path | None = None  # the city's own playbooks, beside those that ship
    city: CitySettings = Field(default_factory=CitySettings)
    sending: SendingSettings = Field(default_factory=SendingSettings)
    translation: TranslationSettings = Field(default_factory=TranslationSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)

    @property
    def database(self) -> str:
        """The database's URL, with psycopg as PostgreSQL's driver."""
        url = self.database_url or f"sqlite:///{self.state_dir / 'notify.db'}"
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)

    @property
    def models(self) -> Path:
        """Where language packages are installed."""
        return self.models_dir or self.state_dir / "models"

    def channel(self, name: str) -> BaseModel | None:
        """A channel's own settings, or None when it is off."""
        return cast("BaseModel | None", getattr(self, name, None))

    def as_city(self) -> City:
        """The city as channels see it."""
        return City(
            name=self.city.name,
            timezone=self.city.timezone,
            public_url=self.public_url,
            country=self.city.country,
            sender=self.city.sender,
            phone=self.city.phone,
            postal_address=tuple(self.city.postal_address),
            languages=tuple(self.city.languages),
        )

    def key(self) -> bytes:
        """The secret that signs tokens: the setting, or one generated once in the state directory."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        path = self.state_dir / "secret.key"
        if not path.exists():
            self.state_dir.mkdir(parents=True, exist_ok=True)
            _write_private(path, secrets.token_hex(32))
        return path.read_text("ascii").strip().encode()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by one that reads _FILE
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given values first, then the environment, then the file."""
        return (
            init_settings,
            _Environment(settings_cls),
            TomlConfigSettingsSource(settings_cls, cls.toml_path),
        )


class _Environment(EnvSettingsSource):
    """The environment, with secrets read from files where `NAME_FILE` says so."""

    def _load_env_vars(self) -> dict[str, str | None]:
        found = dict(super()._load_env_vars())
        for name in secret_settings():
            variable = f"{PREFIX}{name.replace('.', '__')}".lower()
            path = found.pop(f"{variable}_file", None)
            if path and not found.get(variable):
                found[variable] = _read_secret(variable, Path(path))
        return {name: value for name, value in found.items() if name.upper() not in _OUTSIDE}


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            [
                f"{variable.upper()}_FILE: the file cannot be read ({error.strerror}). Name a file this user may read."
            ]
        ) from None


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@cache
def settings_class() -> type[Ground]:
    """`Ground` with a table for each installed channel."""
    tables: dict[str, Any] = {
        name: (channel.Settings | None, Field(default=None, description=channel.label))
        for name, channel in available().items()
    }
    return create_model("Settings", __base__=Ground, **tables)


@cache
def secret_settings() -> frozenset[str]:
    """Dotted names of the settings whose value is never shown."""
    found = {"database_url"}

    def walk(model: type[BaseModel], path: str) -> None:
        for name, field in model.model_fields.items():
            dotted = f"{path}{field.alias or name}"
            if "SecretStr" in str(field.annotation):
                found.add(dotted)

    walk(settings_class(), "")
    for name, channel in available().items():
        walk(channel.Settings, f"{name}.")
    return frozenset(found)


def load(file: Path | None = None, **given: Any) -> Ground:
    """Read the settings in force.

    Args:
        file: the TOML file; by default `$NOTIFY_CONFIG`, then `notify.toml` here, if it is there.
        given: values that win over both, as the tree names them.

    Raises:
        SettingsError: naming each setting that does not fit, and its cure.
    """
    path = file or Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_FILE))
    if (file or CONFIG_VARIABLE in os.environ) and not path.is_file():
        raise SettingsError(
            [f"There is no settings file {path}. Run `notify init`, or correct {CONFIG_VARIABLE}."]
        )
    model = settings_class()
    _refuse_unknown_variables(model)
    # A subclass, so that two loads with different files do not share the path.
    bound = type("Settings", (model,), {"toml_path": path, "__module__": __name__})
    try:
        return cast("Ground", bound(**given))
    except ValidationError as error:
        raise SettingsError([_problem(item) for item in error.errors(include_url=False)]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path} is no valid TOML: {error}. Correct that line."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not UTF-8 text. Save it as UTF-8."]) from None


def check_file(path: Path) -> None:
    """Check a settings file by itself, whatever the environment says.

    Raises:
        SettingsError: naming each setting that does not fit, and its cure.
    """
    try:
        settings_class().model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise SettingsError([_problem(item) for item in error.errors(include_url=False)]) from None


def _refuse_unknown_variables(model: type[BaseModel]) -> None:
    known = {name.upper() for name in model.model_fields}
    secret = {f"{name.upper()}_FILE" for name in secret_settings() if "." not in name}
    problems = []
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable in _OUTSIDE:
            continue
        head = variable.removeprefix(PREFIX).split("__")[0]
        if head not in known | secret:
            near = difflib.get_close_matches(head, known, n=1)
            hint = f" Did you mean {PREFIX}{near[0]}?" if near else " Unset it, or see `notify config`."
            problems.append(f"{variable}: there is no such setting.{hint}")
    if problems:
        raise SettingsError(problems)


def _problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    variable = PREFIX + "__".join(path).upper()
    dotted = ".".join(path)
    if item["type"] == "missing":
        return f"{variable} is missing. Set it, or {dotted} in {DEFAULT_FILE}."
    if item["type"] == "extra_forbidden":
        return f"{variable} ({dotted} in {DEFAULT_FILE}): there is no such setting. Remove it or correct its name."
    reason = item["msg"].removeprefix("Value error, ")
    return f"{variable} ({dotted} in {DEFAULT_FILE}): {reason[0].lower()}{reason[1:].rstrip('.')}."


def in_force(settings: Ground) -> dict[str, Any]:
    """The settings as a plain tree with secrets masked, for `notify config`."""
    tree: dict[str, Any] = settings.model_dump(mode="json", by_alias=True)
    tree["database_url"] = re.sub(r"://([^:/@]+):[^@]*@", r"://\1:********@", settings.database)
    for dotted in secret_settings() - {"database_url"}:
        *path, last = dotted.split(".")
        table: Any = tree
        for part in path:
            table = (table or {}).get(part)
        if table and table.get(last):
            table[last] = "********"
    return tree
