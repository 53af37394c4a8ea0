"""What a parameter is probably called and measured in, from its key alone. A suggestion: what a person wrote is never touched. Pure."""

import re
from typing import Final, NamedTuple


class Suggestion(NamedTuple):
    """Name on screens, and unit (empty when nothing speaks for one)."""

    display_name: str
    unit: str


# Units that people write behind a name, such as `energy_kwh`.
_SUFFIXES: Final = {
    "degc": "°C", "celsius": "°C", "degf": "°F", "fahrenheit": "°F", "kelvin": "K",
    "kw": "kW", "mw": "MW", "wh": "Wh", "kwh": "kWh", "mwh": "MWh", "va": "VA", "kva": "kVA", "var": "var", "kvar": "kvar",
    "kv": "kV", "mv": "mV", "ma": "mA", "ka": "kA", "hz": "Hz", "khz": "kHz", "mhz": "MHz", "ohm": "Ω",
    "pa": "Pa", "hpa": "hPa", "kpa": "kPa", "mpa": "MPa", "bar": "bar", "mbar": "mbar", "psi": "psi",
    "rpm": "rpm", "mm": "mm", "cm": "cm", "um": "µm", "km": "km", "mps": "m/s", "mms": "mm/s", "ms2": "m/s²",
    "sec": "s", "secs": "s", "seconds": "s", "ms": "ms", "min": "min", "minutes": "min", "hours": "h",
    "kg": "kg", "liters": "L", "litres": "L", "lpm": "L/min", "lph": "L/h", "m3": "m³", "m3h": "m³/h",
    "nm": "N·m", "kn": "kN", "db": "dB", "dba": "dB(A)", "lux": "lx", "ppm": "ppm",
    "pct": "%", "percent": "%", "perc": "%", "pcs": "pcs",
}  # fmt: skip
# A letter is a unit only behind the quantity that has it (by its usual unit): `inlet_temp_c`, but not `zone_a`.
_LETTER_SUFFIXES: Final = {
    ("c", "°C"): "°C", ("f", "°C"): "°F", ("k", "°C"): "K", ("w", "W"): "W", ("v", "V"): "V", ("a", "A"): "A",
    ("s", "s"): "s", ("h", "h"): "h",
}  # fmt: skip
# Compound suffixes, before single ones.
_LONG_SUFFIXES: Final = {
    ("mm", "s"): "mm/s", ("m", "s"): "m/s", ("m", "s2"): "m/s²", ("l", "min"): "L/min", ("l", "h"): "L/h", ("m3", "h"): "m³/h",
    ("kg", "h"): "kg/h", ("deg", "c"): "°C", ("deg", "f"): "°F", ("kw", "h"): "kWh", ("w", "h"): "Wh",
}  # fmt: skip
# The quantity that a word names. Later words of a key weigh more: `motor_speed_temp` is a temperature.
_QUANTITIES: Final = {
    "temp": "°C", "temperature": "°C", "power": "W", "energy": "kWh", "voltage": "V", "current": "A", "frequency": "Hz", "freq": "Hz",
    "pressure": "bar", "vibration": "mm/s", "humidity": "%", "load": "%", "level": "%", "efficiency": "%", "utilization": "%",
    "utilisation": "%", "flow": "L/min", "torque": "N·m", "rpm": "rpm", "thd": "%", "weight": "kg", "mass": "kg", "cycle_time": "s",
    "duration": "s", "runtime": "h", "noise": "dB", "spindle_speed": "rpm", "motor_speed": "rpm", "fan_speed": "rpm",
    "pump_speed": "rpm", "shaft_speed": "rpm", "rotor_speed": "rpm", "belt_speed": "m/s", "conveyor_speed": "m/s",
    "line_speed": "m/min", "power_factor": "", "reactive_power": "var", "apparent_power": "VA",
}  # fmt: skip
_SHORT_FOR: Final = {
    "temp": "temperature", "freq": "frequency", "avg": "average", "amb": "ambient", "hyd": "hydraulic", "cnt": "count",
    "qty": "quantity", "spd": "speed", "pres": "pressure", "press": "pressure", "vib": "vibration", "curr": "current", "volt": "voltage",
    "pwr": "power", "hum": "humidity", "temps": "temperatures", "num": "number", "pos": "position",
}  # fmt: skip
_LETTERS: Final = frozenset(
    {"rpm", "pid", "plc", "cnc", "oee", "rms", "thd", "cpu", "id", "co2", "ph", "dc", "ac", "l1", "l2", "l3", "x", "y", "z"}
)
_SPELLINGS: Final = {"ph": "pH", "co2": "CO2"}
_PARTS: Final = re.compile(r"[kKM]?Wh(?![a-z])|[A-Z]+[0-9]*(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+")


def suggest(parameter_key: str) -> Suggestion:
    """The name and unit to begin with: `spindle_temp` is "Spindle temperature" in °C. A key without words keeps itself as its name."""
    words = [part for word in _PARTS.findall(parameter_key) for part in _without_number(word.lower())]
    if not words or not parameter_key.isascii():
        return Suggestion(parameter_key, "")
    unit, named = _written_unit(words)
    spelled = [_SHORT_FOR.get(word, word) for word in named]
    unit = unit if unit is not None else _implied_unit(spelled)
    said = " ".join(_spelling(word) for word in spelled)
    return Suggestion(said[0].upper() + said[1:] if spelled[0] not in _SPELLINGS else said, unit)


def _written_unit(words: list[str]) -> tuple[str | None, list[str]]:
    """The unit that the key ends with, and the words before it; (None, all words) when it ends with none."""
    if len(words) > 2 and (unit := _LONG_SUFFIXES.get((words[-2], words[-1]))):
        return unit, words[:-2]
    if len(words) > 1:
        usual = _implied_unit([_SHORT_FOR.get(word, word) for word in words[:-1]])
        unit = _SUFFIXES.get(words[-1]) or _LETTER_SUFFIXES.get((words[-1], usual))
        if unit:
            return unit, words[:-1]
    return None, words


def _without_number(word: str) -> list[str]:
    """`temp1` is a word and a number; `co2`, `l1` and `m3h` are what they are."""
    name = word.rstrip("0123456789")
    return [name, word[len(name) :]] if name != word and (name in _SHORT_FOR or name in _QUANTITIES) else [word]


def _implied_unit(words: list[str]) -> str:
    for end in range(len(words), 0, -1):
        for begin in (end - 2, end - 1):
            unit = _QUANTITIES.get("_".join(words[max(0, begin) : end]))
            if unit is not None:
                return unit
    return ""


def _spelling(word: str) -> str:
    return _SPELLINGS.get(word) or (word.upper() if word in _LETTERS else word)
