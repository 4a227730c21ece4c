"""The commands that Telegram offers residents, in the city's languages."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Bot, BotCommand

import templates

COMMANDS = ("topics", "language", "stop", "start", "help")


async def register(bot: Bot, languages: Sequence[str]) -> None:
    """Tell Telegram the commands, for everybody in the city's first language, else in the resident's own.

    https://core.telegram.org/bots/api#setmycommands takes two-letter codes only: speakers of a language that
    has none see the first.

    Args:
        bot: whose commands.
        languages: of the city, BCP 47, the source first.

    Raises:
        ApiRefusal, NeverSent, NoAnswer: Telegram did not take them.
    """
    await bot.set_my_commands(_commands(languages[0]))
    for code, language in by_code(languages).items():
        await bot.set_my_commands(_commands(language), language_code=code)


def by_code(languages: Sequence[str]) -> dict[str, str]:
    """The language for each two-letter code (ISO 639-1); of several, the city's first."""
    codes: dict[str, str] = {}
    for language in languages:
        code = language.split("-")[0].lower()
        if len(code) == 2:
            codes.setdefault(code, language)
    return codes


def _commands(language: str) -> list[BotCommand]:
    words = templates.phrases(language)
    return [BotCommand(command, words[f"telegram_command_{command}"]) for command in COMMANDS]
