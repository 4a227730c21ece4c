"""What `notify doctor` says about Telegram: the token, and whether /start and /stop reach the hub."""

from __future__ import annotations

from telegram import Bot, WebhookInfo

from channels.contract import City, Finding, Level
from channels.net import leads_to_loopback
from channels.telegram.callbacks import ALLOWED_UPDATES
from channels.telegram.codes import meaning
from channels.telegram.http import ApiRefusal, NeverSent, NoAnswer, telegram_bot
from channels.telegram.settings import TelegramSettings

PATH = "/hooks/telegram"

_CONNECTION = "Telegram connection"
_WEBHOOK = "Telegram webhook"
_TOKEN = "Telegram token"  # noqa: S105 - a heading


async def run(settings: TelegramSettings, city: City) -> list[Finding]:
    """Call getMe and getWebhookInfo; nothing is sent."""
    async with telegram_bot(settings) as bot:
        try:
            me = await bot.get_me()
            webhook = await bot.get_webhook_info()
        except ApiRefusal as refusal:
            _, words = meaning(refusal.status, refusal.description)
            return [
                Finding(
                    Level.ERROR, _TOKEN, f"{words}.", "Correct NOTIFY_TELEGRAM__TOKEN, or try again later."
                )
            ]
        except (NeverSent, NoAnswer) as error:
            cure = "Check NOTIFY_TELEGRAM__API_BASE, and that this machine may reach it."
            return [Finding(Level.ERROR, _CONNECTION, f"Telegram does not answer ({error}).", cure)]
    return [Finding(Level.OK, _TOKEN, f"The bot is @{me.username}."), *_webhook(webhook, city)]


def _webhook(info: WebhookInfo, city: City) -> list[Finding]:
    """Without the webhook nobody can join, and /stop is not heard (R15)."""
    if not can_be_called(city):
        message = "Telegram cannot call the hub, so /start and /stop do not reach it."
        return [Finding(Level.ERROR, _WEBHOOK, message, "Set NOTIFY_PUBLIC_URL to the hub's https address.")]
    if info.url != city.public_url + PATH:
        message = "Telegram does not call this hub." if info.url else "Telegram was not told where to call."
        return [Finding(Level.ERROR, _WEBHOOK, message, "Start `notify run`: it tells Telegram.")]
    if info.last_error_message:
        cure = "Check that the hub's address can be reached from the internet, with a valid certificate."
        return [
            Finding(Level.WARNING, _WEBHOOK, f"Telegram's last call failed: {info.last_error_message}.", cure)
        ]
    return [Finding(Level.OK, _WEBHOOK, "Telegram calls this hub.")]


def can_be_called(city: City) -> bool:
    """Whether Telegram, or its stand-in on this machine, can call the hub at its public address."""
    return city.public_url.startswith("https://") or leads_to_loopback(city.public_url)


async def register(bot: Bot, settings: TelegramSettings, city: City) -> None:
    """Tell Telegram where to call; what waits there is kept.

    Raises:
        ApiRefusal, NeverSent, NoAnswer: Telegram did not take it.
    """
    await bot.set_webhook(
        city.public_url + PATH, secret_token=settings.secret, allowed_updates=ALLOWED_UPDATES
    )
