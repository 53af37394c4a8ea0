"""The lake away for 10 minutes, then the database for 60 s, at 2,000 messages a second: losses, memory, alerts, catching up, health."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from bench.ingest_plant import METRICS_A_MESSAGE, IngestPlant, peak_mb, say, started, until
from factoryops.health import examine
from tests.fixtures.postgres import create_database, running_server, sqlalchemy_url
from warehouse.errors import LakeBusyError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.alerting import AlertRaise, Rule
from warehouse.tenancy import system_session

PER_S: Final = 2_000
DEVICES: Final = 200
LAKE_AWAY_S: Final = 600.0
DATABASE_AWAY_S: Final = 60.0
BEFORE_S: Final = 15.0
AFTER_S: Final = 30.0
WHAT: Final = ("lake", "database")
LIMITS: Final = {
    "lost_readings": "<= 0",
    "repeated_readings": "<= 0",
    "catch_up_ratio": ">= 5",
    "ingest_peak_mb": "< 500",
    "load_peak_mb": "< 900",
}
BUDGETS: Final = [
    *({"figure": f"{what}_away_{figure}", "limit": limit} for what in WHAT for figure, limit in LIMITS.items()),
    {"figure": "lake_away_alerts_meanwhile", "limit": ">= 1"},
]


def run(
    progress: Callable[[str], None], lake_away_s: float = LAKE_AWAY_S, database_away_s: float = DATABASE_AWAY_S, per_s: float = PER_S
) -> dict[str, Any]:
    """Measures on fresh installations in temporary folders."""
    figures, notes = dict[str, Any](), list[str]()
    with tempfile.TemporaryDirectory(prefix="factoryops-bench-") as folder, IngestPlant(Path(folder), devices=DEVICES) as plant:
        lake_folder = plant.settings.catalog_path.parent
        moved = lake_folder.with_name("moved")
        found = Outage(plant, "lake", per_s, progress)
        figures |= found.measure(lake_away_s, lambda: lake_folder.rename(moved), lambda: moved.rename(lake_folder))
        notes += found.said
    with running_server(durable=True) as server, tempfile.TemporaryDirectory(prefix="factoryops-bench-") as folder:
        url = sqlalchemy_url(create_database(server.url))
        with IngestPlant(Path(folder), devices=DEVICES, database_url=url) as plant:
            found = Outage(plant, "database", per_s, progress)
            figures |= found.measure(database_away_s, server.stop, server.start)
            notes += found.said
    return {"figures": figures, "budgets": BUDGETS, "notes": notes}


class Outage:
    """One outage of one installation that receives messages at a steady pace."""

    def __init__(self, plant: IngestPlant, what: str, per_s: float, progress: Callable[[str], None]) -> None:
        self._plant, self._what, self._per_s, self._progress = plant, what, per_s, progress
        self.said: list[str] = []

    def measure(self, away_s: float, take_away: Callable[[], object], bring_back: Callable[[], object]) -> dict[str, Any]:
        """The figures, named after what was away."""
        plant, messages = self._plant, int(self._per_s * (BEFORE_S + away_s + AFTER_S))
        self._add_rule()
        with started(plant):
            plant.start_evaluator()
            loads = plant.loads(messages, self._per_s)
            for load in loads:
                say(load, "go")
            time.sleep(BEFORE_S)
            self._progress(f"{self._what} goes away for {away_s:g} s")
            alerts = self._count(AlertRaise.id)
            take_away()
            self._note_health(away_s)
            figures: dict[str, float] = {} if self._what == "database" else {"alerts_meanwhile": self._count(AlertRaise.id) - alerts}
            bring_back()
            figures |= self._caught_up(messages, away_s)
            until(lambda: self._in_lake()[0] >= messages * METRICS_A_MESSAGE, 300)
            rows, keys = self._in_lake()
            figures |= {"lost_readings": messages * METRICS_A_MESSAGE - keys, "repeated_readings": rows - keys}
            figures |= {f"{name}_peak_mb": peak_mb(plant.ours[name].pid) for name in ("ingest", "load")}
            for load in loads:
                load.communicate()
        return {f"{self._what}_away_{name}": value for name, value in figures.items()}

    def _note_health(self, away_s: float) -> None:
        """Waits for the outage to pass, and notes what /health said towards its end."""
        time.sleep(away_s * 0.9)
        installation = Installation.open(self._plant.settings)
        report = examine(installation)
        installation.close()
        wrong = {name: state for name, state in report.dependencies.items() if state != "ok"}
        self.said.append(f"/health while the {self._what} was away: {report.status}, {wrong}")
        time.sleep(away_s * 0.1)

    def _caught_up(self, messages: int, away_s: float) -> dict[str, Any]:
        """How much faster than its arrival the backlog went."""
        began = time.monotonic()
        backlog = self._per_s * away_s
        if self._what == "database":
            until(lambda: self._safely(self._plant.landed) >= min(messages, self._due(away_s, began)), 300)
        else:
            lake = Lake(self._plant.settings)
            until(lambda: self._lake_is_close(lake), 300)
            lake.close()
        seconds = time.monotonic() - began
        self._progress(f"caught up after {seconds:.1f} s")
        return {"catch_up_s": round(seconds, 2), "catch_up_ratio": round((backlog / seconds + self._per_s) / self._per_s, 1)}

    def _due(self, away_s: float, back_at: float) -> float:
        """Messages that were published until a second ago."""
        return self._per_s * (BEFORE_S + away_s + time.monotonic() - back_at - 1)

    def _lake_is_close(self, lake: Lake) -> bool:
        """Whether the lake is at most 3 s behind."""
        try:
            position = lake.loader_position("main")
        except LakeBusyError:
            return False
        return self._plant.waiting_s(position) < 3

    def _safely(self, ask: Callable[[], int]) -> int:
        try:
            return ask()
        except Exception as away:  # noqa: BLE001  # whatever a database that is starting says
            self._progress(f"not there yet: {str(away)[:60]}")
            return 0

    def _in_lake(self) -> tuple[int, int]:
        lake = Lake(self._plant.settings)
        try:
            found = lake.reader(1).query("SELECT count(*) AS rows, count(DISTINCT (device_id, parameter, ts)) AS keys FROM telemetry")
        finally:
            lake.close()
        return int(found["rows"].item()), int(found["keys"].item())

    def _add_rule(self) -> None:
        conditions = {"parameter": "power", "operator": "gt", "threshold": -1}
        with system_session(self._plant.db, "set up a benchmark", write=True) as session:
            session.add(Rule(factory_id=1, name="Always", scope="global", severity="high", conditions=conditions, cooldown_minutes=0.2))

    def _count(self, column: Any) -> int:
        with system_session(self._plant.db, "count in a benchmark") as session:
            return session.scalar(select(func.count(column))) or 0
