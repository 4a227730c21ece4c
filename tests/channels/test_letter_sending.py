"""From messages to print files: what is in the outbox, what is on the lists, and that nothing is printed twice."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from channels.contract import (
    CallbackRefused,
    CallbackRequest,
    Event,
    EventKind,
    Level,
    Message,
    Rendering,
    Verdict,
)
from channels.letter import LetterChannel, LetterSettings, manifest, printfile
from channels.letter.guards import Box, Pdf
from channels.letter.profiles import load, names

from letter_texts import AMERICAN, CITY, WHEN, address, rows, send, text, words_of  # isort: skip

LANGUAGES = ("en", "es", "vi", "ru", "ar", "ur", "he", "hi", "am", "km", "th", "zh-Hans", "ko")


@cache
def rendering(language: str, profile: str = "", pages: int = 1) -> Rendering:
    """A composed statement, once for all tests."""
    city = AMERICAN if profile == "us-10" else CITY
    channel = LetterChannel(LetterSettings(outbox=Path("unused"), profile=profile), city)
    body = {} if pages == 1 else {"body": "\n\n".join([text(language).body] * 25 * pages)}
    made = channel.compose(text(language, **body))
    assert made.parts == pages
    return made


def message(key: int, *languages: str, **changes: object) -> Message:
    """A letter to a household of its own."""
    made = Message(
        key=key,
        address=address(key),
        renderings=tuple(rendering(language) for language in languages or ("en",)),
        name=f"Ana Diaz {key}",
        token=f"token-{key}",
    )
    return replace(made, **changes)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Where files go."""
    return tmp_path / "outbox"


@pytest.fixture
def channel(outbox: Path) -> LetterChannel:
    """A channel that sets letters in this process, which starts at once."""
    return LetterChannel(LetterSettings(outbox=outbox, workers=0), CITY)


def job(outbox: Path, end: str, reference: str = "D7") -> Path:
    """The one file of a job whose name ends so."""
    (found,) = (outbox / reference).glob(f"*_of_{end}")
    return found


def letters_of(outbox: Path, reference: str = "D7") -> Path:
    """The job's one file of letters."""
    return job(outbox, "001.pdf", reference)


# -- the file


async def test_every_letter_is_in_the_file_and_each_outcome_names_its_place(channel, outbox):
    async with channel:
        outcomes = await send(channel, [message(key) for key in (3, 1, 2)])
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
    found = rows(job(outbox, "001.csv"))
    assert {f"{row['batch_file']}#{row['seq_in_file']}" for row in found} == {
        outcome.provider_id for outcome in outcomes.values()
    }
    for row in found:
        printed = words_of(letters_of(outbox), int(row["first_page"]) - 1)
        assert f"Ana Diaz {row['letter_id']}" in printed
        assert f"/p/token-{row['letter_id']}" in printed
        assert row["return_code"] in printed  # to enter it by when the post brings it back
        assert LetterChannel.read_return_code(row["return_code"]) == int(row["letter_id"])
        assert "November 20, 2026" in printed


@pytest.mark.parametrize("profile", names())
async def test_the_window_shows_the_address_and_nothing_else(profile, outbox):
    """R26, on the produced PDF: text by its place, and ink by its dots."""
    american = profile == "us-10"
    city = AMERICAN if american else CITY
    channel = LetterChannel(LetterSettings(outbox=outbox, profile=profile, workers=0), city)
    messages = [
        message(key, renderings=(rendering(language, profile),), address=address(key, city.country))
        for key, language in enumerate(("en", "es"), start=1)
    ]
    async with channel:
        outcomes = await send(channel, messages)
    assert [outcome.verdict for outcome in outcomes.values()] == [Verdict.ACCEPTED] * 2
    envelope = load(profile)
    window, clear = envelope.address.box(), [area.box() for area in envelope.clear]
    for row in rows(job(outbox, "001.csv")):
        page = int(row["first_page"]) - 1
        lines = [row[f"addr_{number}"] for number in range(1, 8) if row[f"addr_{number}"]]
        assert words_of(letters_of(outbox), page, window).split("\n") == lines
        with Pdf(letters_of(outbox).read_bytes()) as printed:
            assert printed.window(page, window, clear) == (True, False)


