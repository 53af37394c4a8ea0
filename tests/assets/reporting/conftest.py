"""A small plant whose report can be made in seconds, and documents of one page."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from assets.reporting.blocks import Document, document
from assets.reporting.words import language
from tests.fixtures.people import PASSWORD
from tests.fixtures.warehouse import migrate
from warehouse import reports
from warehouse.access.passwords import hash_password
from warehouse.clock import ManualClock
from warehouse.installation import Installation
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory, User
from warehouse.models.work import Report
from warehouse.queries.summary import local_midnight
from warehouse.readings import READINGS
from warehouse.settings import Settings
from warehouse.tenancy import system_session

START = datetime(2026, 3, 2, 17, tzinfo=UTC)  # midnight of 3 March in Ho Chi Minh City
END = START + timedelta(days=2)
HOSTILE = '=cmd|#"]);**@fig-nowhere`'
NAMES = ("Máy phay Đà Nẵng", "آلة الضغط", "北京数控机床", HOSTILE)


@dataclass
class Plant:
    """An installation with one factory whose person can sign with PASSWORD."""

    installation: Installation
    factory_id: int
    user_id: int

    def order(self, formats: tuple[str, ...] = ("pdf",), *, end: datetime = END, **more: Any) -> Report:
        """A pending report of the last two days before `end`."""
        inst = self.installation
        asked = reports.NewReport(end - timedelta(days=2), end, formats, **more)
        return reports.order(inst.db, inst.clock, self.factory_id, self.user_id, asked)


def plant_readings(factory_id: int, device_ids: list[int], start: datetime = START) -> pl.DataFrame:
    """Two days before `start` and two of the period, every five minutes; the third machine falls silent for six hours."""
    steps = pl.DataFrame({"step": range(4 * 288)}).with_columns(
        ts=pl.lit(start - timedelta(days=2)).cast(pl.Datetime("us", "UTC")) + pl.duration(minutes=5 * pl.col("step")),
    )
    wave, is_hot = (pl.col("step") / 40 + pl.col("device_id")).sin(), pl.col("step") == 700
    values = {"power": 8000 + 3000 * wave, "spindle_temp": 60 + 8 * wave + 15 * is_hot.cast(pl.Int8)}
    rows = pl.DataFrame({"device_id": device_ids}).join(steps, how="cross")
    silent = (pl.col("device_id") == (device_ids[2] if len(device_ids) > 2 else -1)) & pl.col("ts").is_between(
        start + timedelta(hours=10), start + timedelta(hours=16), closed="none"
    )
    whole = pl.concat(rows.with_columns(parameter=pl.lit(key), value=value.round(2)) for key, value in values.items())
    return (
        whole.filter(~silent)
        .with_columns(
            factory_id=pl.lit(factory_id), text=pl.lit(None, pl.String), received_at=pl.col("ts") + pl.duration(milliseconds=120)
        )
        .select(READINGS.names())
        .cast(READINGS)
    )  # fmt: skip


def make_plant(home: Path, *, names: tuple[str, ...] = NAMES, with_data: bool = True, end_now: bool = False) -> Plant:
    """A plant of its own in `home`; with `end_now` its readings end at the factory's last midnight."""
    if not with_data and names == NAMES:
        shutil.copytree(_empty_home(), home)
        return _opened(home)
    plant = _opened(home)
    _fill(plant.installation, names, with_data=with_data, end_now=end_now)
    return plant


