"""How unusual each machine is now: once a minute by the newest models, landed as the machine's parameter `anomaly_score`.

    lake, last 70 min --> grid --> score of the last full minute --> landing log --> rules, live values, history

Whoever reads parameters needs to know nothing of models: a rule `anomaly_score > 1` is a rule like any other.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from assets.analytics.anomaly_models import current_models
from assets.models.anomaly.constants import CONSTANTS
from assets.models.anomaly.detector import Model, latest_score
from assets.models.anomaly.grid import on_grid
from warehouse.derived import ANOMALY_SCORE, DERIVED, land_derived, last_measured
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.queries.summaries import summaries
from warehouse.readings import READINGS

LOOKED_BACK_STEPS: Final = CONSTANTS.smoothing_steps + CONSTANTS.settling_steps + 5
LATEST_ROWS: Final = 3
"""Of a machine that said nothing in so many steps nothing is said."""


@dataclass(frozen=True)
class Tick:
    """What one look did."""

    scored: int
    unusual: int
    """Scores above 1."""
    seconds: float


@dataclass
class LiveScorer:
    """Remembers the models and how far each machine was scored; for one thread at a time."""

    versions: dict[int, str] = field(default_factory=dict)
    models: dict[int, dict[int, Model]] = field(default_factory=dict)
    """By factory and device."""
    scored_until: dict[int, datetime] = field(default_factory=dict)
    """Device time of the newest score of each machine."""

    def tick(self, installation: Installation) -> Tick:
        """Scores every machine of every factory that has a model and news. Raises RetryableError while a storage is away."""
        began, rows = installation.clock.now(), []
        for factory_id in factory_zones(installation.db):
            found = current_models(installation, factory_id, self.versions.get(factory_id, ""))
            if found is not None:
                self.versions[factory_id], self.models[factory_id] = found
            rows += self._factory(installation, factory_id, began)
        frame = pl.DataFrame(rows, schema=READINGS, orient="row")
        land_derived(installation.db, frame, installation.clock.now())
        self.scored_until.update(dict(frame.select("device_id", "ts").iter_rows()))
        seconds = (installation.clock.now() - began).total_seconds()
        return Tick(frame.height, frame.filter(pl.col("value") > 1).height, seconds)

    def _factory(self, installation: Installation, factory_id: int, now: datetime) -> list[tuple[object, ...]]:
        models, newest = self.models.get(factory_id, {}), last_measured(installation.db, factory_id)
        rows: list[tuple[object, ...]] = []
        for step_s in sorted({model.step_s for model in models.values()}):
            end = datetime.fromtimestamp(now.timestamp() // step_s * step_s, UTC)
            due = [
                device_id for device_id, model in models.items()
                if model.step_s == step_s and device_id in newest and newest[device_id] >= end - timedelta(seconds=LATEST_ROWS * step_s)
                and min(newest[device_id], end) > self.scored_until.get(device_id, datetime.min.replace(tzinfo=UTC))
            ]  # fmt: skip
            for device_id, value in self._scores(installation, factory_id, due, step_s, end).items():
                # Never ahead of what the machine said itself, and not twice for one moment.
                ts = min(newest[device_id], end - timedelta(milliseconds=1))
                if ts > self.scored_until.get(device_id, datetime.min.replace(tzinfo=UTC)):
                    rows.append((factory_id, device_id, ANOMALY_SCORE, ts, value, None, now))
        return rows

    def _scores(
        self, installation: Installation, factory_id: int, device_ids: Sequence[int], step_s: int, end: datetime
    ) -> dict[int, float]:
        if not device_ids:
            return {}
        start = end - timedelta(seconds=LOOKED_BACK_STEPS * step_s)
        found = summaries(installation.lake, factory_id, start, end, timedelta(seconds=step_s), device_ids=device_ids)
        measured = found.filter(~pl.col("parameter").is_in(DERIVED)).select("device_id", "parameter", ts="bucket", value="mean")
        scores = {}
        for (device_id,), own in measured.group_by("device_id"):
            grid = on_grid(own, step_s, int(start.timestamp()), int(end.timestamp()))
            if np.isfinite(grid.values[-LATEST_ROWS:]).any():
                value = latest_score(self.models[factory_id][int(str(device_id))], grid)
                if np.isfinite(value):
                    scores[int(str(device_id))] = round(value, 4)
        return scores


_OF_PROCESS: Final = LiveScorer()
_GUARD: Final = threading.Lock()


def score_live(installation: Installation) -> Tick:
    """One look by the scorer of this process."""
    with _GUARD:
        return _OF_PROCESS.tick(installation)
