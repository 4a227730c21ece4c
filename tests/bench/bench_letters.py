"""How fast letters are set: this channel beside WeasyPrint, the same page in one run, and how much memory it takes.

    uv run python tests/bench/bench_letters.py
    uv run python tests/bench/bench_letters.py --full --check

The page is the channel's own one-page A4 letter: letterhead, address window, title, greeting, three paragraphs,
two things to do, a QR code, the resident's own link; every name, address and link is another one. Both programs
get the same words, the same font files and one process, and set all letters into one file. WeasyPrint gets the QR
code as a picture it embeds once. The channel's time holds everything it does for a file: checking and fitting
each address, the cover sheet, the manifest, syncing to disk, and composing the bodies where the row says so.
Rates are letters per second of processor time, medians of rounds in which the ways take turns, so that what else
the machine does hits all of them; ratios are made round by round. WeasyPrint's page has neither fences for
numbers in right-to-left text nor guards.

Memory is measured in processes of their own, each of which sets so many letters in files of a batch's size.
`--full` sets 10,000 and 100,000 there, and takes about three minutes. `--check` ends with status 1 below the floor.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import segno
from markdown_it import MarkdownIt
from rich.console import Console
from rich.progress import track
from rich.table import Table

import templates
from channels.contract import Action, ApprovedText, City
from channels.letter import LetterSettings, fonts
from channels.letter.compose import Body, Draft, compose
from channels.letter.dates import long_date
from channels.letter.printfile import Task, make
from channels.letter.profiles import choose
from channels.letter.recipients import Letter

FLOOR = 40.0  # times WeasyPrint
GROWTH = 1.3  # memory of ten times as many letters, at most
WHEN = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)

# Title and three paragraphs in twelve languages: written for this bench, and not approved by anybody.
WORDS = {
    "en": (
        "After the attack on Elm Street",
        "Last night two people were hurt in an attack at the community center on Elm Street. Both are in hospital"
        " and are expected to recover. The police have arrested one person and see no further danger.",
        "**An attack on one of us is an attack on all of us.** We stand with our neighbors today and every day. If"
        " you are afraid, or angry, or do not know what to tell your children, you can talk to somebody in your"
        " language: (555) 010-0199, day and night, free of charge.",
        "On Tuesday at 18:30 we meet in front of City Hall to light candles together. Everybody is welcome.",
    ),
    "es": (
        "Después del ataque en la calle Elm",
        "Anoche dos personas resultaron heridas en un ataque en el centro comunitario de la calle Elm. Ambas están en"
        " el hospital y se espera que se recuperen. La policía detuvo a una persona y no ve más peligro.",
        "**Un ataque contra uno de nosotros es un ataque contra todos.** Estamos con nuestros vecinos hoy y todos los"
        " días. Si tiene miedo, o rabia, o no sabe qué decirles a sus hijos, puede hablar con alguien en su idioma:"
        " (555) 010-0199, de día y de noche, gratis.",
        "El martes a las 18:30 nos reunimos frente al ayuntamiento para encender velas juntos. Todos son bienvenidos.",
    ),
    "fr": (
        "Après l’attaque de la rue Elm",
        "Hier soir, deux personnes ont été blessées dans une attaque au centre communautaire de la rue Elm. Elles sont"
        " à l’hôpital et devraient se rétablir. La police a arrêté une personne et ne voit plus de danger.",
        "**S’en prendre à l’un de nous, c’est s’en prendre à nous tous.** Nous sommes aux côtés de nos voisins"
        " aujourd’hui et chaque jour. Si vous avez peur, ou ne savez que dire à vos enfants, parlez à quelqu’un dans"
        " votre langue : (555) 010-0199, jour et nuit, gratuitement.",
        "Mardi à 18:30, nous nous retrouvons devant la mairie pour allumer des bougies. Tout le monde est bienvenu.",
    ),
    "pt": (
        "Depois do ataque na rua Elm",
        "Ontem à noite, duas pessoas ficaram feridas num ataque no centro comunitário da rua Elm. Ambas estão no"
        " hospital e devem se recuperar. A polícia prendeu uma pessoa e não vê mais perigo.",
        "**Um ataque a um de nós é um ataque a todos nós.** Estamos com os nossos vizinhos hoje e todos os dias. Se"
        " você tem medo, ou raiva, ou não sabe o que dizer aos seus filhos, fale com alguém no seu idioma:"
        " (555) 010-0199, dia e noite, de graça.",
        "Na terça-feira às 18:30 nos encontramos em frente à prefeitura para acender velas. Todos são bem-vindos.",
    ),
    "ht": (
        "Apre atak nan lari Elm",
        "Yè swa de moun blese nan yon atak nan sant kominotè ki nan lari Elm. Toulède lopital e yo ta dwe refè."
        " Lapolis arete yon moun e li pa wè lòt danje.",
        "**Yon atak sou youn nan nou se yon atak sou nou tout.** Nou kanpe avèk vwazen nou yo jodi a ak chak jou. Si"
        " ou pè, oswa ou fache, oswa ou pa konnen kisa pou w di pitit ou, pale ak yon moun nan lang ou:"
        " (555) 010-0199, lajounen kou lannwit, gratis.",
        "Madi a 18:30 n ap rasanble devan meri a pou limen bouji ansanm. Tout moun byenvini.",
    ),
    "vi": (
        "Sau vụ tấn công trên đường Elm",
        "Đêm qua hai người đã bị thương trong một vụ tấn công tại trung tâm cộng đồng trên đường Elm. Cả hai đang ở"
        " bệnh viện và dự kiến sẽ bình phục. Cảnh sát đã bắt một người và không thấy còn nguy hiểm.",
        "**Tấn công một người trong chúng ta là tấn công tất cả chúng ta.** Chúng tôi đứng bên những người hàng xóm"
        " của mình hôm nay và mỗi ngày. Nếu quý vị lo sợ hoặc không biết nói gì với con em mình, hãy nói chuyện với"
        " người nói tiếng của quý vị: (555) 010-0199, ngày và đêm, miễn phí.",
        "Thứ Ba lúc 18:30 chúng ta gặp nhau trước Tòa thị chính để cùng thắp nến. Mọi người đều được chào đón.",
    ),
    "sw": (
        "Baada ya shambulio katika barabara ya Elm",
        "Jana usiku watu wawili walijeruhiwa katika shambulio kwenye kituo cha jamii katika barabara ya Elm. Wote"
        " wako hospitalini na wanatarajiwa kupona. Polisi wamemkamata mtu mmoja na hawaoni hatari zaidi.",
        "**Kumshambulia mmoja wetu ni kutushambulia sote.** Tunasimama na majirani zetu leo na kila siku. Ikiwa"
        " unaogopa, au hujui la kuwaambia watoto wako, zungumza na mtu kwa lugha yako: (555) 010-0199, mchana na"
        " usiku, bila malipo.",
        "Jumanne saa 18:30 tunakutana mbele ya ukumbi wa jiji kuwasha mishumaa pamoja. Kila mtu anakaribishwa.",
    ),
    "ar": (
        "بعد الاعتداء في شارع إلم",
        "أصيب شخصان ليلة أمس في اعتداء على المركز المجتمعي في شارع إلم. كلاهما في المستشفى ومن المتوقع أن يتعافيا."
        " اعتقلت الشرطة شخصًا واحدًا ولا ترى خطرًا آخر.",
        "**الاعتداء على واحد منا اعتداء علينا جميعًا.** نقف مع جيراننا اليوم وكل يوم. إذا كنتم خائفين أو لا تعرفون"
        " ماذا تقولون لأطفالكم، فتحدثوا مع شخص بلغتكم: (555) 010-0199، ليلًا ونهارًا، مجانًا.",
        "نلتقي يوم الثلاثاء الساعة 18:30 أمام مبنى البلدية لنضيء الشموع معًا. الجميع مدعوون.",
    ),
    "zh-Hans": (
        "关于榆树街袭击事件",
        "昨晚，榆树街社区中心发生袭击，两人受伤。两人均在医院，预计可以康复。警方已逮捕一人，认为没有进一步的危险。",
        "**对我们中任何一个人的袭击，就是对我们所有人的袭击**。今天和每一天，我们都与邻居站在一起。如果您感到害怕、愤怒，"
        "或者不知道该如何告诉孩子，可以用您的语言与人交谈：(555) 010-0199，昼夜服务，免费。",
        "星期二18:30，我们在市政厅前一起点燃蜡烛。欢迎所有人参加。",
    ),
    "am": (
        "በኤልም ጎዳና ከደረሰው ጥቃት በኋላ",
        "ትናንት ማታ በኤልም ጎዳና በሚገኘው የማህበረሰብ ማዕከል በደረሰ ጥቃት ሁለት ሰዎች ተጎድተዋል። ሁለቱም ሆስፒታል ናቸው፤ እንደሚያገግሙ"
        " ይጠበቃል። ፖሊስ አንድ ሰው ይዟል፤ ሌላ አደጋም አይታየውም።",
        "**በአንዳችን ላይ የደረሰ ጥቃት በሁላችን ላይ የደረሰ ጥቃት ነው።** ዛሬም ሁልጊዜም ከጎረቤቶቻችን ጎን ነን። ከፈሩ ወይም ለልጆችዎ ምን እንደሚነግሩ"
        " ካላወቁ በቋንቋዎ ከሰው ጋር ይነጋገሩ፦ (555) 010-0199፣ ቀንና ሌሊት፣ በነፃ።",
        "ማክሰኞ በ18:30 ሻማ አብረን ለማብራት በከተማው አዳራሽ ፊት ለፊት እንገናኛለን። ሁሉም ሰው ተጋብዟል።",
    ),
    "km": (
        "បន្ទាប់ពីការវាយប្រហារនៅផ្លូវអែម",
        "កាលពីយប់មិញ មនុស្សពីរនាក់បានរងរបួសក្នុងការវាយប្រហារនៅមជ្ឈមណ្ឌលសហគមន៍នៅផ្លូវអែម។ អ្នកទាំងពីរនៅមន្ទីរពេទ្យ"
        " ហើយរំពឹងថានឹងជាសះស្បើយ។ ប៉ូលីសបានចាប់ខ្លួនមនុស្សម្នាក់ ហើយមិនឃើញមានគ្រោះថ្នាក់ទៀតទេ។",
        "**ការវាយប្រហារលើម្នាក់ក្នុងចំណោមយើង គឺជាការវាយប្រហារលើយើងទាំងអស់គ្នា។** យើងឈរជាមួយអ្នកជិតខាងរបស់យើងថ្ងៃនេះ"
        " និងរាល់ថ្ងៃ។ ប្រសិនបើអ្នកភ័យខ្លាច សូមនិយាយជាមួយនរណាម្នាក់ជាភាសារបស់អ្នក៖ (555) 010-0199 ទាំងយប់ទាំងថ្ងៃ"
        " ដោយឥតគិតថ្លៃ។",
        "ថ្ងៃអង្គារ ម៉ោង 18:30 យើងជួបគ្នានៅមុខសាលាក្រុងដើម្បីអុជទៀនជាមួយគ្នា។ សូមស្វាគមន៍មនុស្សគ្រប់គ្នា។",
    ),
    "hi": (
        "एल्म स्ट्रीट पर हमले के बाद",
        "कल रात एल्म स्ट्रीट के सामुदायिक केंद्र पर हुए हमले में दो लोग घायल हुए। दोनों अस्पताल में हैं और उनके ठीक होने की उम्मीद"
        " है। पुलिस ने एक व्यक्ति को गिरफ़्तार किया है और आगे कोई ख़तरा नहीं देखती।",
        "**हम में से एक पर हमला हम सब पर हमला है।** हम आज और हर दिन अपने पड़ोसियों के साथ खड़े हैं। अगर आप डरे हुए हैं या नहीं"
        " जानते कि बच्चों से क्या कहें, तो अपनी भाषा में किसी से बात करें: (555) 010-0199, दिन-रात, निःशुल्क।",
        "मंगलवार को 18:30 बजे हम नगर भवन के सामने मिलकर मोमबत्तियाँ जलाएँगे। सबका स्वागत है।",
    ),
}
LANGUAGES = tuple(WORDS)

CITY = City(
    name="Riverton",
    timezone="Europe/London",
    public_url="https://notify.riverton.example",
    country="GB",
    sender="Office of the Mayor",
    phone="(555) 010-0100",
    postal_address=("City Hall", "1 Main Street", "London SW1A 2AA"),
    languages=LANGUAGES,
)
PROFILE = choose("", None, CITY.country)


def text(language: str) -> ApprovedText:
    """The statement in one language."""
    title, *paragraphs = WORDS[language]
    return ApprovedText(
        reference="S1r1",
        language=language,
        source_language="en",
        kind="crisis",
        title=title,
        short="",
        body="\n\n".join(paragraphs),
        actions=(
            Action("(555) 010-0199", "help@riverton.example"),
            Action("18:30", f"{CITY.public_url}/help"),
        ),
        url=f"{CITY.public_url}/s/elm/{language}",
    )


def letters(count: int, languages: int, first: int = 1) -> tuple[Letter, ...]:
    """Letters in turn over so many languages, each with a name, an address and a link of its own."""
    return tuple(
        Letter(
            key,
            f"{key} Station Road\nFlat {key % 97}\nLondon\nSW1A {key % 10}AA",
            f"{_name(key)} {_name(key * 7919)}",
            f"WzEyMzQ1NiwxMl0.{key:027}",
            (key % languages,),
        )
        for key in range(first, first + count)
    )


def _name(seed: int) -> str:
    """A word nobody else has."""
    digits = []
    while seed:
        seed, digit = divmod(seed, 20)
        digits.append("bacedifoguhajekilomu"[digit])
    return "".join(digits).capitalize()


# -- the ways


def with_the_channel(count: int, languages: int, *, composing: bool) -> Callable[[], int]:
    """Set letters as the channel's worker does; the bodies before, or within the time."""
    settings = LetterSettings(outbox=Path())
    made = None if composing else bodies(settings, languages)

    def run() -> int:
        with TemporaryDirectory() as folder:
            own = LetterSettings(outbox=Path(folder))
            task = Task(
                "D1", 1, 1, WHEN, CITY, own, made or bodies(own, languages), letters(count, languages)
            )
            outcomes = make(task)
            assert sum(outcome.verdict == "accepted" for outcome in outcomes) == count
            return next(Path(folder, "D1").glob("*_001.pdf")).stat().st_size

    return run


