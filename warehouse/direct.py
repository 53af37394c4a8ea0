"""Read-only SQL on the tables of one factory, for engineers and notebooks.

What this keeps apart are questions, not people: whoever may run it on the machine may read the files and databases of the installation as
well. People who shall see one factory only are given the REST API or the dashboards.
"""

from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import select

from warehouse.catalogue import TABLES
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.lake import Lake
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory
from warehouse.own_tables import FactoryTables
from warehouse.settings import Settings
from warehouse.tables import LAKE, READABLE, SHAPES
from warehouse.tenancy import system_session, tenant_session

_TYPES: Final = {"device_id": pl.Int32, "alert_id": pl.Int64, "is_kpi": pl.Boolean}
_MOMENTS: Final = ("last_seen", "triggered_at", "resolved_at")


def connect(factory: str, settings: Settings | None = None) -> FactoryTables:
    """Asks the tables of one factory (its slug); `docs/reference/tables.md` names them.

    No question reaches another factory's rows (`warehouse.own_tables`). Beside that the lake is attached read-only and configuration is
    locked: no statement could write, load an extension or read another file.
    Machines, parameters and alerts are copies from the moment of the call. Raises NotFoundError for an unknown factory.
    """
    found = settings or Settings.load()
    db = Database(found.operational_url)
    try:
        factory_id = _factory_id(db, factory)
        copies = {"devices": _devices(db, factory_id), "parameters": _parameters(db, factory_id), "alerts": _alerts(db, factory_id)}
    finally:
        db.dispose()
    connection = Lake(found).attach_read_only()
    for table in READABLE:
        connection.execute(f"CREATE VIEW {table} AS SELECT {SHAPES[table].visible} FROM {LAKE}.{table} WHERE factory_id = {factory_id}")  # noqa: S608  # constants and a number
    for table, frame in copies.items():
        connection.register("copied", frame.to_arrow())
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM copied")  # noqa: S608  # names of TABLES
        connection.unregister("copied")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")
    return FactoryTables(connection, TABLES)


def _factory_id(db: Database, slug: str) -> int:
    with system_session(db, "which factory is asked for") as session:
        factories = {factory.slug: factory.id for factory in session.scalars(select(Factory))}
    if slug not in factories:
        message = f"there is no factory {slug!r}; there are: {', '.join(sorted(factories)) or 'none'}"
        raise NotFoundError(message, noun="factory", key=slug)
    return factories[slug]


def _frame(table: str, rows: list[tuple[object, ...]]) -> pl.DataFrame:
    columns = TABLES[table][1]
    schema = {name: pl.Datetime("us", "UTC") if name in _MOMENTS else _TYPES.get(name, pl.String) for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _devices(db: Database, factory_id: int) -> pl.DataFrame:
    with tenant_session(db, factory_id) as session:
        found = session.scalars(select(Device).order_by(Device.device_key)).all()
    return _frame("devices", [(d.id, d.device_key, d.name or d.device_key, d.kind, d.region, d.last_seen) for d in found])


def _parameters(db: Database, factory_id: int) -> pl.DataFrame:
    with tenant_session(db, factory_id) as session:
        found = session.scalars(select(DeviceParameter)).all()
    return _frame("parameters", [(p.device_id, p.parameter_key, p.display_name, p.unit, p.is_kpi_selected) for p in found])


def _alerts(db: Database, factory_id: int) -> pl.DataFrame:
    with tenant_session(db, factory_id) as session:
        found = session.execute(select(Alert, Rule.name).join(Rule, Rule.id == Alert.rule_id).order_by(Alert.id)).all()
    rows: list[tuple[object, ...]] = [(a.id, a.device_id, name, a.severity, a.triggered_at, a.resolved_at) for a, name in found]
    return _frame("alerts", rows)


def describe(connection: FactoryTables, now: datetime) -> str:
    """What a shell says at its start: the tables and how much is in the main ones."""
    rows = connection.execute("SELECT count(*) FROM devices").fetchall()[0][0]
    return f"{len(TABLES)} tables: {', '.join(TABLES)}. {rows} machines. {now:%Y-%m-%d %H:%M} UTC. Ctrl-D ends."
