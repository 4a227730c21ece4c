"""What there is to install: indexes and packages over real sockets, and folders; friendly and not."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from translation_servers import Asked, Reply, as_json, serving

from notify.translation import catalogue
from notify.translation.catalogue import Catalogue, Offer, fetch, read, sized
from notify.translation.engine import EngineError, Rejected, Unavailable, Unsupported

ENTRY = {
    "package_version": "1.9",
    "argos_version": "1.9.0",
    "from_code": "en",
    "from_name": "English",
    "to_code": "es",
    "to_name": "Spanish",
    "links": ["https://packages.example/translate-en_es-1_9.argosmodel", "ipfs://Qm"],
    "code": "translate-en_es",
}


def _written(tmp_path: Path, tree: Any) -> str:
    path = tmp_path / "index.json"
    path.write_text(json.dumps(tree), "utf-8")
    return str(path)


def test_an_index_as_argos_writes_it_is_read(tmp_path: Path) -> None:
    found = read(_written(tmp_path, [ENTRY]))
    assert found.offers == (
        Offer("en", "es", "1.9", ("https://packages.example/translate-en_es-1_9.argosmodel",)),
    )
    assert found.passed_over == ()


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("zh", "zh-Hans"),
        ("zt", "zh-Hant"),
        ("pb", "pt-BR"),
        ("pt", "pt-PT"),
        ("tl", "fil"),
        ("nb", "nb"),
        ("ar", "ar"),
    ],
)
def test_codes_of_argos_become_ours(tmp_path: Path, code: str, tag: str) -> None:
    assert read(_written(tmp_path, [{**ENTRY, "to_code": code}])).offers[0].target == tag


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"from_code": "../../etc"}, "language tag"),
        ({"from_code": 5}, "from_code"),
        ({"from_code": "e" * 1000}, "from_code"),
        ({"to_code": "en"}, "to itself"),
        ({"package_version": "../1"}, "package_version"),
        ({"package_version": None}, "package_version"),
        ({"links": "https://x"}, "links"),
        ({"links": ["https://x.example/a"] * 21}, "links"),
        ({"links": []}, "no link"),
        (
            {"links": ["file:///etc/passwd", "ftp://x/y", "javascript:1", "//", "http://", "/etc/passwd"]},
            "no link",
        ),
        ({"links": ["https://[", "x"]}, ""),
        ({"links": ["https://x.example/a\r\nHost: y"]}, "no link"),
        ({"size": -1}, "size"),
        ({"size": 10**15}, "size"),
        ({"sha256": "zz"}, "sha256"),
    ],
)
def test_an_entry_that_makes_no_sense_is_passed_over_and_the_others_stay(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    found = read(_written(tmp_path, [{**ENTRY, **changes}, ENTRY]))
    assert len(found.offers) == 1
    assert found.passed_over[0].startswith("entry 1: ")
    assert why in found.passed_over[0]


@pytest.mark.parametrize("entry", [None, 5, "x", [], {}])
def test_an_entry_that_is_none_is_passed_over(tmp_path: Path, entry: Any) -> None:
    assert len(read(_written(tmp_path, [entry])).passed_over) == 1


def test_packages_of_other_kinds_are_not_offered(tmp_path: Path) -> None:
    found = read(_written(tmp_path, [{**ENTRY, "type": "sbd"}]))
    assert (found.offers, found.passed_over) == ((), ())


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"null", b"<html>", b"\xff\xfe", b"[" * 100_000, b'[{"a": 1', b"[" + b"1," * 10_000 + b"1]"],
)
def test_what_is_no_index_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "index.json").write_bytes(raw)
    with pytest.raises(Rejected, match="no index"):
        read(str(tmp_path / "index.json"))


def test_an_index_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MAX_INDEX", 1000)
    with pytest.raises(Rejected, match="too large"):
        read(_written(tmp_path, [ENTRY] * 100))
    with (
        serving(lambda *_: as_json([ENTRY] * 100), Asked()) as url,
        pytest.raises(Rejected, match="too large"),
    ):
        read(url)


def test_a_place_that_is_not_there_says_so() -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        read("/nowhere/index.json")
    for url in ("http://127.0.0.1:1/index.json", "http://[", "http://"):
        with pytest.raises(Unavailable, match="install from a folder"):
            read(url)


OFFERS = (
    Offer("en", "es", "1.9", ("https://x/1",)),
    Offer("en", "es", "1.10", ("https://x/2",)),
    Offer("en", "pt-BR", "1.0", ("https://x/3",)),
    Offer("en", "pt-PT", "1.0", ("https://x/4",)),
    Offer("es", "en", "1.0", ("https://x/5",)),
)


@pytest.mark.parametrize(
    ("source", "target", "links"),
    [
        ("en", "es", ["https://x/2"]),
        ("en-US", "es-MX", ["https://x/2"]),
        ("en", "pt", ["https://x/3"]),
        ("en", "pt-PT", ["https://x/4"]),
        ("es", "pt-BR", ["https://x/5", "https://x/3"]),
    ],
)
def test_the_newest_package_for_a_pair_is_found_or_two_that_meet_in_english(
    source: str, target: str, links: list[str]
) -> None:
    assert [offer.links[0] for offer in Catalogue("here", OFFERS).find(source, target)] == links


@pytest.mark.parametrize(
    ("source", "target"), [("en", "ht"), ("ht", "en"), ("en", "en"), ("es", "es-MX"), ("?", "!")]
)
def test_what_nobody_has_is_said(source: str, target: str) -> None:
    with pytest.raises(Unsupported, match="no package for"):
        Catalogue("here", OFFERS).find(source, target)


def test_a_folder_offers_the_packages_in_it_and_says_which_files_are_none(
    tmp_path: Path, en_es: Path, es_en: Path
) -> None:
    for path in (en_es, es_en):
        shutil.copy(path, tmp_path)
    (tmp_path / "cut.argosmodel").write_bytes(en_es.read_bytes()[:1000])
    (tmp_path / "empty.argosmodel").write_bytes(b"")
    (tmp_path / "readme.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "odd.argosmodel", "w") as packed:
        packed.writestr("a/metadata.json", "[1]")
    with zipfile.ZipFile(tmp_path / "two.argosmodel", "w") as packed:
        packed.writestr("a/metadata.json", "{}")
        packed.writestr("b/metadata.json", "{}")
    with zipfile.ZipFile(tmp_path / "vast.argosmodel", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/metadata.json", b" " * 50_000_000)
    found = read(str(tmp_path))
    assert [(offer.pair, offer.path, offer.size) for offer in found.newest()] == [
        (("en", "es"), tmp_path / en_es.name, en_es.stat().st_size),
        (("es", "en"), tmp_path / es_en.name, es_en.stat().st_size),
    ]
    names = [line.split(":")[0] for line in found.passed_over]
    assert names == [
        "cut.argosmodel",
        "empty.argosmodel",
        "odd.argosmodel",
        "two.argosmodel",
        "vast.argosmodel",
    ]
    assert read(str(en_es)).offers[0].path == en_es
    assert fetch(found.newest()[0], tmp_path / "elsewhere") == tmp_path / en_es.name


class Mirror:
    """A mirror with relative links, and whatever it sends in their place."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.entry: dict[str, Any] = {**ENTRY, "links": ["packages/en_es.argosmodel"]}
        self.instead: Callable[[str], Reply | None] | None = None

    def __call__(self, method: str, path: str, body: object) -> Reply | None:
        if path == "/v1/index.json":
            return as_json([self.entry])
        if path != "/v1/packages/en_es.argosmodel":
            return 404, "text/html", b""
        return self.instead(path) if self.instead else (200, "application/zip", self.content)


