"""Write the demo's two lists of fictional residents: `python templates/demo/make_residents.py`.

Nobody here exists, and nothing sent to them reaches anybody: telephone numbers are those kept for fiction
(555-0100 to 555-0199, here with area codes of Washington, which the numbering plan accepts), mailboxes are
under example.com, .net and .org (RFC 2606), chat ids are small whole numbers, and the ZIP codes of the city of
Rivermouth are assigned to no place. The lists hold what real lists hold: households that read several
languages, people who are on them twice, numbers written in many ways, opt-outs, and rows that are wrong.

The same seed writes the same files: only `Random.random` is used, whose sequence Python keeps.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, count, cycle
from pathlib import Path
from random import Random
from typing import TypeVar

SEED = 20261122
COLUMNS = (
    "name", "phone", "email", "telegram", "address1", "address2", "city", "state", "postcode", "country",
    "language", "area", "groups", "consent", "consent_date", "consent_source", "consent_wording",
    "consent_language",
)  # fmt: skip
Row = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class People:
    """How many residents read a language, what the list calls it, and names for them.

    Names are written as their bearers write them; after `=` stands what their mailbox is called where the
    name is in another script.
    """

    residents: int
    written: tuple[str, ...]
    given: str
    family: str
    family_first: bool = False


READERS: dict[str, People] = {
    "en": People(
        38,
        ("en", "en", "English"),
        "Grace Marcus Denise Tyler Ruth Andre Heather Jerome Dorothy Caleb Naomi Walter Simone Patrick",
        "Okafor Whitfield Larsen Brooks Tallchief Nakamura Delaney Freeman Abbott Price Sandoval Keller",
    ),
    "es": People(
        27,
        ("es", "es", "Spanish", "Español"),
        "María José Lucía Andrés Ximena Raúl Guadalupe Tomás Inés Óscar Pilar Joaquín",
        "Hernández Ibarra Quispe Castañeda Morales Zúñiga Peralta Rentería Velasco Núñez",
    ),
    "ar": People(
        14,
        ("ar", "ar", "Arabic", "العربية"),
        "فاطمة=fatima يوسف=yousef ليلى=layla عمر=omar نور=nour سامر=samer هدى=huda كريم=karim رنا=rana",
        "الحداد=haddad منصور=mansour العلي=alali درويش=darwish الخطيب=khatib حمدان=hamdan",
    ),
    "zh-Hans": People(
        14,
        ("zh-Hans", "zh", "Chinese (Simplified)", "中文"),
        "秀英=xiuying 建国=jianguo 丽华=lihua 志强=zhiqiang 晓梅=xiaomei 文博=wenbo 玉兰=yulan 浩然=haoran",
        "王=wang 李=li 陈=chen 周=zhou 吴=wu 黄=huang 赵=zhao",
        family_first=True,
    ),
    "ht": People(
        11,
        ("ht", "ht", "Haitian Creole", "Kreyòl"),
        "Marie-Ange Jean-Robert Roseline Wilfrid Fabiola Emmanuel Nadège Kervens Mirlande Stanley",
        "Desrosiers Toussaint Jean-Baptiste Altidor Beauvoir Cadet Estimé Laguerre",
    ),
    "sw": People(
        10,
        ("sw", "sw", "Swahili", "Kiswahili"),
        "Amani Neema Baraka Zawadi Juma Rehema Furaha Hamisi Imani Salma",
        "Mwangi Bahati Kalume Nyota Mushi Otieno Lumumba Kabila",
    ),
    "fr": People(
        9,
        ("fr", "fr", "French", "Français"),
        "Aïssatou Thierry Chantal Mamadou Hélène Ibrahim Solange Koffi",
        "Diallo Mbemba Lefèvre Traoré N'Guessan Fournier Kaboré",
    ),
    "pt": People(
        9,
        ("pt", "pt", "Portuguese", "Português"),
        "João Conceição Thiago Luana Sebastião Beatriz Nélson Iara",
        "Gonçalves Araújo Tavares Brandão Fontes Assunção Rocha",
    ),
    "vi": People(
        6,
        ("vi", "Vietnamese", "Tiếng Việt"),
        "Thị=thi Minh Hương=huong Đức=duc Lan Quốc=quoc",
        "Nguyễn=nguyen Trần=tran Phạm=pham Đặng=dang",
        family_first=True,
    ),
    "so": People(
        5,
        ("so", "Somali", "Soomaali"),
        "Hodan Abdirahman Ifrah Guled Sahra",
        "Warsame Farah Jama Abdi",
    ),
    "ru": People(
        4,
        ("ru", "Russian", "Русский"),
        "Ольга=olga Сергей=sergei Нина=nina Тимур=timur",
        "Коваль=koval Ким=kim Мельник=melnyk",
    ),
    "ko": People(
        4,
        ("ko", "Korean", "한국어"),
        "민지=minji 영호=youngho 수진=sujin 현우=hyunwoo",
        "김=kim 박=park 최=choi",
        family_first=True,
    ),
    "uk": People(
        3, ("uk", "Ukrainian"), "Оксана=oksana Богдан=bohdan Леся=lesia", "Шевчук=shevchuk Гнатюк=hnatiuk"
    ),
    "fil": People(3, ("fil", "Tagalog", "tl"), "Maricel Jun-Jun Corazon", "Dimaculangan Bautista Pangilinan"),
}

WORDING = {
    "en": "I agree that the City of Rivermouth may send me messages. I can stop at any time.",
    "es": "Acepto que la Ciudad de Rivermouth me envíe mensajes. Puedo dejar de recibirlos cuando quiera.",
    "pt": "Aceito que a cidade de Rivermouth me envie mensagens. Posso parar quando quiser.",
    "fr": "J'accepte que la ville de Rivermouth m'envoie des messages. Je peux arrêter à tout moment.",
    "ar": "أوافق على أن ترسل لي مدينة Rivermouth رسائل. يمكنني إيقافها في أي وقت.",
    "zh-Hans": "我同意 Rivermouth 市政府向我发送信息。我可以随时停止接收。",
    "ht": "Mwen dakò pou vil Rivermouth voye mesaj ban mwen. Mwen ka sispann nenpòt lè.",
    "sw": "Nakubali jiji la Rivermouth linitumie ujumbe. Naweza kuacha wakati wowote.",
    "vi": "Tôi đồng ý để thành phố Rivermouth gửi tin cho tôi. Tôi có thể ngừng bất cứ lúc nào.",
    "so": "Waan oggolahay in magaalada Rivermouth ay ii soo dirto fariimo. Waan joojin karaa wakhti kasta.",
    "ru": "Даю согласие на сообщения от города Rivermouth. Могу отказаться в любое время.",
    "ko": "Rivermouth 시의 메시지를 받는 데 동의합니다. 언제든지 그만 받을 수 있습니다.",
    "uk": "Даю згоду на повідомлення від міста Rivermouth. Можу відмовитися будь-коли.",
    "fil": "Pumapayag akong padalhan ng mga mensahe ng lungsod ng Rivermouth. Maaari akong huminto anumang oras.",
}

AREAS = {  # neighbourhood: its ZIP code and streets
    "Harbor": ("98578", ("Alder St", "Cannery Way", "Ferry Landing")),
    "Eastbank": ("98578", ("Tideflat Ave", "Mill Pond Rd", "Lantern St")),
    "Northgate": ("98594", ("Orchard Hill Dr", "Osprey Ln", "Quarry Rd")),
    "Old Mill": ("98594", ("Salmonberry Ct", "Weaver St", "Dockside Blvd")),
}
GROUPS = ("", "", "elders", "families", "newcomers", "business owners", "students", "faith communities")
SOURCES = ("web form", "paper card, Harbor Library", "phone call to the city", "liaison, Eastbank Center")
AREA_CODES = ("206", "253", "360", "425", "509", "564")
MAIL_DOMAINS = ("example.com", "example.net", "example.org")
# Which channels residents chose, by how often.
CHOICES = (
    "sms", "sms", "sms", "sms,email", "sms,email", "email", "email", "telegram", "sms,telegram", "letter",
    "sms,letter", "email,letter", "all",
)  # fmt: skip
FIRST_DAY, DAYS = date(2025, 1, 6), 640  # of consent


@dataclass
class Registry:
    """What was given to whom, so that nobody gets what is somebody else's."""

    rng: Random
    numbers: Iterator[int] = field(default_factory=count)
    chats: Iterator[int] = field(default_factory=lambda: count(700_001))
    houses: Iterator[int] = field(default_factory=lambda: count(3))
    mailboxes: set[str] = field(default_factory=set)

    def pick(self, options: Sequence[T]) -> T:
        """One of several, by chance."""
        return options[int(self.rng.random() * len(options))]

    def phone(self) -> str:
        """The next number kept for fiction, in digits: 2065550100."""
        number = next(self.numbers)
        return f"{AREA_CODES[number % len(AREA_CODES)]}555{100 + number // len(AREA_CODES):04}"

    def mailbox(self, name: str) -> str:
        """A mailbox nobody has yet."""
        options = (f"{name}{number}@{self.pick(MAIL_DOMAINS)}" for number in chain([""], count(2)))
        mailbox = next(option for option in options if option not in self.mailboxes)
        self.mailboxes.add(mailbox)
        return mailbox

    def home(self) -> Row:
        """An address in one of the neighbourhoods."""
        area = self.pick(tuple(AREAS))
        postcode, streets = AREAS[area]
        unit = f"Apt {1 + int(self.rng.random() * 24)}" if self.rng.random() < 0.4 else ""
        return {
            "address1": f"{next(self.houses)} {self.pick(streets)}",
            "address2": unit,
            "city": "Rivermouth",
            "state": "WA",
            "postcode": postcode,
            "country": "US",
            "area": area,
        }

    def proof(self, language: str) -> Row:
        """When, where and in which words somebody agreed."""
        day = FIRST_DAY + timedelta(days=int(self.rng.random() * DAYS))
        return {
            "consent_date": day.isoformat(),
            "consent_source": self.pick(SOURCES),
            "consent_wording": WORDING[language],
            "consent_language": language,
        }


