"""The one list of channels: those in this tree, and those that other distributions add.

A distribution adds a channel with an entry point:

    [project.entry-points."notify.channels"]
    signal = "city_signal:SignalChannel"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name

from channels.contract import Channel

BUILT_IN = {
    "sms": "channels.sms:SmsChannel",
    "email": "channels.email:EmailChannel",
    "telegram": "channels.telegram:TelegramChannel",
    "letter": "channels.letter:LetterChannel",
}


@cache
def available() -> dict[str, type[Channel]]:
    """Every installed channel by name, built-in ones first.

    Raises:
        ValueError: an entry point's name is taken, or its class carries another name.
    """
    channels: dict[str, type[Channel]] = {name: resolve_name(path) for name, path in BUILT_IN.items()}
    for point in entry_points(group="notify.channels"):
        if point.name in channels:
            raise ValueError(
                f"Two channels are called {point.name!r}; uninstall {point.value!r} or rename it."
            )
        channels[point.name] = point.load()
    for name, channel in channels.items():
        if channel.name != name:
            raise ValueError(f"The channel registered as {name!r} calls itself {channel.name!r}.")
    return channels