async def test_thirteen_scripts_share_one_file(channel, outbox):
    names = ["Ana Müller", "Zoë", "Nguyễn Văn A", "Иван Петров", "محمد علي", "فاطمہ", "דוד כהן"]
    names += ["आशा शर्मा", "አበበ በቀለ", "សុខា", "สมชาย", "王小明", "김민수"]
    messages = [
        message(key, language, name=name)
        for key, (language, name) in enumerate(zip(LANGUAGES, names, strict=True), start=1)
    ]
    async with channel:
        outcomes = await send(channel, messages)
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
    with Pdf(letters_of(outbox).read_bytes()) as printed:
        assert sum(line.count("5550100199") for line in printed.lines_of_digits()) == 2 * len(messages)


async def test_a_name_in_another_script_is_greeted_and_the_window_stays_latin(channel, outbox):
    """Sorting machines read Latin."""
    async with channel:
        await send(channel, [message(1, "ru", name="Иван Петров"), message(2, name="")])
    ivan, nobody = sorted(rows(job(outbox, "001.csv")), key=lambda row: row["letter_id"])
    assert ivan["addr_1"] == nobody["addr_1"] == "Our neighbors at this address"
    assert "Иван Петров" in words_of(letters_of(outbox), int(ivan["first_page"]) - 1)
    assert "Dear neighbor," in words_of(letters_of(outbox), int(nobody["first_page"]) - 1)


async def test_two_names_stand_on_two_lines_and_are_greeted_together(channel, outbox):
    async with channel:
        await send(channel, [message(1, name="Ana Diaz\nTom Diaz")])
    row = rows(job(outbox, "001.csv"))[0]
    assert (row["addr_1"], row["addr_2"]) == ("Ana Diaz", "Tom Diaz")
    assert "Dear Ana Diaz and Tom Diaz," in words_of(letters_of(outbox))


async def test_a_household_gets_its_languages_one_after_the_other_in_one_letter(channel, outbox):
    async with channel:
        await send(channel, [message(1, "en", "ru", "ar"), message(2, "es")])
    three, _ = sorted(rows(job(outbox, "001.csv")), key=lambda row: row["letter_id"])
    assert (three["languages"], three["pages"], three["sheets"]) == ("en+ru+ar", "3", "2")
    first = int(three["first_page"]) - 1
    printed = letters_of(outbox)
    assert "If you are afraid" in words_of(printed, first)
    assert "Если вам страшно" in words_of(printed, first + 1)
    window = load("uk-dl-left").address.box()
    assert "Station Road" in words_of(printed, first, window)
    assert "Station Road" not in words_of(printed, first + 1)
    assert [
        f"1-0000{three['seq_in_file']} {page}/3" in words_of(printed, first + page - 1) for page in (1, 2, 3)
    ]


@pytest.mark.parametrize(("duplex", "firsts", "pages"), [(True, [1, 3, 7], 8), (False, [1, 2, 5], 5)])
async def test_each_letter_begins_on_a_front(duplex, firsts, pages, outbox):
    """One page, three pages, one page: printed on both sides, blank backs keep them apart."""
    channel = LetterChannel(LetterSettings(outbox=outbox, workers=0, duplex=duplex), CITY)
    async with channel:
        await send(channel, [message(1), message(2, "en", "es", "ru"), message(3, "ru")])
    found = rows(job(outbox, "001.csv"))
    assert [int(row["first_page"]) for row in found] == firsts
    with Pdf(letters_of(outbox).read_bytes()) as printed:
        assert len(printed) == pages
        page = Box(0, 0, 595, 842)
        blank = [number for number in range(pages) if not printed.ink(number, [page])]
    assert blank == ([1, 5, 7] if duplex else [])


async def test_letters_are_sorted_by_postcode_then_language(channel, outbox):
    places = {1: "M1 1AE", 2: "B1 1AA", 3: "M1 1AE", 4: "B1 1AA"}
    spoken = {1: "es", 2: "ru", 3: "en", 4: "ar"}
    messages = [message(key, spoken[key], address=f"{key} Quay\n{place}") for key, place in places.items()]
    async with channel:
        await send(channel, messages)
    assert [row["letter_id"] for row in rows(job(outbox, "001.csv"))] == ["4", "2", "3", "1"]


# -- the papers


