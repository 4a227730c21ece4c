"""Telegram: messages of the city's bot to residents who have sent it /start."""

from channels.telegram.adapter import TelegramChannel
from channels.telegram.settings import TelegramSettings

__all__ = ["TelegramChannel", "TelegramSettings"]