def residents() -> list[Row]:
    """The rows of residents.csv."""
    city = Registry(Random(SEED))  # noqa: S311 - fiction, not secrets
    rows = _people(city)
    return _shuffled([*rows, *_twice(rows), *_wrong(city)], city.rng)


def volunteers() -> list[Row]:
    """The rows of residents-extra.csv: another list, on which some residents are again, one who left too."""
    rows = _people(Registry(Random(SEED)))  # noqa: S311
    known = [row for row in rows if row.get("phone", "").isdigit() and row["consent"] != "stop"]
    left = next(row for row in rows if row["consent"] == "stop")
    city = Registry(Random(SEED + 1))  # noqa: S311
    city.numbers, city.chats, city.houses = count(480), count(700_501), count(801)
    again = [row | {"phone": _e164(row["phone"])} for row in known[::5][:14]]
    new = list(_individuals(city))[::10][:15]
    return _shuffled([_as_volunteer(row) for row in (*again, left, *new)], city.rng)


def _people(city: Registry) -> list[Row]:
    rows = [*_individuals(city), *_households(city)]
    _say_no(rows)
    return rows


def _as_volunteer(row: Row) -> Row:
    return row | {
        "groups": "volunteers",
        "consent": "all",
        "consent_source": "volunteer evening, Harbor Hall",
    }