async def test_the_manifest_tells_the_mail_house_everything(channel, outbox):
    async with channel:
        await send(channel, [message(1)])
    (row,) = rows(job(outbox, "001.csv"))
    pdf = letters_of(outbox).read_bytes()
    assert row["file_sha256"] == hashlib.sha256(pdf).hexdigest()
    told = {
        key: row[key]
        for key in ("job_id", "duplex", "page_size", "profile", "postage_class", "postcode", "country")
    }
    assert list(told.values()) == ["D7-1", "yes", "a4", "uk-dl-left", "first class", "SW1A 2AA", "GB"]
    assert tuple(row) == manifest.COLUMNS


async def test_the_cover_sheet_counts_what_the_file_holds(channel, outbox):
    """R27: letters, sheets and pages; cut-off and working-day dates. WHEN is a Friday after the cut-off."""
    async with channel:
        await send(channel, [message(1, "en", "ru", "ar"), message(2), message(3, address="nowhere")])
    cover = words_of(job(outbox, "001_cover.pdf"))
    with Pdf(letters_of(outbox).read_bytes()) as printed:
        pages = len(printed)
    assert pages == 6
    assert dict(zip(cover.split("\n")[4:11:2], cover.split("\n")[3:10:2], strict=True)) == {
        "Letters": "2",
        "Sheets of paper": "3",
        "Pages in the file": str(pages),
        "Left out": "1",
    }
    for words in (
        *("D7-1: file 1 of 1", "first class", "English + Russian + Arabic", letters_of(outbox).name),
        *("Friday 2026-11-20 16:30", "Monday 2026-11-23 15:00", "Tuesday 2026-11-24", "Wednesday 2026-11-25"),
    ):
        assert words in cover
    (totals,) = rows(job(outbox, "001_totals.csv"))
    assert [totals[key] for key in ("letters", "pages", "sheets", "exceptions", "posted")] == [
        *("2", "6", "3", "1", "2026-11-24")
    ]


async def test_what_a_spreadsheet_would_run_is_quoted_and_only_the_owner_reads_it(channel, outbox):
    async with channel:
        await send(channel, [message(1, name="+1 Ana"), message(2, address="=cmd()\nx", name="-y")])
    assert rows(job(outbox, "001.csv"))[0]["addr_1"] == "'+1 Ana"
    (exception,) = rows(job(outbox, "001_exceptions.csv"))
    assert (exception["addr_1"], exception["name"]) == ("'=cmd()", "'-y")
    for path in (outbox / "D7").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.suffix != ".csv" or path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE((outbox / "D7").stat().st_mode) == 0o700


# -- who cannot be written to


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"address": "12 High Street\nLondon"}, Verdict.BAD_ADDRESS, "not a postcode"),
        ({"address": ""}, Verdict.BAD_ADDRESS, "no address"),
        ({"address": "NFA\nSW1A 2AA"}, Verdict.BAD_ADDRESS, "no fixed address"),
        ({"address": "\U0001e900 Street\nSW1A 2AA"}, Verdict.REFUSED, "cannot be printed"),
        ({"address": "W" * 90 + "\nSW1A 2AA"}, Verdict.REFUSED, "does not fit the envelope's window"),
        ({"name": "(Ana)"}, Verdict.REFUSED, "Line 1 starts with a sign"),
        ({"name": "Ana \U0001e900"}, Verdict.REFUSED, "cannot be printed"),
        ({"name": "ि आशा"}, Verdict.REFUSED, "cannot be printed"),
        ({"name": "हिन्दी" * 40}, Verdict.REFUSED, "too long for the greeting"),
        ({"token": "t" * 200}, Verdict.REFUSED, "link"),
    ],
)
async def test_who_cannot_be_written_to_is_on_the_list_of_exceptions(
    changes, verdict, reason, channel, outbox
):
    async with channel:
        outcomes = await send(channel, [message(1), message(2, **changes)])
    assert outcomes[1].verdict is Verdict.ACCEPTED
    assert outcomes[2].verdict is verdict
    assert reason in outcomes[2].detail
    (exception,) = rows(job(outbox, "001_exceptions.csv"))
    assert (exception["letter_id"], exception["verdict"]) == ("2", verdict)
    assert [row["letter_id"] for row in rows(job(outbox, "001.csv"))] == ["1"]


async def test_a_second_letter_to_the_same_address_is_refused(channel, outbox):
    """R27: each address once, however it is written."""
    async with channel:
        outcomes = await send(
            channel, [message(1), message(2, address=address(1).upper() + "\nUnited Kingdom")]
        )
    assert [outcome.verdict for outcome in outcomes.values()] == [Verdict.ACCEPTED, Verdict.REFUSED]


