"""What every kind of analysis is given and gives back. The kinds know nothing of rows, runs and stores: `run` does all that for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from warehouse.errors import PermanentError
from warehouse.installation import Installation

LEAST_HOURS: Final = 48
"""So many hours of a machine's data a model of what is usual needs."""
Tell = Callable[[float, str], None]
"""Percent (0-100) and stage in a few words. Raises CancelledError when somebody has cancelled the analysis."""


class NotEnoughDataError(PermanentError):
    """An analysis cannot be believed on so little data. The message says what there is and what it needs."""


class CancelledError(PermanentError):
    """Somebody cancelled the analysis while it ran."""


@dataclass(frozen=True)
class Inputs:
    """An ordered analysis over [start, end), aware UTC. `device_ids` belong to `factory_id`."""

    installation: Installation
    factory_id: int
    device_ids: Sequence[int]
    start: datetime
    end: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    job_id: str = ""


@dataclass(frozen=True)
class Result:
    """What an analysis found.

    `summary`: JSON for API, page and report, with one sentence under "headline" and a list of sentences under "findings".
    `tables`: by name of the lake table or file. `charts`: SVG bytes by name.
    """

    summary: dict[str, Any]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    charts: dict[str, bytes] = field(default_factory=dict)


Analyse = Callable[[Inputs, Tell], Result]