def _individuals(city: Registry) -> Iterator[Row]:
    for language, people in READERS.items():
        for _ in range(people.residents):
            yield _resident(city, language)


def _resident(city: Registry, language: str) -> Row:
    """Somebody who chose channels, and whose row has what these need and sometimes more."""
    people = READERS[language]
    name, mailbox = _name(city, people)
    choice = city.pick(CHOICES)
    chosen = {"sms", "email", "telegram", "letter"} if choice == "all" else set(choice.split(","))
    row = {
        "name": name,
        "language": city.pick(people.written),
        "groups": city.pick(GROUPS),
        "consent": choice,
    }
    row |= city.proof(language)
    home = city.home()
    row |= home if "letter" in chosen or city.rng.random() < 0.3 else {"area": home["area"]}
    if "sms" in chosen or city.rng.random() < 0.2:
        row["phone"] = _written(city.phone(), city)
    if "email" in chosen or city.rng.random() < 0.2:
        row["email"] = city.mailbox(mailbox)
    if "telegram" in chosen:
        row["telegram"] = str(next(city.chats))
    return row


def _name(city: Registry, people: People) -> tuple[str, str]:
    """A name as its bearer writes it, and the part of a mailbox before the @."""
    given, given_mail = _split(city.pick(people.given.split()))
    family, family_mail = _split(city.pick(people.family.split()))
    mailbox = f"{given_mail}.{family_mail}"
    if not people.family_first:
        return f"{given} {family}", mailbox
    between = "" if any(letter >= "\u3000" for letter in family) else " "
    return f"{family}{between}{given}", mailbox


_PLAIN = str.maketrans("áàâãäçéèêëíïñóôõöúüūò", "aaaaaceeeeiinoooouuuo", "'-")


def _split(name: str) -> tuple[str, str]:
    shown, _, mail = name.partition("=")
    return shown, mail or shown.lower().translate(_PLAIN)


def _written(digits: str, city: Registry) -> str:
    """A phone number in one of the ways that people write it; bare digits most of the time."""
    area, middle, last = digits[:3], digits[3:6], digits[6:]
    forms = (
        f"({area}) {middle}-{last}",
        f"{area}-{middle}-{last}",
        f"+1 {area} {middle} {last}",
        _e164(digits),
    )
    return city.pick(forms) if city.rng.random() < 0.5 else digits


def _e164(digits: str) -> str:
    return f"+1{digits}"


