"""How well and how fast the engines translate English into Spanish, and what translating back tells.

    uv run python tests/bench/translation/quality.py [--rounds 3] [--libretranslate URL] [--apertium URL]

The Argos row is the small real package of tests/translation/packages, which knows city statements and little
else: "known" are sentences of that kind that it was not trained on word by word, "unseen" are others. Rows of
LibreTranslate and Apertium appear where they can be reached. chrF is the character n-gram F-score of Popović
(2015): n from 1 to 6, recall twice as heavy, blanks left out; 100 is the reference's own words.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from notify.translation.apertium import ApertiumEngine
from notify.translation.argos import ArgosEngine
from notify.translation.engine import Engine, EngineError
from notify.translation.libretranslate import LibreTranslateEngine

PACKAGES = Path(__file__).parents[2] / "translation" / "packages"
ORDERS, BETA = 6, 2


def chrf(text: str, reference: str) -> float:
    """The chrF of a translation, 0 to 100."""
    scores = [_order(_grams(text, n), _grams(reference, n)) for n in range(1, ORDERS + 1)]
    told = [score for score in scores if score is not None]
    if not told:
        return 100.0 if text == reference else 0.0
    precision, recall = (mean(values) for values in zip(*told, strict=True))
    weight = BETA**2
    both = weight * precision + recall
    return 100 * (1 + weight) * precision * recall / both if both else 0.0


def _grams(text: str, n: int) -> Counter[str]:
    plain = "".join(text.split())
    return Counter(plain[at : at + n] for at in range(len(plain) - n + 1))


def _order(ours: Counter[str], theirs: Counter[str]) -> tuple[float, float] | None:
    if not ours or not theirs:
        return None
    same = (ours & theirs).total()
    return same / ours.total(), same / theirs.total()


def sets() -> dict[str, list[tuple[str, str]]]:
    """The test sentences and their references."""
    path = Path(__file__).with_name("quality.toml")
    return {
        name: [(source, reference) for source, reference in rows]
        for name, rows in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }


def engines(packages: Path, asked: argparse.Namespace) -> Iterator[Engine]:
    """The engines that can be reached."""
    argos = ArgosEngine(packages)
    for name in ("translate-en_es-0_1", "translate-es_en-0_1"):
        argos.install(PACKAGES / f"{name}.argosmodel")
    yield argos
    others: list[Engine] = [ApertiumEngine(asked.apertium)]
    if asked.libretranslate:
        others.append(LibreTranslateEngine(asked.libretranslate))
    for engine in others:
        try:
            if ("en", "es") in engine.pairs():
                yield engine
        except EngineError as error:
            print(f"{engine.name} cannot be reached: {error.reason}")


def row(engine: Engine, rows: Sequence[tuple[str, str]], rounds: int) -> tuple[float, int, float, float]:
    """Mean chrF, how many are the reference's own words, mean chrF of translating back, sentences a second."""
    sources = [source for source, _ in rows]
    engine.translate(sources[:1], "en", "es")  # loads the model
    began = time.perf_counter()
    for _ in range(rounds):
        translated = [each.text for each in engine.translate(sources, "en", "es")]
    seconds = (time.perf_counter() - began) / rounds
    exact = sum(text == reference for text, (_, reference) in zip(translated, rows, strict=True))
    scores = [chrf(text, reference) for text, (_, reference) in zip(translated, rows, strict=True)]
    return mean(scores), exact, _back(engine, sources, translated), len(rows) / seconds


def _back(engine: Engine, sources: Sequence[str], translated: Sequence[str]) -> float:
    """How near the sources the translations come when they are translated back; NaN without that direction."""
    try:
        back = engine.translate(translated, "es", "en")
    except EngineError:
        return float("nan")
    return mean(chrf(each.text, source) for each, source in zip(back, sources, strict=True))


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--libretranslate", default="", help="a server's address")
    parser.add_argument(
        "--apertium", default="", help="an APy server's address; else the command, where it is installed"
    )
    asked = parser.parse_args()
    print("| engine | sentences | chrF | as the reference | chrF back into English | sentences/s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as packages:
        for engine in engines(Path(packages), asked):
            for name, rows in sets().items():
                score, exact, back, speed = row(engine, rows, asked.rounds)
                print(
                    f"| {engine.name} | {name}, {len(rows)} | {score:.1f} | {exact} | {back:.1f} | {speed:.0f} |"
                )


if __name__ == "__main__":
    main()
