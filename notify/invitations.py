"""How residents join a list: its page, the word they text and to which number, and links into apps."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import segno

from channels.contract import AddressKind, Channel, Conversing, NoInvitation
from channels.sms import keywords
from contacts.lists import BadListName
from contacts.models import ContactList
from notify.hub import Hub
from notify.tokens import Recipient

SHORTEST_WORD, LONGEST_WORD = 2, 20  # letters and digits
_MODULE = 12  # pixels of a QR code's square: a poster's size


class NothingToInvite(ValueError):
    """Residents cannot join the list by themselves, or there is no way to; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The ways into one list. What is not there is empty.

    Attributes:
        page: the sign-up page.
        word: what residents text.
        numbers: to which number or short code, by channel.
        links: into apps, by channel.
        missing: why a way is not there, with its cure.
    """

    page: str
    word: str
    numbers: dict[str, str]
    links: dict[str, str]
    missing: list[str] = field(default_factory=list)


def join_word(text: str) -> str:
    """A word by which residents join, as it is compared with what they text; empty for none.

    Raises:
        BadListName: it is a keyword in some language, too short or too long, or holds no letter.
    """
    word = keywords.fold(text)
    if not text.strip():
        return ""
    if not SHORTEST_WORD <= len(word) <= LONGEST_WORD or word.isdigit():
        raise BadListName(
            f"{text!r} is no word to join by. Choose {SHORTEST_WORD} to {LONGEST_WORD} letters, like ELDERS."
        )
    if found := keywords.read(text) or keywords.read_topic(text):
        raise BadListName(
            f"{text!r} means {found.meaning} already, or begins or ends with a word that does, in some "
            "language. Choose another word."
        )
    return word


async def invite(hub: Hub, listed: ContactList) -> Invitation:
    """The ways into a list.

    Raises:
        NothingToInvite: residents cannot join this list by themselves.
    """
    if not listed.public:
        raise NothingToInvite(
            f"Residents cannot join {listed.name!r} by themselves. "
            f"Let them: notify list edit {listed.name!r} --public"
        )
    missing: list[str] = []
    page = f"{hub.settings.public_url}/join/{listed.id}" if hub.settings.public_url else ""
    if not page:
        missing.append("The sign-up page has no address yet: set NOTIFY_PUBLIC_URL.")
    if not listed.join_word:
        missing.append(f"There is no word to text: notify list edit {listed.name!r} --join-word WORD")
    numbers, links = _numbers(hub.channels), await _links(hub, listed.id or 0, missing)
    if listed.join_word and not numbers:
        missing.append(f"{listed.join_word.upper()} can be texted when there is a number: see notify doctor.")
    return Invitation(page, listed.join_word.upper(), numbers, links, missing)


def qr(url: str, file_name: str) -> bytes:
    """A QR code for a poster.

    Args:
        url: what it leads to.
        file_name: its ending says whether it is an SVG or a PNG.

    Raises:
        NothingToInvite: another ending.
    """
    kind = file_name.lower().rpartition(".")[2]
    if kind not in ("svg", "png"):
        raise NothingToInvite(f"{file_name} is neither .svg nor .png. Name the file so.")
    out = io.BytesIO()
    segno.make(url, error="q", micro=False).save(
        out, kind=kind, scale=_MODULE, border=4, dark="#000", light="#fff"
    )
    return out.getvalue()


def _numbers(channels: Mapping[str, Channel]) -> dict[str, str]:
    """The number of each channel to which residents can text; a service that picks one itself has none."""
    found = {
        name: str(getattr(getattr(channel, "settings", None), "sender", ""))
        for name, channel in channels.items()
        if channel.address_kind is AddressKind.PHONE
    }
    return {name: number for name, number in found.items() if number.lstrip("+").isdigit()}


async def _links(hub: Hub, list_id: int, missing: list[str]) -> dict[str, str]:
    links: dict[str, str] = {}
    payload = hub.tokens.make(Recipient(0, list_id))
    for name, channel in hub.channels.items():
        if isinstance(channel, Conversing):
            try:
                links[name] = await channel.invite(payload)
            except NoInvitation as error:
                missing.append(str(error))
    return links
