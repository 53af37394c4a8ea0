"""Who works when.

```
Ho Chi Minh   Sat 06:00 ....... Sun 06:00 ....... Mon 06:00        working days Monday to Saturday
three shifts  on ---------------| off ------------| on -----
```
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.simulator.plant import NORDWERK, VPC, PlantFactory, Regime
from ingest.simulator.shifts import local_day, local_time_s, plant_activity, scheduled, shift_number, utc_offset_s


def at(factory: PlantFactory, text: str) -> np.ndarray:
    return np.array([datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(factory.timezone)).timestamp()])


def is_on(factory: PlantFactory, regime: Regime, text: str) -> bool:
    return bool(scheduled(local_time_s(at(factory, text), factory.zone), regime, factory.workdays)[0])


@pytest.mark.parametrize(
    ("factory", "regime", "moment", "expected"),
    [
        (VPC, Regime.THREE_SHIFTS, "2026-11-02 03:00", False),  # the night before Monday still belongs to Sunday
        (VPC, Regime.THREE_SHIFTS, "2026-11-02 06:01", True),
        (VPC, Regime.THREE_SHIFTS, "2026-11-07 23:00", True),  # Saturday night
        (VPC, Regime.THREE_SHIFTS, "2026-11-08 05:59", True),  # until Sunday 06:00
        (VPC, Regime.THREE_SHIFTS, "2026-11-08 12:00", False),
        (NORDWERK, Regime.TWO_SHIFTS, "2026-11-06 21:59", True),
        (NORDWERK, Regime.TWO_SHIFTS, "2026-11-06 22:01", False),
        (NORDWERK, Regime.TWO_SHIFTS, "2026-11-07 12:00", False),  # Saturday
        (NORDWERK, Regime.CONTINUOUS, "2026-11-08 03:00", True),
    ],
)
def test_machines_are_on_in_the_shifts_of_their_regime(factory: PlantFactory, regime: Regime, moment: str, *, expected: bool) -> None:
    assert is_on(factory, regime, moment) is expected


def test_local_time_is_right_on_both_sides_of_summer_time() -> None:
    before, after = at(NORDWERK, "2026-10-25 01:59"), at(NORDWERK, "2026-10-25 03:01")
    assert utc_offset_s(np.concatenate([before, after]), NORDWERK.zone).tolist() == [7200.0, 3600.0]
    assert (after - before)[0] == 2 * 3600 + 120


def test_the_shift_changes_at_six_two_and_ten() -> None:
    hours = local_time_s(at(VPC, "2026-11-02 00:30") + 3600.0 * np.arange(24), VPC.zone)
    changes = np.flatnonzero(np.diff(shift_number(hours))) + 1
    assert changes.tolist() == [6, 14, 22]


def test_the_day_changes_at_local_midnight() -> None:
    assert np.diff(local_day(local_time_s(np.concatenate([at(VPC, "2026-11-02 23:59"), at(VPC, "2026-11-03 00:00")]), VPC.zone))) == 1


def test_the_plant_is_busier_on_a_working_morning_than_on_a_sunday() -> None:
    moments = np.concatenate([at(NORDWERK, "2026-11-03 08:00"), at(NORDWERK, "2026-11-08 08:00")])
    working, sunday = plant_activity(NORDWERK, moments, local_time_s(moments, NORDWERK.zone))
    assert working > sunday + 0.2