async def test_a_letter_of_too_many_pages_or_languages_is_refused(channel):
    long = rendering("en", pages=4)
    async with channel:
        outcomes = await send(
            channel,
            [message(1, renderings=(long, long, long)), message(2, "en", "es", "ru", "ar"), message(3)],
        )
    assert [outcome.verdict for outcome in outcomes.values()] == [
        Verdict.ACCEPTED,
        Verdict.REFUSED,
        Verdict.REFUSED,
    ]
    assert "12 pages" in outcomes[1].detail
    assert "3 languages" in outcomes[2].detail


async def test_a_long_address_is_set_smaller_and_still_inside_the_window(channel, outbox):
    wide = "The Honourable Secretary of the Neighbourhood Association of"
    async with channel:
        outcomes = await send(channel, [message(1, name=wide)])
    assert outcomes[1].verdict is Verdict.ACCEPTED
    assert wide in words_of(letters_of(outbox), 0, load("uk-dl-left").address.box())


async def test_names_and_addresses_that_attack_are_printed_as_they_are(channel, outbox):
    attack = '#read("/etc/passwd") $x$ *b*'
    async with channel:
        await send(channel, [message(1, name=attack, address='1 #{panic()} "] + read("x") + ["\nSW1A 2AA')])
    printed = words_of(letters_of(outbox), 0)
    assert attack in printed
    assert '1 #{panic()} "] + read("x") + ["' in printed


async def test_direction_marks_in_a_name_do_not_turn_the_letter_round(channel, outbox):
    async with channel:
        await send(channel, [message(1, name="Ana\u202e Diaz\u0000\u2066")])
    assert rows(job(outbox, "001.csv"))[0]["addr_1"] == "Ana Diaz"


async def test_no_outcome_and_no_repr_tells_who_a_resident_is(channel):
    bad = message(1, name="Secret Person", address="Hideaway\nNowhere", token="hush")
    async with channel:
        outcomes = await send(channel, [bad])
    told = repr(outcomes) + repr(bad) + repr(rendering("en"))
    assert not [word for word in ("Secret", "Hideaway", "Nowhere", "hush") if word in told]


# -- once


def contents(outbox: Path) -> dict[str, bytes]:
    """Every file of an outbox by its name."""
    return {str(path.relative_to(outbox)): path.read_bytes() for path in outbox.rglob("*") if path.is_file()}


async def test_the_same_batch_in_another_process_writes_the_same_bytes(channel, outbox, tmp_path):
    messages = [
        message(1, "en", "ar"),
        message(2, "zh-Hans"),
        message(3, "km", name="សុខា"),
        message(4, address="x"),
    ]
    other = LetterChannel(LetterSettings(outbox=tmp_path / "other", workers=1), CITY)
    async with channel, other:
        first, second = await send(channel, messages), await send(other, list(reversed(messages)))
    assert first == second
    assert contents(outbox) == contents(tmp_path / "other")
    assert len(contents(outbox)) == 5


async def test_sending_again_prints_nothing_twice(channel, outbox):
    messages = [message(1), message(2), message(3, address="nowhere")]
    async with channel:
        first = await send(channel, messages)
        before = contents(outbox)
        again = await send(channel, messages)
    assert first == again
    assert contents(outbox) == before


async def test_what_is_left_of_a_batch_goes_into_a_file_beside_the_first(channel, outbox):
    """The core sends the rest under the batch's number; the first file may be at the printer's already."""
    async with channel:
        first = await send(channel, [message(1), message(2, address="nowhere")])
        before = contents(outbox)
        letters_of(outbox).unlink()  # the mail house took it away
        second = await send(channel, [message(1), message(2), message(3)])
    assert second[1] == first[1]
    assert {second[key].provider_id for key in (2, 3)} == {
        *("D7_uk-dl-left_001_of_001-2.pdf#1", "D7_uk-dl-left_001_of_001-2.pdf#2")
    }
    after = contents(outbox)
    assert {
        name: after.get(name, b"") for name in before if not name.endswith("_001.pdf")
    }.items() <= before.items()


