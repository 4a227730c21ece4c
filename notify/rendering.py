"""Statement x language x channel: composed once, kept, and handed to every delivery that needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from channels.contract import ApprovedText, CannotCompose, Channel, City, Rendering
from notify.statements import Statement, Text, source_hash, written_in


class Renderer:
    """Composes, and remembers what it composed by the words themselves."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._known: dict[tuple[str, str, str, str], Rendering] = {}

    def rendering(self, statement: Statement, text: Text, language: str, channel: Channel) -> Rendering:
        """One statement in one language for one channel.

        Raises:
            CannotCompose: it does not fit.
        """
        key = (channel.name, statement.reference, language, source_hash(text))
        if key not in self._known:
            self._known[key] = channel.compose(self._approved(statement, text, language))
        return self._known[key]

    def problems(
        self, statement: Statement, texts: Mapping[str, Text], channels: Iterable[Channel]
    ) -> list[str]:
        """What does not fit: a line for each channel and language, naming the cure."""
        found = []
        for channel in channels:
            for language, text in texts.items():
                try:
                    self.rendering(statement, text, language, channel)
                except CannotCompose as error:
                    found.append(f"{channel.name}, {language}: {error}")
        return found

    def _approved(self, statement: Statement, text: Text, language: str) -> ApprovedText:
        language = written_in(language)
        url = f"{self._city.public_url}/s/{statement.slug}/{language}" if self._city.public_url else ""
        return ApprovedText(
            reference=statement.reference,
            language=language,
            source_language=statement.source_language,
            kind=statement.kind,
            title=text.title,
            short=text.short,
            body=text.body,
            actions=text.actions,
            url=url,
        )
