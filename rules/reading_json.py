"""Reads decoded JSON piece by piece; every refusal names the place (`$.conditions[1].operator`) and what is allowed there. Pure."""

import math
from collections.abc import Iterable, Mapping

from warehouse.errors import InvalidInputError


def _finite(number: float) -> float | None:
    try:
        found = float(number)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return found if math.isfinite(found) else None


def number_at(document: Mapping[str, object], key: str, path: str, *, least: float | None = None, most: float | None = None) -> float:
    """A finite number, within the limits if there are any (the lower one itself excluded when it is 0)."""
    found = document.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise refused(f"{path}.{key}", f"must be a number, not {kind_of(found)}")
    number = _finite(found)
    if number is None:
        raise refused(f"{path}.{key}", "must be a finite number")
    if (least is not None and (number < least or (least == 0 and number == 0))) or (most is not None and number > most):
        beginning = "more than 0" if least == 0 else f"at least {least:g}"
        raise refused(f"{path}.{key}", f"must be {beginning}" + ("" if most is None else f" and at most {most:g}") + f", not {number:g}")
    return number


def whole_at(document: Mapping[str, object], key: str, path: str, *, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    number = number_at(document, key, path, least=least, most=most)
    if not number.is_integer():
        raise refused(f"{path}.{key}", f"must be a whole number, not {number:g}")
    return int(number)


def mapping_at(document: object, path: str, keys: Iterable[str]) -> Mapping[str, object]:
    """An object that has none but these keys."""
    if not isinstance(document, Mapping):
        raise refused(path, f"must be an object, not {kind_of(document)}", tuple(keys))
    known_keys(document, path, keys)
    return document


def known_keys(document: Mapping[str, object], path: str, keys: Iterable[str]) -> None:
    """Refuses other keys."""
    for key in document:
        if key not in keys:
            raise refused(f"{path}.{key}", "is not known here", tuple(keys))


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    names = {
        type(None): "null",
        bool: "true or false",
        str: "a text",
        list: "a list",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), type(value).__name__)


def refused(path: str, problem: str, allowed: Iterable[object] = ()) -> InvalidInputError:
    """The error to raise."""
    choices = [str(value) for value in allowed]
    advice = f"; allowed: {', '.join(choices)}" if choices else ""
    return InvalidInputError(f"{path} {problem}{advice}", path=path, allowed=choices)