async def test_a_file_without_its_manifest_was_never_handed_over(channel, outbox):
    """A crash between the two renames: the next attempt writes both."""
    async with channel:
        await send(channel, [message(1), message(2)])
        before = contents(outbox)
        job(outbox, "001.csv").unlink()
        (outbox / "D7" / "D7_uk-dl-left_001_of_001.csv.part").write_bytes(b"half")
        assert (await channel.reconcile(message(1), WHEN)).verdict is Verdict.UNREACHABLE
        await send(channel, [message(1), message(2)])
    assert contents(outbox) == before


async def test_files_of_several_batches_stand_side_by_side(channel, outbox):
    async with channel:
        await send(channel, [message(1)], number=1, total=2)
        await send(channel, [message(2)], number=2, total=2)
    assert sorted(path.name for path in (outbox / "D7").glob("*_00?.pdf")) == [
        *("D7_uk-dl-left_001_of_002.pdf", "D7_uk-dl-left_002_of_002.pdf")
    ]


async def test_an_empty_batch_writes_nothing(channel, outbox):
    async with channel:
        assert await send(channel, []) == {}
    assert not outbox.exists()


async def test_reconcile_finds_a_letter_or_proves_that_it_was_not_handed_over(channel):
    async with channel:
        sent = await send(channel, [message(1)])
        found = await channel.reconcile(message(1), WHEN)
        absent = await channel.reconcile(message(2), WHEN)
        late = await channel.reconcile(message(1), WHEN + timedelta(days=36_500))
    assert found is not None
    assert found.provider_id == sent[1].provider_id
    assert absent is not None
    assert absent.verdict is Verdict.UNREACHABLE
    assert late is not None
    assert late.verdict is Verdict.UNREACHABLE


# -- when something breaks


async def test_an_outbox_that_cannot_be_written_leaves_every_letter_to_be_sent_again(channel, outbox):
    outbox.write_text("a file where a folder should be")
    async with channel:
        outcomes = await send(channel, [message(1), message(2)])
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.UNREACHABLE}
    assert "cannot be written" in outcomes[1].detail


async def test_a_disk_that_fills_up_half_way_hands_nothing_over(channel, outbox, monkeypatch):
    whole = manifest._write_private

    def full(path: Path, data: bytes) -> None:
        if "_totals" in path.name:
            raise OSError(28, "No space left on device")
        whole(path, data)

    monkeypatch.setattr(manifest, "_write_private", full)
    async with channel:
        outcomes = await send(channel, [message(1)])
        assert outcomes[1].verdict is Verdict.UNREACHABLE
        assert not [path for path in (outbox / "D7").iterdir() if path.suffix != ".part"]
        monkeypatch.undo()
        assert (await send(channel, [message(1)]))[1].verdict is Verdict.ACCEPTED
    assert not list((outbox / "D7").glob("*.part"))


async def test_a_defect_stops_the_channel_and_tells_nobodys_name(channel, outbox, monkeypatch):
    monkeypatch.setattr(printfile.PrintFile, "pages", property(lambda self: 77))
    async with channel:
        outcomes = await send(channel, [message(1)])
    assert outcomes[1].verdict is Verdict.MISCONFIGURED
    assert "WrongFile" in outcomes[1].detail
    assert not (outbox / "D7").exists()


async def test_an_address_that_slips_out_of_its_window_stops_the_file(channel, monkeypatch):
    """The look through the window at the finished file bites."""
    shifted = printfile.PrintFile._stamps
    monkeypatch.setattr(
        printfile.PrintFile,
        "_stamps",
        lambda self: shifted(self) | {"address": {"x": 24.6, "y": 62, "width": 95.4, "height": 26.8}},
    )
    async with channel:
        outcomes = await send(channel, [message(1)])
    assert outcomes[1].verdict is Verdict.MISCONFIGURED


async def test_a_reference_that_leads_elsewhere_is_refused(channel, outbox):
    async with channel:
        outcomes = await send(channel, [message(1)], reference="../D7")
    assert outcomes[1].verdict is Verdict.MISCONFIGURED
    assert not outbox.exists()


async def test_a_worker_that_is_killed_hands_nothing_over_and_another_takes_its_place(outbox):
    channel = LetterChannel(LetterSettings(outbox=outbox, workers=1), CITY)
    many = [message(key) for key in range(1, 1501)]
    async with channel:
        await send(channel, [message(9001)], reference="D1")
        sending = asyncio.create_task(send(channel, many))
        await asyncio.sleep(0.1)
        for process in channel._executor._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        outcomes = await sending
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.UNREACHABLE}
        assert not (outbox / "D7").exists()
        again = await send(channel, many[:3])
    assert {outcome.verdict for outcome in again.values()} == {Verdict.ACCEPTED}


