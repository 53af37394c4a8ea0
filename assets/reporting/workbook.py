"""The Excel file: summary, days with native charts, machines, alerts, gaps, raw readings. Text of people never becomes a formula."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from assets.reporting import measures
from assets.reporting.run_data import RunData
from assets.reporting.sheet_rows import Rows, write_rows
from assets.reporting.tabular import FORMULA_SIGNS, clean

MOST_RAW_ROWS: Final = 120_000
ROWS_A_SHEET: Final = 1_000_000
ALERTS_OF: Final = {
    "critical": "Alerts, critical", "high": "Alerts, high", "medium": "Alerts, medium", "low": "Alerts, low",
}  # fmt: skip
_HEAD: Final = Font(bold=True, color="FFFFFF")
_HEAD_FILL: Final = PatternFill("solid", fgColor="0B6470")
RawReader = Callable[[Sequence[int], Sequence[str], timedelta | None], pl.DataFrame]
"""Machines, parameters, interval (None: as they came) -> `warehouse.queries.report_data.wide_readings`."""


@dataclass(frozen=True)
class RawPlan:
    """How raw readings fit: None means every reading."""

    interval: timedelta | None


def raw_plan(readings: int, parameters_a_machine: float, machine_hours: float) -> RawPlan:
    """Every reading when the moments fit into MOST_RAW_ROWS, otherwise means of the finest interval that does; pure."""
    if readings / max(parameters_a_machine, 1) <= MOST_RAW_ROWS:
        return RawPlan(None)
    for seconds in (60, 300, 600, 1800, 3600, 4 * 3600):
        if machine_hours * 3600 / seconds <= MOST_RAW_ROWS:
            return RawPlan(timedelta(seconds=seconds))
    return RawPlan(timedelta(days=1))


def write_workbook(run: RunData, raw: RawReader, path: Path) -> None:
    """Writes the whole file piece by piece, so that memory stays small. Times are UTC without zone, as the heads say.

    The same data give the same bytes.
    """
    book = Workbook(write_only=True)
    book.properties.creator = "FactoryOps"
    book.properties.title = f"{run.facts['title']} {run.facts['run']}"
    book.properties.created = book.properties.modified = run.prepared_at.astimezone(UTC).replace(tzinfo=None)
    _summary(book, run)
    _days(book, run)
    _machines(book, run)
    _alerts(book, run)
    _gaps(book, run)
    filled = list(_raw(book, run, raw))
    draft = path.with_suffix(".draft")
    book.save(draft)
    # openpyxl knows the names of its parts only after saving.
    write_rows(draft, path, {sheet.path.lstrip("/"): rows for sheet, rows in filled}, run.prepared_at)
    draft.unlink()


def text(sheet: Any, value: object, **style: Any) -> Any:
    """A cell that holds exactly this text."""
    found = clean(value)
    cell = WriteOnlyCell(sheet, value=found)
    cell.data_type = "s"
    cell.quotePrefix = found.startswith(FORMULA_SIGNS)
    for name, setting in style.items():
        setattr(cell, name, setting)
    return cell


def _sheet(book: Workbook, title: str, columns: Sequence[str], widths: Sequence[float], rows: int) -> Any:
    """A sheet with a frozen, filtered head."""
    sheet = book.create_sheet(clean(title).translate({ord(sign): " " for sign in "[]:*?/\\'"})[:31])
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{rows + 1}"
    sheet.append([text(sheet, name, font=_HEAD, fill=_HEAD_FILL, alignment=Alignment(wrap_text=True, vertical="top")) for name in columns])
    return sheet


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _rounded(value: float | None, places: int = 3) -> float | None:
    return None if value is None else round(value, places)


def _summary(book: Workbook, run: RunData) -> None:
    t, q = run.words, run.quality
    sheet = book.create_sheet(clean(t("Summary")))
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width, sheet.column_dimensions["C"].width = 44, 40, 12
    sheet.append([text(sheet, run.facts["title"], font=Font(bold=True, size=16, color="0B6470"))])
    facts: list[tuple[str, Any, str]] = [
        (t("Factory"), run.facts["factory"]["name"], ""),
        (t("Period begins (UTC)"), _utc(run.start), ""),
        (t("Period ends (UTC)"), _utc(run.end), ""),
        (t("Report run"), run.facts["run"], ""),
        (t("Lake snapshot"), run.facts["snapshot_id"], ""),
        (t("Data digest, SHA-256"), run.facts["data_sha256"], ""),
        (t("Machines"), len(run.keys), ""),
        (t("Readings"), run.facts["readings"], ""),
        (t("Availability"), _rounded(_percent(run.hours.availability)), "%"),
        (t("Without a fault"), _rounded(_percent(run.hours.without_fault)), "%"),
        (t("Data coverage"), _rounded(_percent(run.coverage_share)), "%"),
        (t("Energy"), _rounded(run.total_kwh), "kWh"),
        *((t(ALERTS_OF[level]), count, "") for level, count in q.by_severity.items()),
        (t("Alerts per hour, mean"), _rounded(q.per_hour), "1/h"),
        (t("Most alerts in 10 minutes"), q.most_in_10_min, ""),
        (t("Critical acknowledged in 10 min"), _rounded(_percent(q.acknowledged_in_time["critical"])), "%"),
        (t("High acknowledged in 30 min"), _rounded(_percent(q.acknowledged_in_time["high"])), "%"),
    ]
    for name, value, unit in facts:
        shown = text(sheet, value) if isinstance(value, str) else value if value is not None else text(sheet, "—")
        sheet.append([text(sheet, name), shown, text(sheet, unit)])


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _days(book: Workbook, run: RunData) -> None:
    t = run.words
    columns = [
        t("Day"),
        t("Availability, %"),
        t("Running, h"),
        t("Idle, h"),
        t("Off, h"),
        t("Fault, h"),
        t("No data, h"),
        t("Energy, kWh"),
        t("Alerts"),
    ]
    sheet = _sheet(book, t("Days"), columns, [14, *[13] * 8], len(run.days))
    for (begin, end), grid in zip(run.days, run.by_day, strict=True):
        hours = measures.hours_of(grid)
        drawing = grid.filter(~pl.col("device_id").is_in(list(run.metered)))
        alerts = measures.within(run.alerts, begin, end, "triggered_at").height
        values = [
            _percent(hours.availability),
            hours.running,
            hours.idle,
            hours.off,
            hours.fault,
            hours.nodata,
            measures.energy_kwh(drawing),
        ]
        sheet.append([text(sheet, f"{run.write.local(begin):%Y-%m-%d}"), *(_rounded(value) for value in values), alerts])
    days = Reference(sheet, min_col=1, min_row=2, max_row=len(run.days) + 1)
    for chart, column, place in ((LineChart(), 2, "K2"), (BarChart(), 8, "K20")):
        chart.title, chart.height, chart.width, chart.legend = columns[column - 1], 8, 16, None
        chart.add_data(Reference(sheet, min_col=column, min_row=1, max_row=len(run.days) + 1), titles_from_data=True)
        chart.set_categories(days)
        # Newer programs hide axes that do not say that they are shown.
        chart.x_axis.delete = chart.y_axis.delete = False
        sheet.add_chart(chart, place)


def _machines(book: Workbook, run: RunData) -> None:
    t = run.words
    columns = [
        t("Machine"), t("Name"), t("Kind"), t("Area"), t("Running, h"), t("Idle, h"), t("Off, h"), t("Fault, h"), t("No data, h"),
        t("Availability, %"), t("Coverage, %"), t("Energy, kWh"), t("Critical"), t("High"), t("Medium"), t("Low"), t("Health"),
    ]  # fmt: skip
    sheet = _sheet(book, t("Machines"), columns, [16, 24, 20, 20, *[11] * 13], len(run.keys))
    shares = dict(run.coverage.select("device_id", "coverage").iter_rows())
    for device, row in run.device_rows.items():
        hours, counts = run.hours_by_device[device], run.counts.get(device, {})
        numbers = [
            hours.running,
            hours.idle,
            hours.off,
            hours.fault,
            hours.nodata,
            _percent(hours.availability),
            _percent(shares.get(device)),
            run.energy.get(device),
        ]
        levels = [counts.get(level, 0) for level in ("critical", "high", "medium", "low")]
        words = [text(sheet, row[name]) for name in ("device_key", "name", "kind", "region")]
        sheet.append([*words, *(_rounded(number) for number in numbers), *levels, measures.health_of(counts)])


def _alerts(book: Workbook, run: RunData) -> None:
    t = run.words
    columns = [
        t("No."), t("Raised (UTC)"), t("Severity"), t("Machine"), t("Alert"), t("Message"), t("Acknowledged (UTC)"), t("Acknowledged by"),
        t("Resolved (UTC)"), t("Resolved by"), t("Cause or action"),
    ]  # fmt: skip
    sheet = _sheet(book, t("Alerts"), columns, [10, 19, 11, 16, 28, 60, 19, 20, 19, 20, 40], run.alerts.height)
    for row in run.alerts.iter_rows(named=True):
        sheet.append(
            [
                f"A-{row['alert_id']}", _utc(row["triggered_at"]), text(sheet, row["severity"]), text(sheet, run.keys.get(row["device_id"], "?")),
                text(sheet, row["title"]), text(sheet, row["message"]), _utc(row["acknowledged_at"]), text(sheet, row["acknowledged_by"]),
                _utc(row["resolved_at"]), text(sheet, row["resolved_by"]), text(sheet, row["comment"]),
            ]
        )  # fmt: skip


def _gaps(book: Workbook, run: RunData) -> None:
    t = run.words
    sheet = _sheet(book, t("Gaps"), [t("Machine"), t("From (UTC)"), t("To (UTC)"), t("Length, min")], [16, 19, 19, 13], run.gaps.height)
    for row in run.gaps.iter_rows(named=True):
        name = text(sheet, run.keys.get(row["device_id"], "?"))
        sheet.append([name, _utc(row["begin"]), _utc(row["end"]), _rounded(row["length"].total_seconds() / 60, 1)])


def _raw(book: Workbook, run: RunData, raw: RawReader) -> Iterator[tuple[Any, Rows]]:
    """A sheet for each kind of machine, with that kind's parameters as columns; and the rows that are to be put into it."""
    if not run.has_data:
        return
    hours = len(run.keys) * (run.end - run.start).total_seconds() / 3600
    plan = raw_plan(run.facts["readings"], run.parameters.height / max(len(run.keys), 1), hours)
    for kind, devices in _kinds(run):
        yield from _raw_sheets(book, run, raw, (kind, devices, plan))