@pytest.fixture
def mirror(en_es: Path) -> Mirror:
    return Mirror(en_es.read_bytes())


@pytest.fixture
def index(mirror: Mirror) -> Iterator[str]:
    with serving(mirror, Asked()) as url:
        yield f"{url}/v1/index.json"


def test_a_package_is_fetched_from_a_mirror_byte_for_byte_and_its_progress_told(
    index: str, mirror: Mirror, tmp_path: Path
) -> None:
    (offer,) = read(index).find("en", "es")
    told: list[int] = []
    path = fetch(offer, tmp_path, told.append)
    assert path.read_bytes() == mirror.content
    assert (path.parent, told[-1]) == (tmp_path, len(mirror.content))
    assert told == sorted(told)


def test_what_an_index_says_of_size_and_digest_is_kept(index: str, mirror: Mirror) -> None:
    digest = hashlib.sha256(mirror.content).hexdigest()
    mirror.entry.update(size=len(mirror.content), sha256=digest)
    (offer,) = read(index).offers
    assert (offer.size, offer.sha256) == (len(mirror.content), digest)


def test_a_download_that_breaks_off_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def half() -> None:
            connection, _ = server.accept()
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            connection.close()

        thread = threading.Thread(target=half)
        thread.start()
        offer = Offer("en", "es", "1", (f"http://127.0.0.1:{server.getsockname()[1]}/x",))
        with pytest.raises(Unavailable, match="breaks off"):
            fetch(offer, tmp_path)
        thread.join()


