"""Servers that translate, asked over HTTP: whatever they answer, it is bounded, and their words are not repeated.

A server is somebody's computer. It may be away, slow, ill, or not what it says; and what it says may quote the text
that it was given, so no error of ours holds its words.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from notify.translation.engine import EngineError, Pair, Unavailable

if TYPE_CHECKING:
    import httpx

CONNECT = 5.0
"""Seconds until a server that does not answer is given up."""

TIMEOUT = 60.0
"""Seconds for one call: a small server translates some sentences a second."""

MOST_BYTES = 10_000_000
"""What an answer may have."""

FRESH = 600.0
"""Seconds for which a list of languages holds."""

PAUSE = 30.0
"""Seconds for which a server that could not be reached is left alone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    kind: str  # the media type
    body: bytes

    def tree(self) -> object:
        """The JSON in it, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Server:
    """Where an engine's server is. Safe to use from several threads."""

    def __init__(self, url: str, name: str, setting: str) -> None:
        """Connect to nothing yet.

        Args:
            url: where it is, like https://translate.city.example; empty if nobody has said.
            name: what people call it.
            setting: the environment variable that holds the address.
        """
        self.url, self._name, self._setting = url.rstrip("/"), name, setting

    def ask(
        self,
        method: str,
        path: str,
        *,
        tree: Mapping[str, object] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call.

        Args:
            method: GET or POST.
            path: after the address, with a slash.
            tree: to be sent as JSON.
            form: to be sent as a form.

        Returns:
            The answer, whatever its status. Redirections are not followed: texts go to the city's server only.

        Raises:
            Unavailable: there is no answer, or one without an end.
        """
        import httpx

        if not self.url:
            raise Unavailable(f"There is no address of a {self._name} server.", f"Set {self._setting}.")
        started = time.monotonic()
        try:
            with self._client.stream(method, self.url + path, json=tree, data=form) as answer:
                body = self._bounded(answer, started)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"The {self._name} server cannot be reached ({type(error).__name__}).",
                f"Check {self._setting} and that the server runs.",
            ) from None
        return Answer(answer.status_code, answer.headers.get("content-type", ""), body)

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(timeout=httpx.Timeout(TIMEOUT, connect=CONNECT), follow_redirects=False)

    def _bounded(self, answer: httpx.Response, started: float) -> bytes:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES or time.monotonic() - started > TIMEOUT:
                raise Unavailable(
                    f"The {self._name} server does not come to an end.", f"Check {self._setting}."
                )
        return bytes(body)


class Listing:
    """The pairs that a server has, asked for now and then, and not again and again while it is away."""

    def __init__(self, read: Callable[[], dict[Pair, Pair]]) -> None:
        """Ask nothing yet.

        Args:
            read: asks for the pairs, by BCP 47, and what the server calls them; may raise `EngineError`.
        """
        self._read = read
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._found: dict[Pair, Pair] | EngineError = {}

    def __call__(self) -> dict[Pair, Pair]:
        """The pairs.

        Raises:
            EngineError: what asking raised, the last time somebody asked.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                self._found, lasts = self._asked()
                self._until = time.monotonic() + lasts
            found = self._found
        if isinstance(found, EngineError):
            raise type(found)(found.reason, found.cure)
        return found

    def _asked(self) -> tuple[dict[Pair, Pair] | EngineError, float]:
        try:
            return self._read(), FRESH
        except EngineError as error:
            return error, PAUSE