def bodies(settings: LetterSettings, languages: int) -> tuple[Body, ...]:
    """The statement composed in so many languages."""
    made = [compose(text(language), CITY, settings, PROFILE).content for language in LANGUAGES[:languages]]
    return tuple(body for body in made if isinstance(body, Body))


def with_weasyprint(count: int, languages: int) -> Callable[[], int]:
    """Set letters as one HTML document."""
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    found = FontConfiguration()
    style = CSS(string=_css(), font_config=found)
    pages = [_Page(language) for language in LANGUAGES[:languages]]

    def run() -> int:
        body = "".join(pages[letter.bodies[0]].fill(letter) for letter in letters(count, languages))
        pdf = HTML(string=f"<html><body>{body}</body></html>").write_pdf(
            stylesheets=[style], font_config=found
        )
        return len(pdf)

    return run


class _Page:
    """The channel's page in HTML: what is the same for all, ready; what is not, filled in."""

    def __init__(self, language: str) -> None:
        given = text(language)
        draft = Draft(given, CITY, PROFILE)
        lines = {key: escape(_plain(line)) for key, line in draft.lines.items()}
        actions = "".join(
            f"<tr><td>{escape(action.label)}<td><b>{escape(action.value)}</b>" for action in given.actions
        )
        qr = f'<img src="{segno.make(given.url, error="m").png_data_uri(scale=4, border=0)}">'
        family = fonts.stack(language)[0]
        self._phrases = templates.phrases(language)
        self._before = (
            f'<article lang="{language}" dir="{draft.direction}" style="font-family:\'{family}\',\'Noto Sans\'">'
            f"<header><h1>{lines['city']}</h1><p>{lines['office']}</header>"
            f"<aside>{'<br>'.join(escape(_plain(line)) for line in draft.sender)}</aside>"
            f"<time>{long_date(WHEN.date(), language)}</time>"
        )
        self._middle = f"<main><h2>{lines['title']}</h2>"
        self._after = (
            f"{MarkdownIt('commonmark').render(given.body)}"
            f"<table><caption>{lines['actions_title']}</caption>{actions}</table><p><b>{lines['signature']}</b></main>"
            f"<footer>{qr}<b>{lines['online']}</b><br>"
            f"{' · '.join(escape(_plain(line)) for line in draft.languages)}<br>"
        )
        self._end = (
            f"<hr><small>{lines['verify']} · {self._phrases['page'].format(page=1, pages=1)}</small></footer>"
        )

    def fill(self, letter: Letter) -> str:
        """The page for one resident."""
        address = "<br>".join(escape(line) for line in (letter.name, *letter.address.split("\n")))
        greeting = self._phrases["greeting"].format(name=escape(letter.name))
        choices = self._phrases["letter_choices"].format(url=f"{CITY.public_url}/p/{letter.token}")
        return (
            f"{self._before}<address>{address}</address>{self._middle}<p>{greeting}{self._after}{choices}{self._end}"
            f"<i>D1-1-{letter.key:05} 1/1</i></article>"
        )


