"""READINGS frames for tests, written as short as the test's point allows."""

from datetime import UTC, datetime, timedelta

import polars as pl

from warehouse.readings import READINGS

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment `seconds` after START."""
    return START + timedelta(seconds=seconds)


def readings(*rows: tuple[int, str, float, float], factory_id: int = 1, received_s: float | None = None) -> pl.DataFrame:
    """READINGS from (device_id, parameter, seconds after START, value); received at device time or at `received_s`."""
    return pl.DataFrame(
        [
            {
                "factory_id": factory_id,
                "device_id": device_id,
                "parameter": parameter,
                "ts": at(seconds),
                "value": value,
                "text": None,
                "received_at": at(seconds if received_s is None else received_s),
            }
            for device_id, parameter, seconds, value in rows
        ],
        schema=READINGS,
    )


def series(
    device_id: int, parameter: str, values: list[float], *, step_s: float = 60, start_s: float = 0, factory_id: int = 1
) -> pl.DataFrame:
    """READINGS of one parameter at a steady pace from START + start_s on."""
    return readings(*((device_id, parameter, start_s + i * step_s, v) for i, v in enumerate(values)), factory_id=factory_id)
