"""Anomalies in plain words: "Vibration was 35 % above what this machine does at this load (2.9 instead of 2.1 mm/s)"."""

from collections.abc import Mapping
from typing import Final

from assets.models.anomaly.episodes import Contribution

SMALL_PERCENT: Final = 1.0
HUGE_PERCENT: Final = 1000.0


def sentence(found: tuple[Contribution, ...], names: Mapping[str, str], units: Mapping[str, str], *, with_load: bool) -> str:
    """One sentence for an anomaly. `names` and `units` of parameters by key; `with_load`: the machine's regimes are known."""
    if not found:
        return "The parameters together did not fit what this machine usually does; none stands out."
    first, *others = found
    compared = "what this machine does at this load" if with_load else "what is usual under the same conditions"
    text = f"{_name(first, names)} was {_how(first, compared)}{_figures(first, units)}"
    if others:
        text += "; also " + " and ".join(f"{_name(each, names)} {_side(each)}{_figures(each, units)}" for each in others)
    return text[0].upper() + text[1:] + "."


def _name(found: Contribution, names: Mapping[str, str]) -> str:
    return names.get(found.parameter) or found.parameter.replace("_", " ")


def _how(found: Contribution, compared: str) -> str:
    percent = found.percent
    if percent is None or not SMALL_PERCENT <= abs(percent) <= HUGE_PERCENT:
        return f"{'above' if found.measured >= found.expected else 'below'} {compared}"
    return f"{abs(percent):.0f} % {'above' if percent > 0 else 'below'} {compared}"


def _side(found: Contribution) -> str:
    percent = found.percent
    if percent is None or not SMALL_PERCENT <= abs(percent) <= HUGE_PERCENT:
        return "higher" if found.measured >= found.expected else "lower"
    return f"{percent:+.0f} %".replace("-", "−")


def _figures(found: Contribution, units: Mapping[str, str]) -> str:
    unit = units.get(found.parameter, "")
    pair = _pair(found.measured, found.expected)
    return f" ({pair[0]} instead of {pair[1]}{' ' + unit if unit else ''})"


def _pair(measured: float, expected: float) -> tuple[str, str]:
    """Both with as many decimals as it takes to see that they differ, at least three digits."""
    size, apart = max(abs(measured), abs(expected), 1e-12), max(abs(measured - expected), 1e-12)
    decimals = 0
    while decimals < 6 and (size * 10**decimals < 100 or apart * 10**decimals < 1):
        decimals += 1
    # Rounded first, and + 0: a hair below zero is zero.
    return f"{round(measured, decimals) + 0.0:,.{decimals}f}", f"{round(expected, decimals) + 0.0:,.{decimals}f}"