def _plain(line: Sequence[dict[str, str]]) -> str:
    return "".join(node["v"] for node in line)


def _css() -> str:
    faces = []
    for language in LANGUAGES:
        family = fonts.stack(language)[0]
        path, index = fonts.place(family)
        face = f"@font-face{{font-family:'{family}';src:url('file://{path}{f'#{index}' if index else ''}')}}"
        if face not in faces:
            faces.append(face)
    return "".join(faces) + _LAYOUT


_LAYOUT = """
@page { size: 210mm 297mm; margin: 0 }
body { margin: 0; font: 10.5pt/1.43 'Noto Sans' }
article { position: relative; width: 210mm; height: 296.5mm; break-after: page; overflow: hidden }
header { position: absolute; left: 20mm; top: 13mm; width: 170mm; border-bottom: 1.1pt solid black }
h1 { font-size: 19pt; margin: 0 }
header p { margin: 0 0 3mm; font-size: 10pt }
aside { position: absolute; left: 132mm; top: 40mm; width: 58mm; font-size: 8.5pt }
time { position: absolute; left: 132mm; top: 81mm; width: 58mm; font-size: 8.5pt }
address { position: absolute; left: 24.6mm; top: 39.5mm; width: 95.4mm;
  font-style: normal; line-height: 1.2; direction: ltr; text-align: left }
main { position: absolute; left: 20mm; top: 95mm; width: 170mm }
h2 { font-size: 16pt; margin: 0 0 5mm }
table { width: 100%; border: .9pt solid black; border-radius: 1.2mm; padding: 4mm }
td { width: 50% }
caption { font-weight: bold; text-align: start }
footer { position: absolute; left: 20mm; bottom: 15mm; width: 170mm; border-top: .5pt solid gray; font-size: 8.5pt }
img { float: inline-end; width: 22mm; height: 22mm }
hr { clear: both; border: 0; border-top: .5pt solid gray }
i { position: absolute; left: 20mm; bottom: 5mm; font: 5.5pt 'Noto Sans'; direction: ltr }
"""


