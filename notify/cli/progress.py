"""A dispatch as it happens: channel by language by state, with bars; and what it came to in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from notify.dispatch.models import DeliveryState
from notify.dispatch.plan import Forecast
from notify.dispatch.report import SAID, Count, Report
from templates import language_name

_DONE = {DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED}
BAR = 10  # columns: the table has to fit a terminal of 80
_SHOWN = ("accepted", "delivered", "to go", "unknown", "failed")
_COLOURS = {"accepted": "green", "delivered": "green", "to go": "cyan", "unknown": "yellow", "failed": "red"}


def live(report: Report, channels: Sequence[str]) -> RenderableType:
    """The table that is redrawn while a dispatch is under way."""
    grid = Table(
        header_style="bold", title=f"Dispatch {report.dispatch_id}: {report.state}", title_justify="left"
    )
    grid.add_column("channel", no_wrap=True)
    grid.add_column("language", no_wrap=True)
    grid.add_column("", width=BAR)
    for name in _SHOWN:
        grid.add_column(name, justify="right")
    for channel, language in _rows(report, channels):
        found = [
            each for each in report.counts if (each.channel, _language(each.language)) == (channel, language)
        ]
        figures = _figures(found)
        total = sum(each.rows for each in found if each.state != DeliveryState.SKIPPED)
        if not total:
            continue
        bar = ProgressBar(total=total, completed=total - figures["to go"], width=BAR)
        cells = [
            Text(str(figures[name] or "·"), style=_COLOURS[name] if figures[name] else "dim")
            for name in _SHOWN
        ]
        grid.add_row(channel, language, bar, *cells)
    notes = [Text(f"{channel} is held: {reason}", style="red") for channel, reason in report.holds.items()]
    skipped = report.of(DeliveryState.SKIPPED)
    return Group(grid, Text(f"{skipped} in the audience are not written to.", style="dim"), *notes)


def _rows(report: Report, channels: Sequence[str]) -> list[tuple[str, str]]:
    found = {(each.channel, _language(each.language)) for each in report.counts if each.channel}
    return sorted(found, key=lambda row: (channels.index(row[0]) if row[0] in channels else 99, row[1]))


def _figures(found: Sequence[Count]) -> dict[str, int]:
    def of(*states: str) -> int:
        return sum(each.rows for each in found if each.state in states)

    return {
        "accepted": of(*_DONE),
        "delivered": of(DeliveryState.DELIVERED),
        "to go": of(DeliveryState.PLANNED, DeliveryState.SENDING),
        "unknown": of(DeliveryState.UNKNOWN),
        "failed": of(DeliveryState.FAILED),
    }


def _language(tags: str) -> str:
    """The language's name; households that read several share one row."""
    return "several languages" if "," in tags else language_name(tags, "en")


def in_words(report: Report) -> list[str]:
    """What happened to whom, a line each."""
    lines = [
        f"{report.audience:,} in the audience: {report.accepted:,} accepted by the providers, "
        f"{report.of(DeliveryState.DELIVERED):,} of these confirmed as delivered so far."
    ]
    for state, said in (
        (DeliveryState.UNDELIVERED, "accepted, but not delivered"),
        (DeliveryState.SKIPPED, "not written to"),
        (DeliveryState.FAILED, "failed"),
        (DeliveryState.UNKNOWN, "unknown"),
    ):
        reasons = report.by_reason(state)
        lines += [f"{count:>6,} {said}: {SAID.get(reason, reason)}" for reason, count in reasons.items()]
    if report.to_go:
        lines.append(f"{report.to_go:>6,} still to go")
    lines.append("Every one of them is accounted for." if report.balanced else "THE SUM DOES NOT ADD UP.")
    lines += [f"{channel} is held: {reason}" for channel, reason in report.holds.items()]
    return lines


def forecast(found: Forecast, currency: str) -> Table:
    """What would leave: people, parts and cost by channel and language."""
    grid = Table(header_style="bold", title="What would leave", title_justify="left", show_footer=True)
    grid.add_column("channel", "all")
    grid.add_column("language")
    grid.add_column("messages", f"{found.people:,}", justify="right")
    grid.add_column("units", justify="right")
    grid.add_column("cost", f"{currency} {found.cost:,.2f}", justify="right")
    for line in found.lines:
        grid.add_row(
            line.channel, _language(line.language), f"{line.people:,}", f"{line.parts:,} {line.unit}",
            f"{currency} {line.cost:,.2f}",
        )  # fmt: skip
    return grid


def left_out(found: Forecast) -> list[str]:
    """Who would not be written to: a line for each reason, the most frequent first."""
    by_reason: dict[str, dict[str, int]] = {}
    for (channel, reason), count in sorted(found.skipped.items()):
        by_reason.setdefault(reason, {})[channel] = count
    in_turn = sorted(by_reason.items(), key=lambda item: -sum(item[1].values()))
    lines = [
        f"{sum(counts.values()):>8,}  {SAID.get(reason, reason)}{_by_channel(counts)}"
        for reason, counts in in_turn
    ]
    return ["Not written to:", *lines] if lines else []


def _by_channel(counts: Mapping[str, int]) -> str:
    """Only where there are several: of 12, sms 9 and letter 3."""
    named = {channel: count for channel, count in counts.items() if channel}
    if len(named) < 2:
        return "".join(f" ({channel})" for channel in named)
    return f" ({', '.join(f'{channel} {count:,}' for channel, count in named.items())})"


def local(moment: datetime | None, zone: str) -> str:
    """A moment on the city's clock."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}" if moment else ""