@cache
def _empty_home() -> Path:
    """A plant without readings, made once for all tests of a process: migrations and password take a second."""
    folder = Path(tempfile.mkdtemp(prefix="factoryops-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    plant = _opened(folder / "home")
    _fill(plant.installation, NAMES, with_data=False, end_now=False)
    plant.installation.close()
    return folder / "home"


def _opened(home: Path) -> Plant:
    settings = Settings(factoryops_home=home, app_env="development", jwt_secret_key="for-tests-only-" + "x" * 32)
    return Plant(Installation.open(settings, ManualClock(END + timedelta(hours=6))), 1, 7)


def _fill(installation: Installation, names: tuple[str, ...], *, with_data: bool, end_now: bool) -> None:
    migrate(installation.db)
    with system_session(installation.db, "set up a test") as session:
        session.add(Factory(id=1, name='Nhà máy "Đông Á" 工厂', slug="donga", timezone="Asia/Ho_Chi_Minh"))
        session.flush()
        session.add(
            User(
                id=7,
                factory_id=1,
                email="linh@donga.example",
                name="Linh Trần",
                hashed_password=hash_password(PASSWORD),
                role="admin",
                permissions={"generate_reports": True},
            )
        )
        created = START - timedelta(days=10)
        session.add(
            Rule(
                id=1,
                factory_id=1,
                name="Spindle hot =1+1",
                severity="critical",
                scope="global",
                conditions={"parameter": "spindle_temp", "operator": "gt", "threshold": 75},
                created_at=created,
            )
        )
        for number, name in enumerate(names, start=1):
            session.add(
                Device(
                    id=number,
                    factory_id=1,
                    device_key=f"M{number} {name}"[:100],
                    name=name,
                    kind="CNC mill",
                    region="Hall A" if number < 3 else "",
                    created_at=created,
                )
            )
            session.flush()
            for key, unit in (("power", "W"), ("spindle_temp", "°C")):
                session.add(
                    DeviceParameter(factory_id=1, device_id=number, parameter_key=key, display_name=key.replace("_", " "), unit=unit)
                )
        session.flush()
        if with_data and names:
            raised = START + timedelta(hours=10, minutes=20)
            session.add(
                Alert(
                    id=1,
                    factory_id=1,
                    rule_id=1,
                    device_id=1,
                    triggered_at=raised,
                    severity="critical",
                    message="81 °C, limit 75",
                    created_at=raised,
                    acknowledged_at=raised + timedelta(minutes=4),
                    acknowledged_by=7,
                    resolved_at=raised + timedelta(hours=1),
                    resolved_by=7,
                    resolution_comment="=Hose replaced",
                )
            )
            session.add(
                Alert(
                    id=2,
                    factory_id=1,
                    rule_id=1,
                    device_id=min(2, len(names)),
                    triggered_at=raised + timedelta(hours=3),
                    severity="critical",
                    message="79 °C",
                    created_at=raised,
                )
            )
    if with_data and names:
        now = datetime.now(UTC)
        start = local_midnight(now, "Asia/Ho_Chi_Minh").astimezone(UTC) - timedelta(days=2) if end_now else START
        installation.lake.append(plant_readings(1, list(range(1, len(names) + 1)), start))


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Four machines with names in Vietnamese, Arabic and Chinese, and one that tries everything."""
    found = make_plant(tmp_path / "home")
    yield found
    found.installation.close()


@pytest.fixture
def empty_plant(tmp_path: Path) -> Iterator[Plant]:
    """The same machines without one reading."""
    found = make_plant(tmp_path / "home", with_data=False)
    yield found
    found.installation.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plant, Report]]:
    """A compliance report with every format, made once for a module. Tests that change something take `plant`."""
    from assets.reporting.run import run

    plant = make_plant(tmp_path_factory.mktemp("made") / "home")
    report = plant.order(("pdf", "excel", "json", "html", "csv", "parquet"))
    assert run(plant.installation, report.id) == "complete"
    yield plant, reports.find(plant.installation.db, 1, report.id)
    plant.installation.close()


def meta(**more: Any) -> dict[str, Any]:
    """The facts of every page."""
    return {
        "title": "Test",
        "factory": "North",
        "period": "today",
        "run": "R-1",
        "zone": "UTC",
        "sealed": [2026, 1, 2, 3, 4, 5],
        "language": "en",
        "paper": "a4",
        "words": language("en").template_words(),
        "signatures": [],
        **more,
    }


def one_page(text: str = "A page.") -> Document:
    """The smallest report."""
    return document(meta(), [{"kind": "heading", "level": 1, "text": "One"}, {"kind": "prose", "paragraphs": [text]}])


def picture(size: tuple[int, int] = (900, 300), form: str = "PNG") -> bytes:
    """A small red picture, as a logo."""
    out = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, format=form)
    return out.getvalue()