# Who lives together, by language; the spellings of one address take turns.
HOUSEHOLDS = (
    ("es", "en"), ("ar", "fr"), ("zh-Hans", "en"), ("ht", "fr", "en"), ("sw", "fr"), ("pt", "es"), ("ar", "en"),
    ("zh-Hans", "vi"), ("es", "es", "en"), ("so", "sw", "en"), ("ru", "uk"), ("ht", "en"),
)  # fmt: skip


def _households(city: Registry) -> Iterator[Row]:
    """Homes where several people read different languages and share one letter."""
    ways: list[Callable[[str], str]] = [str, str.upper, _in_full]
    spellings = cycle(ways)
    for languages in HOUSEHOLDS:
        home = city.home()
        for language in languages:
            row = _resident(city, language)
            spelling = next(spellings)
            street = {"address1": spelling(home["address1"]), "address2": spelling(home["address2"])}
            chosen = {"letter", *row["consent"].split(",")}
            consent = "all" if "all" in chosen else ",".join(sorted(chosen, reverse=True))
            yield row | home | street | {"consent": consent}


def _in_full(street: str) -> str:
    return street.replace(" St", " Street").replace(" Ave", " Avenue")


def _say_no(rows: list[Row]) -> None:
    """Some never agreed, and some have left since; rows in the middle of each language, so that all sorts do."""
    for row in rows[5::19]:
        row |= {"consent": "no", "consent_date": "", "consent_wording": "", "consent_language": ""}
    for row in rows[9::23]:
        row |= {"consent": "stop", "consent_wording": "STOP", "consent_source": "text message"}
    for row in rows[12::31]:  # an old list, which did not keep the words
        row |= {"consent_wording": "", "consent_language": "", "consent_source": "list of 2025"}


def _twice(rows: list[Row]) -> list[Row]:
    """People who are on the list a second time, written otherwise."""
    agreed = [row for row in rows if row["consent"] not in {"no", "stop"}]
    phones = [row for row in agreed if row.get("phone", "").isdigit()]
    mails = [row for row in agreed if row.get("email")]
    same_phone = [row | {"phone": f"1.{row['phone'][:3]}.555.{row['phone'][6:]}"} for row in phones[::12][:5]]
    same_mail = [
        row | {"email": row["email"].upper(), "name": row["name"].upper()} for row in mails[::14][:5]
    ]
    exactly = [dict(row) for row in agreed[::60][:2]]
    return [*same_phone, *same_mail, *exactly]


def _wrong(city: Registry) -> list[Row]:
    """Rows that a careful import refuses, whole or in part."""
    home = {"city": "Rivermouth", "state": "WA", "postcode": "98594", "country": "US"}
    agreed = {"language": "en", "area": "Old Mill"} | city.proof("en")
    return [
        agreed | wrong
        for wrong in (
            {"name": "Bad Phone", "phone": "555-01", "consent": "sms"},
            {"name": "Words for a Phone", "phone": "ask my daughter", "consent": "sms"},
            {"name": "Extension", "phone": "(206) 555-0198 ext. 12", "consent": "sms"},
            {"name": "No At Sign", "email": "no.at.sign.example.org", "consent": "email"},
            {"name": "Two Mailboxes", "email": "one@example.org, two@example.org", "consent": "email"},
            {"name": "User Name for a Chat", "telegram": "@rivermouth_fan", "consent": "telegram"},
            {"name": "Unknown Language", "phone": city.phone(), "language": "the usual", "consent": "sms"},
            {"name": "Two Languages", "phone": city.phone(), "language": "Spanish/English", "consent": "sms"},
            {"name": "Nothing to Write to", "consent": "all"},
            {"name": "No Postcode", "address1": "4 Weaver St", "city": "Rivermouth", "consent": "letter"},
            {"name": "Unknown State", "address1": "5 Weaver St", "consent": "letter"}
            | home
            | {"state": "Cascadia"},
            {"name": "No Fixed Address", "address1": "No fixed address", "consent": "letter"} | home,
            {"name": "Unknown Consent", "phone": city.phone(), "consent": "maybe later"},
            {
                "name": "Consent to Come",
                "phone": city.phone(),
                "consent": "sms",
                "consent_date": "2099-01-01",
            },
        )
    ]


def _shuffled(rows: list[Row], rng: Random) -> list[Row]:
    return [row for _, _, row in sorted((rng.random(), place, row) for place, row in enumerate(rows))]


def as_csv(rows: list[Row]) -> str:
    """The rows as a CSV file with its header, lines ending in a line feed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FILES = {"residents.csv": residents, "residents-extra.csv": volunteers}


def main() -> None:
    """Write both files beside this one."""
    for name, rows in FILES.items():
        Path(__file__).with_name(name).write_text(as_csv(rows()), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
