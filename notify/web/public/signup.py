"""A filled-in sign-up form: what it says, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import phonenumbers

from channels.contract import AddressKind
from contacts.addresses import Address, BadAddress, normalise
from notify.settings import CitySettings
from notify.web.public.forms import Form
from notify.web.public.topics import Topic

TRAP = "homepage"  # a field that people do not see; who fills it in is a program
_EXAMPLE_MAIL = "name@example.org"


@dataclass(frozen=True, slots=True)
class Ways:
    """How residents can be reached: the channels that take what can be typed into one field."""

    channels: Mapping[AddressKind, str]  # name of the channel by how its addresses are written
    country: str

    def kind_of(self, raw: str) -> AddressKind | None:
        """What somebody typed looks like, among what can be reached."""
        kind = AddressKind.EMAIL if "@" in raw or len(self.channels) == 1 else AddressKind.PHONE
        kind = next(iter(self.channels)) if len(self.channels) == 1 else kind
        return kind if kind in self.channels else None

    @property
    def label(self) -> str:
        """The key of the field's name in the phrases."""
        only = next(iter(self.channels)) if len(self.channels) == 1 else None
        return f"join_reach_{only.value}" if only else "join_reach"

    @property
    def examples(self) -> list[str]:
        """What can be typed, in the country's own way."""
        number = phonenumbers.example_number_for_type(self.country, phonenumbers.PhoneNumberType.MOBILE)
        national = phonenumbers.PhoneNumberFormat.NATIONAL
        examples = {
            AddressKind.EMAIL: _EXAMPLE_MAIL,
            AddressKind.PHONE: phonenumbers.format_number(number, national) if number else "",
        }
        return [examples[kind] for kind in self.channels if examples[kind]]

    @property
    def field_type(self) -> str:
        """The type of the field, by which a phone chooses its keyboard."""
        types = {AddressKind.EMAIL: "email", AddressKind.PHONE: "tel"}
        return types[next(iter(self.channels))] if len(self.channels) == 1 else "text"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form brought; the parts that are wrong, with the key of what to say about them."""

    raw: str = field(default="", repr=False)
    address: Address | None = field(default=None, repr=False)
    kind: AddressKind | None = None
    language: str = ""
    area: str = field(default="", repr=False)
    topics: tuple[int, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)  # by field


def read(
    form: Form, ways: Ways, city: CitySettings, topics: Sequence[Topic], language: str, seal: str
) -> Filled:
    """What a form says.

    Args:
        form: as it came.
        ways: how residents can be reached.
        city: whose languages and areas there are.
        topics: those that may be chosen.
        language: the page's, for a form that names none.
        seal: of the words of consent, see `seal_of`.
    """
    raw, wished, area = form.one("address"), form.one("language") or language, form.one("area")
    kind, address, problem = _address(raw, ways)
    chosen = tuple(topic.id for topic in topics if str(topic.id) in form.many("topic"))
    problems = {
        "address": problem,
        "topic": "" if chosen else "join_wrong_topics",
        "language": "" if wished in city.languages else "join_wrong_choice",
        "area": "" if area in ("", *city.areas) else "join_wrong_choice",
        "consent": "" if form.one("words") == seal else "join_wrong_words",
    }
    wrong = {name: key for name, key in problems.items() if key}
    return Filled(raw, address, kind, wished, area, chosen, wrong)


def seal_of(words: str) -> str:
    """What the page sends back to prove which words stood on it: a form from elsewhere has not shown them."""
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _address(raw: str, ways: Ways) -> tuple[AddressKind | None, Address | None, str]:
    if not raw:
        return None, None, "join_wrong_empty"
    kind = ways.kind_of(raw)
    if kind is None:
        return None, None, "join_wrong_reach"
    try:
        return kind, normalise(kind, raw, country=ways.country), ""
    except BadAddress:
        return kind, None, "join_wrong_reach"
