"""Servers that translate, on this machine and over real sockets: well behaved, or anything but."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Reply = tuple[int, str, bytes]
JSON = "application/json"


@dataclass
class Asked:
    """What came in, and how often the connection was opened."""

    calls: list[tuple[str, str, Any]] = field(default_factory=list)

    def bodies(self, path: str) -> list[Any]:
        """What was sent to a path."""
        return [body for _, at, body in self.calls if at == path]


def as_json(tree: object, status: int = 200) -> Reply:
    """An answer in JSON."""
    return status, JSON, json.dumps(tree).encode()


@contextmanager
def serving(answer: Callable[[str, str, Any], Reply | None], asked: Asked) -> Iterator[str]:
    """A server whose every answer is `answer(method, path, body)`; None closes the connection without one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            form = "urlencoded" in self.headers["Content-Type"]
            self._reply({k: v[0] for k, v in parse_qs(raw.decode()).items()} if form else json.loads(raw))

        def _reply(self, body: Any) -> None:
            asked.calls.append((self.command, self.path, body))
            reply = answer(self.command, self.path, body)
            if reply is None:
                self.close_connection = True
                return
            status, kind, content = reply
            self.send_response(status)
            if status in (302, 307):
                self.send_header("Location", content.decode())
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
