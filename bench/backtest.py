"""How long `factoryops rules backtest` takes over 30 days of 10 machines that send every 5 s, by kind of condition, reading included.

It makes an installation of its own in the temporary folder and keeps it there for the next run: 41 million readings, compacted as the
maintenance job does.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from bench.readings_plant import TIMEZONE, Group, Plant, fill, roll_up
from rules.trial import rule_named, try_rule
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.alerting import Rule, RuleDevice
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings, child_environment
from warehouse.tenancy import system_session

DAYS: Final = 30
DEVICES: Final = 10
STEP_S: Final = 5
ROUNDS: Final = 3
FOLDER: Final = Path(tempfile.gettempdir()) / "factoryops-bench-backtest"
HOT: Final = {"parameter": "temp", "operator": "gt", "threshold": 104}
SHAKING: Final = {"parameter": "vibration", "operator": "gt", "threshold": 118}
# Each is true in a part of the time: what never happens is quicker.
KINDS: Final[dict[str, dict[str, Any]]] = {
    "comparison": HOT,
    "two parameters held": {"operator": "AND", "conditions": [HOT, SHAKING], "for_minutes": 5},
    "repeated": {**HOT, "repeat": {"times": 3, "within_minutes": 240}},
    "mean of an hour": {"parameter": "power", "aggregate": "mean", "window_minutes": 60, "operator": "gt", "threshold": 10_000},
    "rate": {"parameter": "power", "aggregate": "rate", "window_minutes": 5, "operator": "gt", "threshold": 100},
    "baseline": {"parameter": "temp", "operator": "outside", "deviations": 1.5, "weeks": 1},
    "missing parameter": {"missing": "flow", "for_minutes": 10},
    "silent machine": {"missing": "*", "for_minutes": 10},
    "three of ten": {"at_least": 3, "condition": HOT},
}


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the data once; then the best of three for each kind, and the command itself in a process of its own."""
    settings = Settings(factoryops_home=FOLDER, app_env="demo", log_level="WARNING")
    with closing(Installation.open(settings)) as installation:
        now = installation.clock.now()
        _make(settings, installation, now, progress)
        figures: dict[str, float] = {}
        for name in KINDS:
            progress(f"backtest: {name}")
            figures |= _measured(installation, name, now)
    progress("the command")
    figures["command_s"] = _command_s()
    return {
        "figures": figures,
        "budgets": [{"figure": name, "limit": "< 5"} for name in figures if name.endswith("_s")],
        "notes": f"{DEVICES} machines, {DAYS} days, 8 parameters every {STEP_S} s. A rule reads those that it names; *_alerts: how often "
        "it fired. command_s is the whole command for 'comparison', with the start of Python.",
    }


def _measured(installation: Installation, name: str, now: datetime) -> dict[str, float]:
    times, found = [], None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rule_id = rule_named(installation.db, 1, name)
        found = try_rule(installation.db, installation.lake, 1, rule_id, now - timedelta(days=DAYS), now).found
        times.append(time.perf_counter() - began)
    key = name.replace(" ", "_")
    return {
        f"{key}_s": round(min(times), 2),
        f"{key}_alerts": len(found.episodes) if found else 0,
        f"{key}_readings": found.readings if found else 0,
    }


def _command_s() -> float:
    command = [sys.executable, "-m", "factoryops", "rules", "backtest", "comparison", "--since", f"{DAYS}d", "--home", str(FOLDER)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=child_environment(LOG_LEVEL="WARNING"))
    return round(time.perf_counter() - began, 2)


def _make(settings: Settings, installation: Installation, now: datetime, progress: Callable[[str], None]) -> None:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        fill(lake, Plant(start, DAYS + 1, (Group(1, DEVICES, STEP_S),)), progress)
        roll_up(lake, now, (1,), progress)
    installation.db.migrate()
    with system_session(installation.db, "set up a benchmark", write=True) as session:
        if session.scalar(select(Factory.id)) is None:
            session.add(Factory(id=1, name="Benchmark", slug="bench", timezone=TIMEZONE))
            session.flush()
            session.add_all(Device(id=number, factory_id=1, device_key=f"M{number:02}") for number in range(1, DEVICES + 1))
            session.flush()
        for row in session.scalars(select(Rule)).all():
            session.delete(row)
        session.flush()
        for rule_id, (name, conditions) in enumerate(KINDS.items(), 1):
            session.add(Rule(id=rule_id, factory_id=1, name=name, conditions=conditions, cooldown_minutes=15))
            session.flush()
            links = {"factory_id": 1, "rule_id": rule_id}
            session.add_all(RuleDevice(device_id=number, **links) for number in range(1, DEVICES + 1))
