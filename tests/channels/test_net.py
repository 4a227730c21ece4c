"""Hosts and URLs that are this machine, and those that only look so."""

from __future__ import annotations

import pytest

from channels.net import is_loopback, leads_to_loopback


@pytest.mark.parametrize("host", ["localhost", "hub.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    assert is_loopback(host)
    assert leads_to_loopback(f"http://[{host}]:8010/a" if ":" in host else f"http://{host}:8010/a")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evillocalhost",
        "http://localhost@evil.example",
        "https://x",
        "x",
        "",
    ],
)
def test_a_name_that_only_looks_local_is_not(url: str) -> None:
    assert not leads_to_loopback(url)