def _kinds(run: RunData) -> Iterator[tuple[str, list[int]]]:
    for (kind,), part in run.devices.group_by("kind", maintain_order=True):
        yield str(kind), part["device_id"].to_list()


def _raw_sheets(book: Workbook, run: RunData, raw: RawReader, what: tuple[str, list[int], RawPlan]) -> Iterator[tuple[Any, Rows]]:
    kind, devices, plan = what
    t = run.words
    mine = run.parameters.filter(pl.col("device_id").is_in(devices)).unique("parameter", keep="first", maintain_order=True)
    keys = mine["parameter"].to_list()
    if not keys:
        return
    heads = [name + (f", {unit}" if unit else "") for name, unit in mine.select("name", "unit").iter_rows()]
    moment = (
        t("Time (UTC)")
        if plan.interval is None
        else t("Time (UTC), means of {minutes} min", minutes=f"{plan.interval.total_seconds() / 60:g}")
    )
    frame = raw(devices, keys, plan.interval).select(
        pl.col("device_id").alias("name"), pl.col("ts").dt.replace_time_zone(None), *(pl.col(f"p{i}").round(3) for i in range(len(keys)))
    )
    for first in range(0, max(frame.height, 1), ROWS_A_SHEET):
        part = frame.slice(first, ROWS_A_SHEET)
        title = f"{t('Raw')} {kind}" + (f" {first // ROWS_A_SHEET + 1}" if first else "")
        sheet = _sheet(book, title, [t("Machine"), moment, *heads], [16, 19, *[13] * len(keys)], part.height)
        names = {device: (clean(run.keys[device]), int(text(sheet, run.keys[device]).style_id)) for device in devices}
        yield sheet, Rows(part, names, int(WriteOnlyCell(sheet, value=datetime(2000, 1, 1)).style_id))  # noqa: DTZ001  # only for its style
