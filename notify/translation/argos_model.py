"""A package in memory, run by CTranslate2 and SentencePiece on this machine alone.

Not by `argostranslate.translate`, which fetches a sentence splitter from the network at the first translation,
batches by 32 tokens, gives no score for a sentence, logs every text, and makes every `_` a blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from notify.translation.argos_package import Package, first_line, refused

_MAX_TOKENS = 128  # what a model gets at once: longer sentences are beyond what it was trained on
_MAX_DECODED = 300  # and at most three times what it got: a model that loops is stopped
_BATCH = 16  # sentences; argostranslate's 32 tokens are two to three times slower
_LENGTH_PENALTY = 0.2  # argostranslate's


class Model:
    """A package in memory, which has translated something: not every broken one fails to load."""

    def __init__(self, package: Package, workers: int, beam: int) -> None:
        import ctranslate2
        import sentencepiece

        self._prefix, self._beam = package.prefix, beam
        try:
            self._translator = ctranslate2.Translator(
                str(package.path / "model"),
                device="cpu",
                compute_type="int8",
                inter_threads=workers,
                intra_threads=1,  # more is slower for sentences
            )
            self._pieces = sentencepiece.SentencePieceProcessor(
                model_file=str(package.path / "sentencepiece.model")
            )
            self.translate(["1 2 3"])
        except Exception as error:  # the libraries raise what their parsers happen to raise
            why = first_line(error, leaving_out=f"{package.path}/")
            raise refused(package.path, f"its model does not work ({why})") from None

    def translate(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Translate texts that are not empty.

        Returns:
            Translation and mean log-probability per token, for each.
        """
        stretches = [list(_stretches(self._pieces.encode(text, out_type=str))) for text in texts]
        replies = iter(self._decode([stretch for each in stretches for stretch in each]))
        return [_joined([next(replies) for _ in each]) for each in stretches]

    def _decode(self, batch: list[list[str]]) -> list[tuple[str, float, int]]:
        longest = max(map(len, batch), default=0)
        results = self._translator.translate_batch(
            batch,
            target_prefix=[[self._prefix]] * len(batch) if self._prefix else None,
            beam_size=self._beam,
            length_penalty=_LENGTH_PENALTY,
            replace_unknowns=True,
            return_scores=True,
            max_batch_size=_BATCH,
            max_input_length=0,  # nothing is cut off
            max_decoding_length=min(3 * longest + 20, _MAX_DECODED),
        )
        return [self._read(result) for result in results]

    def _read(self, result: Any) -> tuple[str, float, int]:
        """Text, log-probability and number of tokens, the one that ends a sentence included."""
        tokens = result.hypotheses[0]
        count = len(tokens) + 1
        text = self._pieces.decode([token for token in tokens if token != self._prefix])
        return text.strip(), result.scores[0] * count**_LENGTH_PENALTY, count


def _stretches(tokens: list[str]) -> Iterator[list[str]]:
    """Tokens in runs that a model can take, cut after a mark or else between words, where there are any."""
    while len(tokens) > _MAX_TOKENS:
        words = [at for at in range(_MAX_TOKENS // 2, _MAX_TOKENS + 1) if tokens[at].startswith("\u2581")]
        marks = [at for at in words if tokens[at - 1].endswith((".", "!", "?", ";", ":", ","))]
        end = next(iter(marks[-1:] + words[-1:]), _MAX_TOKENS)
        yield tokens[:end]
        tokens = tokens[end:]
    yield tokens


def _joined(replies: Sequence[tuple[str, float, int]]) -> tuple[str, float]:
    texts, chances, counts = zip(*replies, strict=True)
    return " ".join(texts), sum(chances) / sum(counts)