# -- measuring


def processor_seconds(run: Callable[[], int]) -> tuple[float, int]:
    """Seconds of processor time, of all threads, and the bytes that came out."""
    start = time.process_time()
    size = run()
    return time.process_time() - start, size


def race(
    plan: Sequence[tuple[str, int, Callable[[], int]]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """For each way, letters per processor-second and bytes per letter, round by round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in plan}
    for _ in track(range(rounds), description="Setting letters", transient=True):
        for name, count, run in plan:
            seconds, size = processor_seconds(run)
            found[name].append((count / seconds, size / count))
    return found


def memory(count: int, batch: int) -> tuple[float, float]:
    """Peak memory (MB) and processor time (s) of a process that sets so many letters in files of `batch`."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(count), "--batch", str(batch)],
        check=True,
        capture_output=True,
        text=True,
    )
    peak, seconds = done.stdout.split()
    return float(peak), float(seconds)


def child(count: int, batch: int) -> None:
    """Set letters in files of `batch` and print this process's peak memory (MB) and processor time (s)."""
    with TemporaryDirectory() as folder:
        settings = LetterSettings(outbox=Path(folder))
        made = bodies(settings, len(LANGUAGES))
        total = -(-count // batch)
        for number in range(1, total + 1):
            chunk = letters(
                min(batch, count - (number - 1) * batch), len(LANGUAGES), (number - 1) * batch + 1
            )
            make(Task("D1", number, total, WHEN, CITY, settings, made, chunk))
    sys.stdout.write(f"{_peak()} {time.process_time()}\n")


def _peak() -> float:
    """The most memory this process ever held, in MB. On Linux `ru_maxrss` starts with the parent's."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024**2 if sys.platform == "darwin" else 1024
        )
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def compare(arguments: argparse.Namespace, console: Console) -> float:
    """The table of rates; returns the median ratio for twelve languages mixed."""
    many, few, spoken = arguments.letters, arguments.weasyprint_letters, len(LANGUAGES)
    base, ours = f"WeasyPrint, {spoken} languages", f"channel, {spoken} languages"
    plan = [
        (base, few, with_weasyprint(few, spoken)),
        (ours, many, with_the_channel(many, spoken, composing=False)),
        ("the same, composing too", many, with_the_channel(many, spoken, composing=True)),
        ("WeasyPrint, English", few, with_weasyprint(few, 1)),
        ("channel, English", many, with_the_channel(many, 1, composing=False)),
    ]
    for _, _, run in plan[:2]:
        run()  # fonts and imports are warm for both
    found = race(plan, arguments.rounds)
    table = Table(title=f"Letters per processor-second, {arguments.rounds} rounds")
    for column in ("", "letters", "a second", "bytes each", "ratio"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    ratio = 0.0
    for name, count, _ in plan:
        against = found["WeasyPrint, English" if "English" in name else base]
        times = statistics.median(
            mine[0] / theirs[0] for mine, theirs in zip(found[name], against, strict=True)
        )
        rate, size = (statistics.median(values) for values in zip(*found[name], strict=True))
        table.add_row(name, f"{count:,}", f"{rate:,.0f}", f"{size:,.0f}", f"{times:.1f}")
        ratio = times if name == ours else ratio
    console.print(table)
    return ratio


def weigh(arguments: argparse.Namespace, console: Console) -> float:
    """The table of memory; returns how much more the larger run took."""
    counts, batch = ((10_000, 100_000), 5_000) if arguments.full else ((2_000, 10_000), 1_000)
    table = Table(title=f"Memory of one worker, {len(LANGUAGES)} languages, files of {batch:,}")
    for column in ("letters", "peak MB", "a processor-second", "ratio"):
        table.add_column(column, justify="right")
    peaks: list[float] = []
    for count in track(counts, description="Weighing", transient=True):
        peak, seconds = memory(count, batch)
        peaks.append(peak)
        table.add_row(f"{count:,}", f"{peak:,.0f}", f"{count / seconds:,.0f}", f"{peak / peaks[0]:.2f}")
    console.print(table)
    return peaks[-1] / peaks[0]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--letters", type=int, default=3000, help="in the channel's file")
    parser.add_argument("--weasyprint-letters", type=int, default=120, help="in WeasyPrint's file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="weigh 10,000 and 100,000 letters")
    parser.add_argument("--check", action="store_true", help="fail below the floor")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=5000, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.batch)
        return 0
    console = Console()
    ratio, growth = compare(arguments, console), weigh(arguments, console)
    console.print(
        f"Floor: {FLOOR:.0f} times WeasyPrint, memory at most {GROWTH} times: {ratio:.1f} and {growth:.2f}."
    )
    return int(arguments.check and (ratio < FLOOR or growth > GROWTH))


if __name__ == "__main__":
    sys.exit(main())
