"""Local stand-ins for the SMS provider, Telegram and the mail relay: for demos, drills and tests."""

from channels.sandbox.captured import ChatMessage, Direction, Item, Mail, Shelf, Text
from channels.sandbox.faults import Kind, Rule
from channels.sandbox.hub import HubUnreachable
from channels.sandbox.sandbox import Ports, Sandbox

__all__ = [
    "ChatMessage",
    "Direction",
    "HubUnreachable",
    "Item",
    "Kind",
    "Mail",
    "Ports",
    "Rule",
    "Sandbox",
    "Shelf",
    "Text",
]