def test_a_way_that_leaves_https_is_refused() -> None:
    first = httpx.Response(302, request=httpx.Request("GET", "https://a.example/x"))
    last = httpx.Response(200, request=httpx.Request("GET", "http://b.example/x"), history=[first])
    with pytest.raises(Rejected, match="away from HTTPS"):
        catalogue._check_way("https://a.example/x", last)


@pytest.mark.parametrize(
    ("size", "reply", "kind", "why"),
    [
        (None, (404, "text/html", b""), Unavailable, "HTTP 404"),
        (None, (500, "text/html", b""), Unavailable, "HTTP 500"),
        (None, None, Unavailable, "cannot be reached"),
        (None, (302, "", b"ftp://elsewhere/"), Unavailable, "cannot be reached"),
        (2000, (200, "", b"x" * 1000), Rejected, "1000 of 2000 bytes"),
        (500, (200, "", b"x" * 1000), Rejected, "more than the 500 expected"),
    ],
)
def test_a_package_that_does_not_come_as_offered_is_refused(
    index: str,
    mirror: Mirror,
    tmp_path: Path,
    size: int | None,
    reply: Reply | None,
    kind: type[EngineError],
    why: str,
) -> None:
    mirror.entry["size"] = size
    mirror.instead = lambda path: reply
    with pytest.raises(kind, match=why) as refusal:
        fetch(read(index).offers[0], tmp_path)
    assert refusal.value.cure


def test_a_download_larger_than_any_package_is_stopped(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MAX_DOWNLOAD", 1_000_000)
    with pytest.raises(Rejected, match="more than the 1000000 expected"):
        fetch(read(index).offers[0], tmp_path)


def test_a_full_disk_is_told_before_anything_is_written(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = catalogue.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(catalogue.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(Rejected, match="no room"):
        fetch(read(index).offers[0], tmp_path)


def test_the_next_link_is_used_where_one_does_not_work(index: str, mirror: Mirror, tmp_path: Path) -> None:
    mirror.entry["links"] = ["gone.argosmodel", "packages/en_es.argosmodel"]
    assert fetch(read(index).offers[0], tmp_path).read_bytes() == mirror.content


def test_sizes_are_asked_for_and_may_stay_unknown(index: str, mirror: Mirror) -> None:
    (offer,) = read(index).offers
    assert sized(offer).size is None  # this server knows no HEAD
    assert sized(Offer("en", "es", "1", ("http://127.0.0.1:1/x",))).size is None
    assert sized(Offer("en", "es", "1", ("https://x",), size=5)).size == 5


@pytest.mark.parametrize(
    ("base", "signed", "kept"),
    [
        ("https://index.example/", False, ["https://a.example/x"]),
        ("https://index.example/", True, ["https://a.example/x", "http://a.example/x"]),
        ("http://index.example/", False, ["https://a.example/x", "http://a.example/x"]),
        ("", False, ["https://a.example/x", "http://a.example/x"]),
    ],
)
def test_an_index_over_https_leads_to_no_plain_link_unless_a_digest_guards_it(
    base: str, signed: bool, kept: list[str]
) -> None:
    links = ["https://a.example/x", "http://a.example/x"]
    assert list(catalogue._safe(links, base, signed=signed)) == kept
