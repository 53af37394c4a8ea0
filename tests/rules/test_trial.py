"""Backtests over the lake: with baselines, beside the present version, and from the command line."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from factoryops.cli import app
from rules.baselines import LiveBaselines, usual_hours
from rules.schedule import microseconds
from rules.trial import Unsaved, rule_named, try_rule, try_unsaved
from tests.rules.installation import HOT, START, add_device, add_factory, add_rule
from tests.warehouse.frames import series
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.rollups import replace_window
from warehouse.settings import Settings

HOUR = timedelta(hours=1)
VALUES = [70.0, 85.0, 86.0, 70.0, 82.0, 70.0]


def a_plant(db: Database) -> tuple[int, int]:
    factory = add_factory(db)
    return factory, add_device(db, factory)


def test_a_rule_is_tried_beside_its_present_version(sqlite_database: Database, lake: Lake) -> None:
    """One reading a minute: over 80 at 1-2 and at 4, over 83 at 1-2 only."""
    factory, device = a_plant(sqlite_database)
    rule = add_rule(sqlite_database, factory, devices=[device], cooldown_minutes=0)
    lake.append(series(device, "spindle_temp", VALUES, factory_id=factory))
    changed = {"conditions": {**HOT, "threshold": 83}}
    done: list[tuple[int, int]] = []
    trial = try_rule(
        sqlite_database, lake, factory, rule, START, START + HOUR, changed=changed, progress=lambda now, of: done.append((now, of))
    )
    assert trial.present is not None
    assert trial.comparison is not None
    minute = timedelta(minutes=1)
    assert [(one.start, one.end, one.values, one.repeats) for one in trial.found.episodes] == [
        (START + minute, START + 3 * minute, {"spindle_temp": 85.0}, 1)
    ]
    assert [one.start for one in trial.present.episodes] == [START + minute, START + 4 * minute]
    assert (trial.comparison.both, len(trial.comparison.only_new), len(trial.comparison.only_present)) == (1, 0, 1)
    assert trial.found.share_firing == pytest.approx(2 / 60)
    assert done == [(1, 2), (2, 2)]


FIELDS = {
    "name": "Hot", "scope": "device", "conditions": {**HOT, "threshold": 83}, "cooldown_minutes": 0.0, "severity": "high",
    "schedule_type": "always", "schedule_config": None, "notification_channels": None, "is_active": True,
}  # fmt: skip


def test_a_rule_that_is_not_saved_yet_is_tried_alone_and_beside_the_one_it_is_to_replace(sqlite_database: Database, lake: Lake) -> None:
    factory, device = a_plant(sqlite_database)
    other = add_device(sqlite_database, factory, "M02")
    for number in (device, other):
        lake.append(series(number, "spindle_temp", VALUES, factory_id=factory))
    alone = try_unsaved(sqlite_database, lake, factory, Unsaved(FIELDS, [device]), START, START + HOUR)
    assert (len(alone.found.episodes), alone.present, alone.comparison) == (1, None, None)
    rule = add_rule(sqlite_database, factory, devices=[device], cooldown_minutes=0)
    done: list[tuple[int, int]] = []
    unsaved = Unsaved({**FIELDS, "scope": "global"}, (), rule)
    beside = try_unsaved(sqlite_database, lake, factory, unsaved, START, START + HOUR, progress=lambda now, of: done.append((now, of)))
    assert beside.present is not None
    assert beside.comparison is not None
    assert (beside.found.device_ids, beside.present.device_ids) == ((device, other), (device,))
    assert (len(beside.found.episodes), len(beside.present.episodes)) == (2, 2)
    assert (beside.comparison.both, len(beside.comparison.only_new), len(beside.comparison.only_present)) == (1, 1, 1)
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_an_unsaved_rule_reaches_no_other_factory(sqlite_database: Database, lake: Lake) -> None:
    mine, _ = a_plant(sqlite_database)
    theirs = add_factory(sqlite_database)
    device = add_device(sqlite_database, theirs)
    rule = add_rule(sqlite_database, theirs, name="Theirs")
    for unsaved in (Unsaved(FIELDS, [device]), Unsaved({**FIELDS, "scope": "global"}, (), rule)):
        with pytest.raises(NotFoundError):
            try_unsaved(sqlite_database, lake, mine, unsaved, START, START + HOUR)


def test_another_factorys_rule_cannot_be_tried(sqlite_database: Database, lake: Lake) -> None:
    mine, other = a_plant(sqlite_database)[0], add_factory(sqlite_database)
    add_device(sqlite_database, other)
    rule = add_rule(sqlite_database, other, name="Theirs")
    with pytest.raises(NotFoundError):
        try_rule(sqlite_database, lake, mine, rule, START, START + HOUR)
    with pytest.raises(NotFoundError, match="known: none"):
        rule_named(sqlite_database, mine, "Theirs")


def test_the_baseline_is_the_same_hour_of_the_week_live_and_in_a_backtest(
    sqlite_database: Database, lake: Lake, plant: tuple[int, int]
) -> None:
    """A week ago the hour went 69, 71, 69 ...: 70 +- 1. Now 72 is within three deviations, 74 is not."""
    factory, device = a_plant(sqlite_database)
    for weeks, values in ((1, [69.0] * 5 + [71.0] * 5), (0, [72.0, 74.0, 72.0])):
        start_s = -weeks * 7 * 86_400.0
        lake.append(series(device, "spindle_temp", values * (6 if weeks else 1), start_s=start_s, factory_id=factory))
    replace_window(lake, "5m", START - timedelta(days=7), START - timedelta(days=7) + HOUR)
    rule = add_rule(
        sqlite_database, factory, {"parameter": "spindle_temp", "operator": "outside", "deviations": 3, "weeks": 2}, devices=[device]
    )
    trial = try_rule(sqlite_database, lake, factory, rule, START, START + HOUR)
    assert [(one.start, one.values["spindle_temp"]) for one in trial.found.episodes] == [(START + timedelta(minutes=1), 74.0)]
    usual = LiveBaselines(sqlite_database, lambda: lake)
    assert usual(device, "spindle_temp", 2, microseconds(START) + 1) == pytest.approx((70.0, 1.0))
    assert usual(device, "spindle_temp", 2, microseconds(START + HOUR)) is None
    assert usual(device + 99, "spindle_temp", 2, microseconds(START)) is None


def test_the_same_hour_of_the_week_follows_the_factorys_clock_over_a_change_of_time() -> None:
    """Berlin leaves summer time on 2026-10-25: 08:00 a week before is two hours ahead of UTC, 08:00 after it one."""
    before = datetime(2026, 10, 20, 6, 0, tzinfo=UTC)
    buckets = [before + timedelta(minutes=5 * i) for i in range(12)]
    rollups = pl.DataFrame(
        {"device_id": [1] * 12, "bucket": buckets, "mean": [70.0] * 12}, schema_overrides={"bucket": pl.Datetime("us", "UTC")}
    )
    hours = [microseconds(datetime(2026, 10, 27, hour, 0, tzinfo=UTC)) for hour in (6, 7)]
    assert usual_hours(rollups, hours, "Europe/Berlin", 1).rows() == [(1, hours[1], 70.0, 0.0)]


def test_the_command_line_tries_lints_exports_and_imports(tmp_path: Path, sqlite_template: Path) -> None:
    settings = Settings(factoryops_home=tmp_path)
    shutil.copy(sqlite_template, tmp_path / "factoryops.sqlite")
    installation, now = Installation.open(settings), SystemClock().now()
    factory, device = a_plant(installation.db)
    add_rule(installation.db, factory, devices=[device])
    started_s = (now - START).total_seconds() - 3600
    installation.lake.append(series(device, "spindle_temp", VALUES, start_s=started_s, factory_id=factory))
    installation.close()
    home = ["--home", str(tmp_path)]

    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["rules", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "Spindle Overheat: 1 alerts on 1 machines" not in said("template")
    told = said("backtest", "spindle overheat", "--since", "2h", *home)
    assert "Spindle Overheat: 1 alerts on 1 machines, 1.67 % of their time" in told
    assert "M01" in told
    assert "spindle_temp 85" in told
    file = tmp_path / "rules.yaml"
    said("export", "--out", str(file), *home)
    file.write_text(file.read_text().replace("threshold: 80", "threshold: 90"))
    compared = said("backtest", "1", "--since", "2h", "--against", str(file), *home)
    assert "0 alerts on 1 machines" in compared
    assert "in both 0, only in the new one 0, only in the present one 1" in compared
    assert "~ Spindle Overheat (changed)" in said("import", str(file), "--dry-run", *home)
    assert "~ Spindle Overheat (changed)" in said("import", str(file), *home)
    assert said("import", str(file), *home).endswith("= Spindle Overheat (same)\n")
    assert said("lint", "1", *home).endswith("nothing to warn of\n")
    assert "for_minutes: 5" in said("template", "spindle-overheat")
