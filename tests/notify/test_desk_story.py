"""A statement of 12 sentences in 8 languages, from the draft to the forecast, on the command line.

Spanish is drafted by the real Argos package, Portuguese has a sentence from a memory file, the rest is written by
people, and the readers of a ninth language get the source with a notice.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from world import readers

from notify.cli import acting, main

PACKAGES = Path(__file__).parents[1] / "translation" / "packages"
LANGUAGES = ["es", "pt", "fr", "ar", "zh-Hans", "ht", "sw", "vi"]
TEMPLATE = """---
title: {0}
short: {1} {2}
kind: crisis
language: en
actions:
  - label: {0}
    value: 555-0100
---
{0}. {1}

- {2}
- {4}

{3} {4} {0}.

{3}
"""
TITLE, VIGIL, HELP, THANKS, HURT = range(5)
WORDS = {
    "en": ["You are not alone", "A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall.",
           "If you need help, call 555-0100.", "Thank you for your patience.", "Nobody was hurt."],
    "pt": ["Vocês não estão sozinhos", "Haverá uma vigília à luz de velas na sexta-feira às 19:00 em City Hall.",
           "Se precisar de ajuda, ligue para 555-0100.", "Obrigado pela paciência.", "Ninguém se feriu."],
    "fr": ["Vous n'êtes pas seuls", "Une veillée aux bougies aura lieu vendredi à 19:00 à City Hall.",
           "Si vous avez besoin d'aide, appelez le 555-0100.", "Merci de votre patience.",
           "Personne n'a été blessé."],
    "ar": ["لستم وحدكم", "ستقام وقفة بالشموع يوم الجمعة الساعة 7:00 مساءً في City Hall.",
           "إذا كنتم بحاجة إلى المساعدة، اتصلوا على 555-0100.", "شكراً لصبركم.", "لم يُصب أحد بأذى."],
    "zh-Hans": ["你们并不孤单", "烛光守夜将于星期五晚上7:00在City Hall举行。", "如果您需要帮助，请致电555-0100。",
                "感谢您的耐心。", "没有人受伤。"],
    "ht": ["Nou pa poukont nou", "Ap gen yon veye ak chandèl vandredi a 7:00 p.m. nan City Hall.",
           "Si ou bezwen èd, rele 555-0100.", "Mèsi pou pasyans ou.", "Pa gen moun ki blese."],
    "sw": ["Hamko peke yenu", "Mkesha wa mishumaa utafanyika Ijumaa saa 7:00 p.m. katika City Hall.",
           "Ikiwa unahitaji msaada, piga simu 555-0100.", "Asante kwa uvumilivu wako.", "Hakuna aliyeumia."],
    "vi": ["Quý vị không đơn độc", "Buổi thắp nến sẽ diễn ra lúc 7:00 tối thứ Sáu tại City Hall.",
           "Nếu cần giúp đỡ, hãy gọi 555-0100.", "Cảm ơn quý vị đã kiên nhẫn.", "Không ai bị thương."],
}  # fmt: skip
SPANISH_BY_HAND = {
    "Thank you for your patience.": "Gracias por su paciencia.",
    "Nobody was hurt.": "Nadie resultó herido.",
}
NOW_INJURED = {
    "es": "Nadie resultó lesionado.", "fr": "Personne n'a été atteint.", "ar": "لم يُجرح أحد.",
    "zh-Hans": "没有人负伤。", "ht": "Pèsonn pa blese.", "sw": "Hakuna aliyejeruhiwa.", "vi": "Không có ai bị thương.",
}  # fmt: skip
TMX = (
    '<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>Nobody was injured.</seg></tuv>'
    '<tuv xml:lang="pt"><seg>Ninguém ficou ferido.</seg></tuv></tu></body></tmx>'
)
GLOSSARY = "kind,source_language,target_language,source,target,note\nkeep,en,,City Hall,,the building\n"


def good(answer: tuple[int, str, str]) -> str:
    status, out, err = answer
    assert status == 0, err + out
    return out


def refused(answer: tuple[int, str, str]) -> str:
    status, out, err = answer
    assert status == 1, out
    assert "Traceback" not in err
    return err


@pytest.fixture
def notify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs one command as `notify` does; answers with status, output and errors."""
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        monkeypatch.delenv(name)
    (tmp_path / "notify.toml").write_text(
        f"""
public_url = "https://notify.rivermouth.example"
[city]
name = "Rivermouth"
timezone = "America/Los_Angeles"
languages = {json.dumps(["en", *LANGUAGES])}
[translation]
two_people = true
missing = {{ so = "notice" }}
[sms]
account_sid = "AC{"0" * 32}"
auth_token = "{"0" * 32}"
from = "+15005550006"
""",
        "utf-8",
    )
    given = {
        "NOTIFY_DATABASE_URL": f"sqlite:///{tmp_path / 'city.db'}",
        "NOTIFY_STATE_DIR": str(tmp_path / "state"),
        "COLUMNS": "120",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        acting.hub.cache_clear()
        capfd.readouterr()
        status: Any = 0
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["notify", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = capfd.readouterr()
        return int(status or 0), out, err

    yield run
    structlog.reset_defaults()


def test_twelve_sentences_in_eight_languages_from_draft_to_forecast(
    notify: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    people = [
        row
        for at, tag in enumerate(["en", *LANGUAGES, "so"])
        for row in readers(2 if tag == "so" else 1, tag, at * 10)
    ]
    (tmp_path / "people.csv").write_text(
        "name,phone,language,consent\n"
        + "".join(f"{row['name']},{row['phone']},{row['language']},all\n" for row in people),
        "utf-8",
    )
    (tmp_path / "memory.tmx").write_text(TMX, "utf-8")
    (tmp_path / "terms.csv").write_text(GLOSSARY, "utf-8")
    for tag, words in WORDS.items():
        (tmp_path / f"{tag}.md").write_text(TEMPLATE.format(*words), "utf-8")
    good(notify("staff", "add", "ana@city.example", "--role", "author"))
    good(notify("staff", "add", "ben@city.example", "--role", "approver"))
    reading = [word for tag in LANGUAGES for word in ("--reads", tag)]
    for name in ("tara", "luz"):
        good(notify("staff", "add", f"{name}@city.example", "--role", "translator", *reading))
    good(notify("staff", "add", "omar@city.example", "--role", "translator", "--reads", "ar"))
    good(notify("contacts", "import", "people.csv", "--list", "residents"))
    good(notify("languages", "install", str(PACKAGES / "translate-en_es-0_1.argosmodel")))
    tara, luz, omar = (("--as", f"{name}@city.example") for name in ("tara", "luz", "omar"))
    assert json.loads(good(notify("memory", "import", "memory.tmx", *tara, "--json")))["added"] == 1
    assert json.loads(good(notify("glossary", "import", "terms.csv", *tara, "--json")))["added"] == 1

    good(notify("statement", "draft", "en.md"))
    work = json.loads(good(notify("translation", "machine", "1", "es", *tara, "--json")))["es"]
    assert (work["sentences"], work["drafted"]) == (12, 12)
    shown = json.loads(good(notify("translation", "show", "1", "es", "--json")))["sentences"]
    for row in shown:
        if row["source"] in SPANISH_BY_HAND:
            good(
                notify(
                    "translation",
                    "edit",
                    "1",
                    "es",
                    str(row["number"]),
                    SPANISH_BY_HAND[row["source"]],
                    *tara,
                )
            )
    for tag in LANGUAGES[1:]:
        good(notify("translation", "set", "1", tag, f"{tag}.md", *tara))

    # A finding blocks until somebody answers for it by name; nobody approves alone, nor what they do not read.
    good(notify("translation", "edit", "1", "fr", "3", "Si vous avez besoin d'aide, appelez.", *tara))
    assert "555-0100" in refused(notify("translation", "approve", "1", "fr", *luz))
    good(notify("translation", "sign-off", "1", "fr", "3", "--reason", "The number is on the button.", *luz))
    assert "reads ar, not fr" in refused(notify("translation", "approve", "1", "fr", *omar))
    assert "Somebody else has to approve" in refused(notify("translation", "approve", "1", "fr", *tara))
    for tag in LANGUAGES:
        answer = _approve(notify, tag, luz)
        assert f"{tag} may leave" in good(answer)

    # One word of the source changes: one sentence in each language, and the command says so.
    en = (
        (tmp_path / "en.md")
        .read_text("utf-8")
        .replace("patience. Nobody was hurt.", "patience. Nobody was injured.")
    )
    (tmp_path / "en.md").write_text(en, "utf-8")
    good(notify("statement", "edit", "1", "en.md"))
    assert "source has changed" in good(notify("translation", "list", "1"))
    told = good(notify("translation", "machine", "1", *tara))
    assert told.count("11 as before, 1 ") == 8, told
    listed = json.loads(good(notify("translation", "list", "1", "--json")))
    assert [(each["language"], each["sentences_approved"]) for each in listed] == [
        (tag, 11) for tag in sorted(LANGUAGES)
    ]

    # The desk opens at that sentence.
    for tag, words in NOW_INJURED.items():
        out = good(notify("translation", "desk", "1", tag, *tara, stdin=f"e {words}\nq\n"))
        assert "11 of 12 approved" in out
        assert "Nobody was injured." in out
    for tag in LANGUAGES:
        out = good(notify("translation", "desk", "1", tag, *luz, stdin="a\nq\n"))
        assert "12 of 12 approved" in out, out
    assert [each["approved"] for each in json.loads(good(notify("translation", "list", "1", "--json")))] == [
        True
    ] * 8

    told = good(notify("statement", "submit", "1"))
    assert "the source, with a notice in their language" in told
    assert "the zh-Hans text" in told
    good(notify("statement", "approve", "1", "--as", "ben@city.example"))
    dry = json.loads(
        good(notify("dispatch", "plan", "1", "--to", "residents", "--channels", "sms", "--dry-run", "--json"))
    )
    by_language = {line["language"]: line["people"] for line in dry["lines"]}
    assert by_language == {**dict.fromkeys(["en", *LANGUAGES], 1), "en-x-so": 2}
    good(notify("audit", "verify"))


def _approve(
    notify: Callable[..., tuple[int, str, str]], tag: str, who: tuple[str, str]
) -> tuple[int, str, str]:
    """As a reviewer does: what the checks found and is right as it is, they sign off."""
    for row in json.loads(good(notify("translation", "show", "1", tag, "--json")))["sentences"]:
        signed = {(each["kind"], each["fact"]) for each in row["signed"]}
        for at, finding in enumerate(row["findings"], start=1):
            if finding["severity"] == "blocking" and (finding["kind"], finding["fact"]) not in signed:
                good(
                    notify(
                        "translation", "sign-off", "1", tag, str(row["number"]), "--finding", str(at),
                        "--reason", "It is said so here.", *who,
                    )
                )  # fmt: skip
    return notify("translation", "approve", "1", tag, *who)