async def test_a_sender_that_gives_up_half_way_is_told_the_truth_by_reconcile(channel, outbox):
    """The file is written to its end; asking waits for that."""
    async with channel:
        sending = asyncio.create_task(send(channel, [message(key) for key in range(1, 301)]))
        while not channel._running:
            await asyncio.sleep(0.001)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        found = await channel.reconcile(message(300), WHEN)
        written = letters_of(outbox).exists()
    assert found is not None
    assert (found.verdict is Verdict.ACCEPTED) == written


HUB = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from channels.letter import LetterChannel, LetterSettings
    from letter_texts import CITY, batch, send, text, address
    from channels.contract import Message

    async def main():
        channel = LetterChannel(LetterSettings(outbox=Path({outbox!r}), workers=1), CITY)
        made = channel.compose(text())
        messages = [Message(key, address(key), (made,), "Ana") for key in range(1, 3001)]
        async with channel:
            await send(channel, messages[:1], reference="D1")
            asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGKILL)
            print(*(process.pid for process in channel._executor._processes.values()), flush=True)
            await send(channel, messages[1:], reference="D2")

    if __name__ == "__main__":
        asyncio.run(main())
    """
)


def test_a_worker_ends_with_the_hub_and_writes_nothing_after_it(tmp_path):
    """R35: after a crash, what the manifests say must not change any more."""
    script, outbox = tmp_path / "hub.py", tmp_path / "outbox"
    script.write_text(HUB.format(tests=str(Path(__file__).parent), outbox=str(outbox)))
    hub = subprocess.run(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
        env=os.environ | {"PYTHONPATH": str(Path.cwd())}, check=False,
    )  # fmt: skip
    assert hub.returncode == -signal.SIGKILL
    workers = [int(pid) for pid in hub.stdout.split()]
    assert workers
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)
    assert not (outbox / "D2").exists()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# -- the rest of the contract


def test_a_mail_house_calls_nobody_back(channel):
    with pytest.raises(CallbackRefused):
        channel.read_callback(CallbackRequest("https://x", {}, b""))
    assert channel.answer(Event(EventKind.REPLY), "thanks").body == b"thanks"


async def test_the_check_finds_nothing_wrong_with_a_good_city(channel):
    findings = await channel.check()
    assert {finding.level for finding in findings} == {Level.OK}
    assert {f"fonts for {language}" for language in CITY.languages} <= {
        finding.subject for finding in findings
    }


async def test_the_check_names_what_is_wrong_and_its_cure(outbox, monkeypatch):
    outbox.write_text("a file where a folder should be")
    city = replace(CITY, postal_address=(), name="Riverton \U0001e900", languages=("en",))
    findings = await LetterChannel(LetterSettings(outbox=outbox), city).check()
    wrong = {finding.subject: finding for finding in findings if finding.level is not Level.OK}
    assert set(wrong) == {"outbox", "return address", "layout"}
    assert all(finding.cure for finding in wrong.values())
    assert "NOTIFY_LETTER__OUTBOX" in wrong["outbox"].cure


async def test_the_check_says_when_a_languages_phrases_have_no_glyphs(channel, monkeypatch):
    monkeypatch.setattr("channels.letter.adapter.templates.phrases", lambda _: {"a": "\U0001e900"})
    findings = [finding for finding in channel._fonts() if finding.level is Level.ERROR]
    assert len(findings) == len(CITY.languages)


async def test_an_open_channel_is_needed_to_send(channel):
    outcomes = await send(channel, [message(1)])
    assert outcomes[1].verdict is Verdict.MISCONFIGURED


@pytest.mark.slow
async def test_memory_stays_flat_from_file_to_file(outbox):
    """Typst keeps its last ten compilations: without eviction each file adds to the process."""
    script = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1] / "bench")!r})
        import bench_letters
        bench_letters.child(int(sys.argv[1]), 1000)
        """
    )
    peaks = []
    for count in (4000, 12_000):  # the first files still fill the caches
        done = subprocess.run(
            [sys.executable, "-c", script, str(count)], capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout.split()[0]))
    assert peaks[1] < 1.2 * peaks[0]
