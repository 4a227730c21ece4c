"""The commands as a person types them, against the sandbox in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from world import ENGLISH, SPANISH, readers

from notify.cli import acting, main


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


Notify = Callable[..., Answer]

CSV = "name,phone,email,language,consent\n" + "".join(
    f"{row['name']},{row['phone']},{row['email']},{row['language']},all\n"
    for row in [*readers(3), *readers(2, "es", start=20)]
)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The sandbox as a process; its settings."""
    folder = tmp_path_factory.mktemp("sandbox")
    process = subprocess.Popen(
        [sys.executable, "-m", "channels.sandbox", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(10)


@pytest.fixture
def environment(tmp_path: Path, stand_ins: dict[str, Any]) -> dict[str, str]:
    """A city of its own with every channel on, as variables."""
    given = {
        "NOTIFY_DATABASE_URL": f"sqlite:///{tmp_path / 'city.db'}",
        "NOTIFY_STATE_DIR": str(tmp_path / "state"),
        "NOTIFY_CITY__NAME": "Rivermouth",
        "NOTIFY_CITY__TIMEZONE": "America/Los_Angeles",
        "NOTIFY_PUBLIC_URL": "http://127.0.0.1:9",
        "NOTIFY_LETTER__OUTBOX": str(tmp_path / "letters"),
        "COLUMNS": "200",
    }
    for channel, values in stand_ins.items():
        given |= {f"NOTIFY_{channel}__{name}".upper(): str(value) for name, value in values.items()}
    return given


@pytest.fixture
def notify(
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Notify]:
    """Runs one command as `notify` does, in this process: the program takes seconds to load."""
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: str = "", **more: str) -> Answer:
        acting.hub.cache_clear()
        capfd.readouterr()
        with monkeypatch.context() as patch:
            for name, value in (environment | more).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["notify", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = capfd.readouterr()
        return Answer(int(status or 0), out, err)

    yield run
    structlog.reset_defaults()  # the program chose where its log goes


def good(result: Answer) -> str:
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def refused(result: Answer) -> str:
    assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    return result.stderr


def test_the_whole_way_on_the_command_line(notify: Notify, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(CSV, "utf-8")
    (tmp_path / "library.md").write_text(ENGLISH.replace("kind: update", "kind: crisis"), "utf-8")
    (tmp_path / "biblioteca.md").write_text(SPANISH, "utf-8")
    good(notify("staff", "add", "ana@city.example", "--role", "author"))
    good(notify("staff", "add", "ben@city.example", "--role", "approver"))
    good(notify("staff", "add", "tara@city.example", "--role", "translator"))
    dry = json.loads(
        good(notify("contacts", "import", "people.csv", "--list", "all-residents", "--dry-run", "--json"))
    )
    assert (dry["rows"], dry["created"]) == (5, 5)
    good(notify("contacts", "import", "people.csv", "--list", "all-residents"))
    drafted = json.loads(good(notify("statement", "draft", "library.md", "--json")))
    number = str(drafted["statement"])
    good(notify("translation", "set", number, "es", "biblioteca.md"))
    assert "not approved" in good(notify("translation", "list", number))
    good(notify("translation", "approve", number, "es", "--as", "tara@city.example"))
    good(notify("statement", "submit", number))
    assert "role approver" in refused(notify("statement", "approve", number, "--as", "ana@city.example"))
    good(notify("statement", "approve", number, "--as", "ben@city.example"))
    forecast = json.loads(
        good(
            notify(
                "dispatch",
                "plan",
                number,
                "--to",
                "all-residents",
                "--channels",
                "sms,email",
                "--dry-run",
                "--json",
            )
        )
    )
    assert forecast["messages"] == 10
    planned = json.loads(
        good(notify("dispatch", "plan", number, "--to", "all-residents", "--channels", "sms,email", "--json"))
    )
    dispatch = str(planned["dispatch"])
    report = json.loads(good(notify("dispatch", "start", dispatch, "--json")))
    assert report["state"] == "done"
    assert report["accepted"] == 10
    assert report["balanced"] is True
    assert "Every one of them is accounted for" in good(notify("dispatch", "report", dispatch))
    good(notify("audit", "verify"))
    assert not list((tmp_path / "state" / "journal").glob("*.journal"))


def test_the_program_itself_starts_and_ends_with_a_status(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    program = [str(Path(sys.executable).with_name("notify"))]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFY_")}
    for words, status in ((["--version"], 0), (["statement", "show", "7"], 1), (["no-such-command"], 2)):
        answer = subprocess.run(
            program + words, cwd=tmp_path, env=clean | environment, capture_output=True, timeout=120
        )
        assert answer.returncode == status, answer.stderr


def test_the_author_cannot_approve_on_the_command_line(notify: Notify, tmp_path: Path) -> None:
    (tmp_path / "library.md").write_text(ENGLISH, "utf-8")
    good(notify("staff", "add", "ana@city.example", "--role", "author", "--role", "approver"))
    good(notify("statement", "draft", "library.md", "--as", "ana@city.example"))
    good(notify("statement", "submit", "1"))
    assert "second person" in refused(notify("statement", "approve", "1", "--as", "ana@city.example"))
    assert "not approved" in refused(notify("dispatch", "plan", "1", "--to", "all", "--channels", "sms"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("statement", "draft", "nowhere.md"), "nowhere.md cannot be read"),
        (("statement", "show", "77"), "no statement 77"),
        (("statement", "submit", "77"), "no statement 77"),
        (("dispatch", "report", "77"), "no dispatch 77"),
        (("dispatch", "plan", "77", "--to", "all", "--channels", "sms"), "no statement 77"),
        (("statement", "approve", "1", "--as", "nobody@city.example"), "no statement 1"),
        (("statement", "from-playbook", "no-such-playbook"), "no-such-playbook"),
        (("statement", "from-playbook", "first-hours", "--set", "place"), "key=value"),
        (("staff", "add", "not an address", "--role", "author"), "no email address"),
        (("contacts", "import", "nowhere.csv", "--list", "x"), "cannot be read"),
        (("timetable", "next", "never"), "no timetable"),
        (("channels", "test", "pigeon", "x"), "pigeon is off or unknown"),
        (("channels", "test", "sms", "12"), "area code"),
        (("playbook", "show", "first-hours", "--language", "tlh"), "has no tlh"),
    ],
)
def test_what_does_not_fit_is_refused_with_place_and_cure(
    notify: Notify, words: tuple[str, ...], told: str
) -> None:
    assert told in refused(notify(*words))


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("NOTIFY_CITY__TIMEZONE", "Mars/Olympus", "NOTIFY_CITY__TIMEZONE"),
        ("NOTIFY_CITY__COUNTRY", "Narnia", "NOTIFY_CITY__COUNTRY"),
        ("NOTIFY_PUBLIC_URL", "our site", "NOTIFY_PUBLIC_URL"),
        ("NOTIFY_CTY__NAME", "x", "Did you mean NOTIFY_CITY"),
        ("NOTIFY_SMS__FORM", "x", "NOTIFY_SMS__FORM"),
        ("NOTIFY_SMS__AUTH_TOKEN_FILE", "/nowhere/token", "the file cannot be read"),
        ("NOTIFY_EMAIL__SECURITY", "maybe", "NOTIFY_EMAIL__SECURITY"),
        ("NOTIFY_TELEGRAM__TOKEN", "short", "NOTIFY_TELEGRAM__TOKEN"),
        ("NOTIFY_CONFIG", "nowhere.toml", "no settings file nowhere.toml"),
        ("NOTIFY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x", "NOTIFY_DATABASE_URL"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_with_its_cure(
    notify: Notify, variable: str, value: str, told: str
) -> None:
    if variable == "NOTIFY_SMS__AUTH_TOKEN_FILE":
        answer = notify("statement", "list", NOTIFY_SMS__AUTH_TOKEN="", **{variable: value})
    else:
        answer = notify("statement", "list", **{variable: value})
    assert told in refused(answer)


def test_init_writes_settings_that_load_and_config_masks_secrets(notify: Notify, tmp_path: Path) -> None:
    good(
        notify("init", "--name", 'Saint "Paul"', "--timezone", "America/Chicago", "--languages", "en,so,hmn")
    )
    assert "is there already" in refused(notify("init"))
    shown = json.loads(good(notify("config", "--json", NOTIFY_CITY__NAME="Rivermouth")))
    assert shown["city"]["languages"] == ["en", "so", "hmn"]
    assert shown["city"]["name"] == "Rivermouth"  # the environment wins
    assert shown["sms"]["auth_token"] == "********"
    assert shown["telegram"]["token"] == "********"


def test_init_that_does_not_fit_leaves_nothing_behind(notify: Notify, tmp_path: Path) -> None:
    assert "time zone" in refused(notify("init", "--timezone", "Nowhere"))
    assert list(tmp_path.glob("*.toml*")) == []
    assert list(tmp_path.glob(".*.toml*")) == []


def test_the_doctor_names_a_cure_for_each_finding(notify: Notify) -> None:
    answer = notify("doctor", "--json")
    findings = json.loads(answer.stdout)
    assert answer.returncode == 1  # nobody on the staff can approve yet
    subjects = {each["subject"].split(":")[0] for each in findings}
    assert {"database", "clock", "staff", "sms", "email", "telegram", "letter"} <= subjects
    assert all(each["cure"] for each in findings if each["level"] != "ok")


def test_a_statement_can_be_read_from_standard_input(notify: Notify) -> None:
    good(notify("staff", "add", "ana@city.example", "--role", "author"))
    assert "is drafted" in good(notify("statement", "draft", "-", stdin=ENGLISH))


def test_every_command_explains_itself(notify: Notify) -> None:
    for words in (
        (),
        ("statement",),
        ("dispatch",),
        ("dispatch", "plan"),
        ("contacts", "import"),
        ("timetable", "add"),
    ):
        assert "Usage" in notify(*words, "--help").stdout
