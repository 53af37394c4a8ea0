"""The tables that engineers see, with the meaning and unit of each column; the documentation is written from here."""

from typing import Final

from warehouse.tables import READABLE, SHAPES

_SERIES: Final = {"device_id": "machine; its key and name are in `devices`", "parameter": "key of what was measured, such as `power`"}
_MACHINE_DAY: Final = {"device_id": "machine", "ts": "beginning of the day in the factory's time zone, UTC"}
_ROLLUP: Final = {
    **_SERIES,
    "bucket": "beginning of the bucket, UTC",
    "count": "readings in the bucket",
    "min": "least value, in the parameter's unit",
    "max": "greatest value",
    "sum": "sum of the values",
    "first": "value of the earliest reading",
    "last": "value of the newest reading",
    "covered_s": "seconds for which readings speak: each until the next one, at most 5 min",
    "integral": "time integral, unit x seconds; of `power` in W divided by 3.6e6 it is kWh",
    "mean": "sum / count",
    "time_weighted_mean": "integral / covered_s",
}
TABLES: Final = {
    "telemetry": (
        "Readings as they came, each once.",
        {
            **_SERIES,
            "ts": "device time, UTC",
            "value": "number, in the parameter's unit; empty for text readings",
            "text": "text, such as a program's name; empty for numbers",
            "received_at": "when it arrived, to the millisecond, UTC",
        },
    ),
    "rollup_1m": ("Readings summed up a minute, once its hour has ended.", _ROLLUP),
    "rollup_5m": ("Readings summed up every five minutes.", _ROLLUP),
    "rollup_1h": ("Readings summed up an hour.", _ROLLUP),
    "rollup_1d": ("Readings summed up a day of the factory's time zone, once it has ended.", _ROLLUP),
    "health_scores": (
        "The health score over time, by the hour.",
        {
            "device_id": "machine; empty for the factory as a whole",
            "ts": "when it was computed, UTC",
            "score": "0 to 100",
            "deductions": "points taken off by reason, JSON",
        },
    ),
    "energy_days": (
        "Energy a machine and day of the factory.",
        {
            **_MACHINE_DAY,
            "kwh": "energy",
            "idle_kwh": "of that, drawn while idle",
            "cost": "in the tariff's currency; empty without a tariff",
            "carbon_kg": "kg CO2e by the tariff's grid factor; empty without a tariff",
        },
    ),
    "availability_days": (
        "States a machine and day of the factory; docs/kpis.md defines them.",
        {
            **_MACHINE_DAY,
            **{f"{state}_s": f"seconds in state {state}" for state in ("running", "idle", "fault", "off", "nodata")},
            "stops": "changes from running to idle or fault",
            "failures": "changes to fault",
            "availability": "running / (running + idle + fault), 0 to 1",
        },
    ),
    "oee_days": (
        "Overall equipment effectiveness a machine and day of the factory, for machines that count parts.",
        {
            **_MACHINE_DAY,
            "availability": "0 to 1",
            "performance": "0 to 1",
            "quality": "0 to 1",
            "good_parts": "parts made and good",
            "rejected_parts": "parts made and rejected",
            "oee": "product of the three; empty when one is",
        },
    ),
    "anomalies": (
        "Spans in which a machine did not behave as it usually does.",
        {
            "device_id": "machine",
            "started_at": "UTC",
            "ended_at": "UTC",
            "score": "the greatest anomaly score within; 1 is the limit of what is usual",
            "contributions": "which parameters made it so, and how much, JSON",
            "sentence": "the same in plain words",
            "model_version": "model that found it",
            "job_id": "analysis that found it; empty for the nightly one",
        },
    ),
    "anomaly_scores": (
        "How unusual a machine was over time, once a minute for machines with a model.",
        {"device_id": "machine", "ts": "UTC", "score": "1 is the limit of what is usual", "model_version": "model that said it"},
    ),
    "failure_risks": (
        "How probable it was that a machine fails within a horizon, each time it was computed.",
        {
            "device_id": "machine",
            "ts": "when it was computed, UTC",
            "horizon_h": "hours from then",
            "probability": "0 to 1, calibrated",
            "remaining_life_h": "expected hours until the failure",
            "remaining_life_low_h": "lower end of its interval",
            "remaining_life_high_h": "upper end of its interval",
            "reasons": "what speaks for it, JSON",
            "model_version": "model that said it",
            "job_id": "analysis that said it; empty for the nightly one",
        },
    ),
    "energy_forecasts": (
        "Energy that a machine or the factory was expected to use, each time it was computed.",
        {
            "device_id": "machine; empty for the factory as a whole",
            "made_at": "when it was computed, UTC",
            "ts": "beginning of the interval, UTC",
            "interval_s": "length of the interval",
            "kwh": "expected energy of the interval",
            "kwh_low_80": "lower end of the 80 % interval",
            "kwh_high_80": "upper end of the 80 % interval",
            "kwh_low_95": "lower end of the 95 % interval",
            "kwh_high_95": "upper end of the 95 % interval",
            "cost": "in the tariff's currency; empty without a tariff",
            "model": "which model won the backtest",
            "job_id": "analysis that made it; empty for the nightly one",
        },
    ),
    "devices": (
        "Machines, as they are now.",
        {
            "device_id": "number of the machine",
            "device_key": "its name in topics",
            "name": "its name on screens",
            "kind": "what sort of machine",
            "region": "where it stands",
            "last_seen": "when something last arrived, UTC",
        },
    ),
    "parameters": (
        "What machines measure.",
        {**_SERIES, "display_name": "name on screens", "unit": "unit of the values", "is_kpi": "whether it is shown first"},
    ),
    "alerts": (
        "Alerts, newest rules' names with them.",
        {
            "alert_id": "number of the alert",
            "device_id": "machine",
            "rule": "name of the rule",
            "severity": "critical, high, medium or low",
            "triggered_at": "UTC",
            "resolved_at": "UTC; empty while it is active",
        },
    ),
}
"""Of each table: one sentence, and the meaning of each column, in their order."""


ABOUT: Final = """\
`factoryops shell FACTORY` and `factoryops.notebook.connect(FACTORY)` answer questions (SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES)
to these tables of one factory. Every statement is taken apart before it runs: whatever names something else, such as the lake
itself, a file, or a function that reads one, is refused. What this keeps apart are questions, not people: whoever may run it on the
machine can read the installation's files and databases as well. People who shall see one factory only are given the dashboards or
the REST API."""


def lake_columns(table: str) -> list[str]:
    """The columns of a lake table as a reader bound to a factory sees them."""
    shape = SHAPES[table]
    return [name for name in shape.columns if name not in shape.hidden] + [name for name, _ in shape.derived]


def as_markdown() -> str:
    """The reference of tables and columns."""
    lines = [
        "# Tables for engineers",
        "",
        "Written by `scripts/document_tables.py` from `warehouse/catalogue.py`; a test holds it to the code.",
        "",
    ]
    lines += [ABOUT, ""]
    for table, (said, columns) in TABLES.items():
        kept = "in the lake" if table in READABLE else "from the operational database, copied when the connection is opened"
        lines += [f"## {table}", "", f"{said} Kept {kept}.", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in columns.items()] + [""]
    return "\n".join(lines)
