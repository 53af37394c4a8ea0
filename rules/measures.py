"""What conditions look at beside last values, worked out from the remembered readings of one device: aggregates, arrivals, baselines. Pure.

Aggregates are rounded to nine decimals, so that the live evaluator and the backtest, which add in another order, agree at a threshold.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rules.conditions import Aggregate, Comparison, Deviation, Leaf, Measure, Missing, Range
from rules.engine import MINUTE_US
from rules.memory import DeviceMemory, Said

DECIMALS: Final = 9
Baseline = tuple[float, float]
"""Mean and standard deviation."""
BaselineAt = Callable[[int, str, int, int], Baseline | None]
"""Of a device and parameter, over so many weeks, for the hour of a device time; None: not known."""


def no_baseline(_device_id: int, _parameter: str, _weeks: int, _at_us: int) -> Baseline | None:
    """For whoever has no history."""
    return None


def worked_out(leaves: Iterable[Leaf], device: DeviceMemory, device_id: int, at_us: int, baseline_at: BaselineAt) -> dict[str, float | str]:
    """The values that these leaves look at, by key; what is not known is left out."""
    found: dict[str, float | str] = {}
    for leaf in leaves:
        if isinstance(leaf, Comparison | Range):
            value = _measured(leaf, device, at_us)
            if value is not None:
                found[leaf.measure.key(leaf.parameter)] = value
        elif isinstance(leaf, Missing):
            series = device.series.get(leaf.parameter)
            arrived = None if series is None else series.arrived_at(at_us)
            if arrived is not None:
                found[leaf.key] = arrived
        elif isinstance(leaf, Deviation):
            baseline = baseline_at(device_id, leaf.parameter, leaf.weeks, at_us)
            if baseline is not None:
                found[leaf.mean_key], found[leaf.deviation_key] = baseline
    return found


def aggregate(measure: Measure, times: Sequence[int], values: Sequence[Said]) -> float | None:
    """An aggregate of the readings of its window (times in microseconds); texts do not count. None when there is nothing to say."""
    pairs = [(time, value) for time, value in zip(times, values, strict=True) if value is not None and not isinstance(value, str)]
    if measure.aggregate is Aggregate.COUNT:
        return float(len(pairs))
    if not pairs:
        return None
    numbers = [value for _, value in pairs]
    if measure.aggregate is Aggregate.MEAN:
        found = math.fsum(numbers) / len(numbers)
    elif measure.aggregate is Aggregate.STDDEV:
        mean = math.fsum(numbers) / len(numbers)
        found = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
    elif measure.aggregate is Aggregate.RATE:
        if len(pairs) < 2:
            return None
        found = (numbers[-1] - numbers[0]) / ((pairs[-1][0] - pairs[0][0]) / MINUTE_US)
    else:
        found = min(numbers) if measure.aggregate is Aggregate.MIN else max(numbers)
    return round(found, DECIMALS)


def _measured(leaf: Comparison | Range, device: DeviceMemory, at_us: int) -> float | None:
    series = device.series.get(leaf.parameter)
    if series is None or series.arrived_at(at_us) is None:
        return None
    return aggregate(leaf.measure, *series.window(at_us, leaf.measure.window_us))
