"""What the columns of a history file mean. Pure.

wide    timestamp, device, spindle_temp, power      a column for each parameter
narrow  timestamp, device, parameter, value[, text] a row for each reading
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warehouse.errors import InvalidInputError

TIME_NAMES: Final = ("timestamp", "ts", "time", "datetime", "date_time", "date", "_time", "zeit", "zeitstempel")
DEVICE_NAMES: Final = ("device", "device_key", "machine", "machine_id", "device_id", "asset", "equipment", "maschine")
PARAMETER_NAMES: Final = ("parameter", "parameter_key", "metric", "tag", "field", "_field", "measurement", "signal", "name")
VALUE_NAMES: Final = ("value", "_value", "val", "reading", "wert")
TEXT_NAMES: Final = ("text", "text_value", "string_value")


@dataclass(frozen=True)
class Columns:
    """Names that a person gave, where a file uses others than we know; empty for those that we shall find."""

    time: str = ""
    device: str = ""
    parameter: str = ""
    value: str = ""


@dataclass(frozen=True)
class Layout:
    """What each column is."""

    time: str
    device: str
    """Empty: the file is of one machine that the caller names."""
    parameters: tuple[str, ...] = ()
    """Of a wide file: the columns that are parameters."""
    parameter: str = ""
    """Of a narrow file, as are the following."""
    value: str = ""
    text: str = ""

    @property
    def is_narrow(self) -> bool:
        """True for one reading a row."""
        return bool(self.parameter)


def layout_of(columns: Sequence[str], named: Columns = Columns(), *, one_device: bool = False) -> Layout:
    """The layout of a file with these columns; narrow when it has both a parameter and a value column.

    With `one_device` the file need not name machines. Raises InvalidInputError when a column is missing.
    """
    time = _find(columns, named.time, TIME_NAMES)
    device = _find(columns, named.device, DEVICE_NAMES)
    if not time:
        raise _missing("time", TIME_NAMES, columns, "--time-column")
    if not device and not one_device:
        raise _missing("machine", DEVICE_NAMES, columns, "--device-column, or --device for a file of one machine")
    rest = [column for column in columns if column not in {time, device}]
    parameter, value = _find(rest, named.parameter, PARAMETER_NAMES), _find(rest, named.value, VALUE_NAMES)
    if parameter and value:
        return Layout(time, device, parameter=parameter, value=value, text=_find(rest, "", TEXT_NAMES))
    if named.parameter or named.value:
        raise _missing("parameter and value", PARAMETER_NAMES + VALUE_NAMES, columns, "--parameter-column and --value-column")
    if not rest:
        raise _missing("parameter", ("spindle_temp",), columns, "a column for each parameter")
    return Layout(time, device, parameters=tuple(rest))


def _find(columns: Sequence[str], named: str, known: Sequence[str]) -> str:
    if named:
        if named not in columns:
            raise InvalidInputError(f"the file has no column {named!r}; it has {', '.join(columns)}", path=named)
        return named
    lowered = {column.strip().lower(): column for column in reversed(columns)}
    return next((lowered[name] for name in known if name in lowered), "")


def _missing(what: str, known: Sequence[str], columns: Sequence[str], option: str) -> InvalidInputError:
    message = f"no {what} column among {', '.join(columns) or 'no columns'}; known names are {', '.join(known)}; otherwise give {option}"
    return InvalidInputError(message, path=what)
