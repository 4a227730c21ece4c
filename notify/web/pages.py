"""Pages from the layouts in templates/pages, in the reader's language, everything in them escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

import templates
from channels.text import isolate_html, link, safe_html
from notify.settings import Ground
from notify.web.languages import spoken

NO_STORE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
STATIC = templates.directory() / "pages" / "static"


class Pages:
    """Renders the layouts for one city."""

    def __init__(self, settings: Ground) -> None:
        self.city = settings.as_city()
        self.base = urlsplit(settings.public_url).path  # where a proxy puts the hub: "" or "/notify"
        self._zone = ZoneInfo(self.city.timezone)
        self._environment = Environment(
            loader=FileSystemLoader(templates.directory() / "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "at": self.at,
            "city": self.city,
            "direction": templates.direction,
            "language_name": templates.language_name,
        }
        self._environment.filters |= {
            "fill": fill,
            "isolated": isolated,
            "ltr": left_to_right,
            "numbers": numbers,
            "plain": str.format,
            "shown": shown,
            "telephone": telephone,
            "web": web_address,
        }

    def at(self, path: str) -> str:
        """A path of the hub as browsers have to ask for it."""
        return f"{self.base}{path}"

    def page(
        self,
        layout: str,
        language: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """One page.

        Args:
            layout: the file's name without `.html`.
            language: of the page's own text, BCP 47; its fixed sentences come in the nearest there is.
            status: the HTTP status.
            headers: beside those that every page gets.
            values: what the layout names.
        """
        said = spoken(language)
        text = self.fragment(layout, language=language, said=said, words=templates.phrases(said), **values)
        return HTMLResponse(text, status, {"Content-Language": language} | dict(headers or {}))

    def fragment(self, layout: str, **values: Any) -> str:
        """A layout filled in, without a frame's values."""
        return self._environment.get_template(f"{layout}.html").render(values)

    def not_found(self, language: str, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """The page for an address where there is nothing; it says nothing about why."""
        return self.message("page_not_found", language, 404, headers)

    def message(
        self, key: str, language: str, status: int, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        """A page with one fixed sentence.

        Args:
            key: of the sentence in the phrases.
            language, status, headers: as for `page`.
        """
        return self.page("message", spoken(language), status=status, headers=headers, key=key)

    def redirect(
        self, path: str, headers: Mapping[str, str] | None = None, *, status: int = 302
    ) -> RedirectResponse:
        """To another page of the hub; after a form was taken, with 303."""
        return RedirectResponse(self.at(path), status, dict(headers or {}))

    def date(self, moment: datetime, language: str) -> str:
        """The day of a moment in the city, as the language writes it."""
        day = moment.astimezone(self._zone).date()
        try:
            return str(format_date(day, "long", Locale.parse(language, sep="-")))
        except (UnknownLocaleError, ValueError):
            return day.isoformat()

    def local_time(self, moment: datetime | None) -> str:
        """A moment in the city's own time, for staff; nothing where there is none."""
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M}" if moment else ""


def body_html(markdown: str) -> Markup:
    """A statement's body: raw HTML in it is text, pictures are links, numbers keep their order."""
    return Markup(safe_html(markdown))  # noqa: S704 - cleaned by nh3


def isolated(text: str) -> Markup:
    """Plain text with its numbers set apart, so that they read from left to right in every script."""
    return Markup(isolate_html(text))  # noqa: S704 - escaped there


def left_to_right(text: str) -> Markup:
    """A phone number or an address that never turns around."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(text)


def numbers(values: Iterable[str]) -> Markup:
    """Phone numbers or addresses in a row, none of which turns around or breaks over two lines."""
    return Markup(" · ").join(
        Markup('<bdi class="number" dir="ltr">{}</bdi>').format(value) for value in values
    )


def shown(target: str) -> str:
    """Where a link leads, as people write it."""
    return target.removeprefix("https://").removesuffix("/")


def telephone(number: str) -> Markup:
    """A phone number to press."""
    return Markup('<a href="{}">{}</a>').format(link(number), left_to_right(number))


def web_address(url: str) -> Markup:
    """An address of ours to press."""
    return Markup('<a href="{}">{}</a>').format(url, left_to_right(shown(url)))


def fill(sentence: str, **values: object) -> Markup:
    """A fixed sentence with its placeholders filled in, each set apart from the sentence's direction."""
    apart = {name: value if isinstance(value, Markup) else _apart(value) for name, value in values.items()}
    return escape(sentence).format(**apart)


def _apart(value: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(value)
