"""What `notify doctor` says about Telegram: the token, and whether /start and /stop reach the hub."""

from __future__ import annotations

from telegram import Bot, WebhookInfo

from channels.contract import City, Finding, Level
from channels.net import leads_to_loopback
from channels.telegram.callbacks import ALLOWED_UPDATES
from channels.telegram.codes import meaning
from channels.telegram.http import ApiRefusal, NeverSent, NoAnswer, telegram_bot
from channels.telegram.settings import TelegramSettings, Updates

PATH = "/hooks/telegram"

_CONNECTION = "Telegram connection"
_WEBHOOK = "Telegram webhook"
_POLLING = "Telegram polling"
_TOKEN = "Telegram token"  # noqa: S105 - a heading
_START = "Start `notify run`: it tells Telegram."


async def run(settings: TelegramSettings, city: City) -> list[Finding]:
    """Call getMe and getWebhookInfo; nothing is sent, and no update is fetched."""
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
    found = Finding(Level.OK, _TOKEN, f"The bot is @{me.username}.")
    if mode(settings, city) is Updates.POLLING:
        return [found, _polling(webhook)]
    return [found, _webhook(webhook, settings, city)]


def _polling(info: WebhookInfo) -> Finding:
    if info.url:
        message = "Telegram calls a webhook, so the hub cannot fetch what residents say."
        cure = (
            "Start `notify run`: it ends the webhook. Was it another hub's? Give this one a bot of its own."
        )
        return Finding(Level.ERROR, _POLLING, message, cure)
    if info.pending_update_count:
        message = f"{info.pending_update_count} messages of residents wait to be fetched."
        return Finding(
            Level.WARNING, _POLLING, message, "Start `notify run`, or look into its log if it runs."
        )
    return Finding(Level.OK, _POLLING, "The hub fetches what residents say; none of it waits.")


def _webhook(info: WebhookInfo, settings: TelegramSettings, city: City) -> Finding:
    """Without the webhook nobody can join, and /stop is not heard (R15)."""
    if not can_be_called(settings, city):
        message = "Telegram cannot call the hub, so /start and /stop do not reach it."
        cure = "Set NOTIFY_PUBLIC_URL to the hub's https address, or NOTIFY_TELEGRAM__UPDATES=polling."
        return Finding(Level.ERROR, _WEBHOOK, message, cure)
    if info.url != city.public_url + PATH:
        message = "Telegram does not call this hub." if info.url else "Telegram was not told where to call."
        return Finding(Level.ERROR, _WEBHOOK, message, _START)
    if not set(ALLOWED_UPDATES) <= set(info.allowed_updates):
        return Finding(Level.ERROR, _WEBHOOK, "Telegram does not tell the hub about pressed buttons.", _START)
    if info.last_error_message:
        cure = "Check that the hub's address can be reached from the internet, with a valid certificate."
        message = f"Telegram's last call failed: {info.last_error_message}."
        return Finding(Level.WARNING, _WEBHOOK, message, cure)
    return Finding(Level.OK, _WEBHOOK, "Telegram calls this hub.")


def mode(settings: TelegramSettings, city: City) -> Updates:
    """How updates come: as the settings say, else by webhook where Telegram can call the hub."""
    if settings.updates is not None:
        return settings.updates
    return Updates.WEBHOOK if can_be_called(settings, city) else Updates.POLLING


def can_be_called(settings: TelegramSettings, city: City) -> bool:
    """Whether Telegram, or its stand-in on this machine, can call the hub at its public address."""
    both_here = leads_to_loopback(city.public_url) and leads_to_loopback(settings.api_base)
    return city.public_url.startswith("https://") or both_here


async def arrange(bot: Bot, settings: TelegramSettings, city: City) -> None:
    """Tell Telegram how updates are to come; what waits there is kept.

    Raises:
        ApiRefusal, NeverSent, NoAnswer: Telegram did not take it.
    """
    if mode(settings, city) is Updates.POLLING:
        await bot.delete_webhook()
    elif can_be_called(settings, city):
        await bot.set_webhook(
            city.public_url + PATH, secret_token=settings.secret, allowed_updates=ALLOWED_UPDATES
        )
