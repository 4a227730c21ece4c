"""The parts of one running hub, put together from its settings: what commands and pages stand on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from channels.contract import AddressKind, Channel, MissingSettings
from channels.registry import available
from notify.database import Database
from notify.dispatch.engine import Engine
from notify.rendering import Renderer
from notify.settings import Ground, SettingsError, load
from notify.tokens import Tokens
from notify.translation.chain import Chain, chosen


class Hub:
    """Database, channels that are on, renderer and tokens. Opening it upgrades the tables."""

    def __init__(self, settings: Ground) -> None:
        self.settings = settings
        self.database = Database(settings.database)
        self.database.upgrade()

    @classmethod
    def open(cls, file: Path | None = None) -> Hub:
        """The hub that settings and environment describe.

        Raises:
            SettingsError, DatabaseUnavailable: with the cure.
        """
        return cls(load(file))

    @cached_property
    def channels(self) -> dict[str, Channel]:
        """The channels that have settings, by name.

        Raises:
            SettingsError: a channel's settings do not fit.
        """
        on: dict[str, Channel] = {}
        for name, channel in available().items():
            settings = self.settings.channel(name)
            if settings is None:
                continue
            try:
                on[name] = channel(settings, self.settings.as_city())
            except MissingSettings as error:
                raise SettingsError([str(error)]) from None
        return on

    @cached_property
    def renderer(self) -> Renderer:
        """Composes, and remembers."""
        return Renderer(self.settings.as_city())

    @cached_property
    def tokens(self) -> Tokens:
        """Makes and reads residents' tokens."""
        return Tokens(self.settings.key())

    @cached_property
    def translator(self) -> Chain:
        """The machine that drafts translations: the engines of the city, in its order."""
        return chosen(self.settings.translation, self.settings.models)

    def engine(self) -> Engine:
        """An engine over this hub's database and channels."""
        return Engine(self.database, self.settings, self.channels, self.renderer, self.tokens)


def address_kinds() -> dict[str, AddressKind]:
    """How addresses are written on each installed channel."""
    return {name: channel.address_kind for name, channel in available().items()}
