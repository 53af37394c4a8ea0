"""Risks of machines as rows of the lake and sentences for people."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from assets.analytics.machine_grid import machine
from assets.analytics.machine_hours import AGE, ALERTS, ANOMALY, PEAK
from assets.analytics.registry import ModelCard
from assets.models.failure.lives import HOUR
from assets.models.failure.model import FailureModel
from assets.models.failure.reasons import reasons_of, sentence
from warehouse.installation import Installation
from warehouse.readings import UTC_TIME

SPOKEN_WITHIN: Final = timedelta(hours=24)
"""A machine that said nothing for longer is not judged."""
LIKELY: Final = 0.5
EXTRA_NAMES: Final = {AGE: ("Time since maintenance", "h"), ALERTS[0]: ("Alerts within 24 h", ""), ALERTS[1]: ("Alerts within 7 days", ""),
                      ANOMALY: ("Greatest anomaly score within 24 h", "")}  # fmt: skip
RISKS: Final = pl.Schema(
    {"device_id": pl.Int32(), "ts": UTC_TIME, "horizon_h": pl.Float64(), "probability": pl.Float64(), "remaining_life_h": pl.Float64(),
     "remaining_life_low_h": pl.Float64(), "remaining_life_high_h": pl.Float64(), "reasons": pl.String(), "model_version": pl.String()}
)  # fmt: skip


@dataclass(frozen=True)
class MachineRisk:
    """What is known of one machine at its last whole hour."""

    device_id: int
    device_key: str
    name: str
    ts: datetime
    probability: dict[float, float]
    """By horizon in hours."""
    left_h: float
    low_h: float
    high_h: float
    cap_h: float
    """Times left are not told apart beyond it."""
    reasons: tuple[dict[str, Any], ...]
    """The strongest first: parameter, share, sentence."""
    warns: tuple[float, ...]
    """Horizons whose limit for nine right warnings of ten is passed."""

    @property
    def longest_h(self) -> float:
        """The longest horizon."""
        return max(self.probability)

    def as_json(self) -> dict[str, Any]:
        """For API, page and report."""
        return {
            "device_id": self.device_id, "device_key": self.device_key, "name": self.name, "ts": self.ts.isoformat(),
            "probability": {f"{h:g}": round(value, 4) for h, value in self.probability.items()},
            "remaining_life_h": round(self.left_h, 1), "remaining_life_low_h": round(self.low_h, 1),
            "remaining_life_high_h": round(self.high_h, 1), "reasons": list(self.reasons), "warns_within_h": list(self.warns),
            "sentence": risk_sentence(self),
        }  # fmt: skip


def risks_of(
    installation: Installation, factory_id: int, device_ids: Sequence[int], model: FailureModel, rows: pl.DataFrame, end: datetime
) -> tuple[list[MachineRisk], list[str]]:
    """The machines that said something in the last day, the most probable failure first; and sentences about the others."""
    # A machine's whole running life: levels are compared with its beginning.
    asked = rows.filter(pl.col("device_id").is_in(list(device_ids)))
    recent = asked.filter(pl.col("life") == pl.col("life").max().over("device_id"))
    risks: list[MachineRisk] = []
    silent: list[str] = []
    features = model.encoder.features(recent) if recent.height else None
    answers = None if features is None else model.answer_features(features, recent)
    for device_id in device_ids:
        of = machine(installation, factory_id, device_id)
        mine = np.flatnonzero((recent["device_id"] == device_id).to_numpy())
        last = recent["bucket"][int(mine[-1])] + HOUR if len(mine) else None
        if features is None or answers is None or last is None or last < end - SPOKEN_WITHIN:
            silent.append(f"{of.name} was not judged: no whole hour of data outside of work on it in the last 24 h.")
            continue
        at = int(mine[-1])
        chances = {h: float(values[at]) for h, values in answers.within.items()}
        thresholds = model.decisions.thresholds
        warns = tuple(h for h, chance in chances.items() if (limit := thresholds.get(h)) is not None and chance >= limit)
        named = of.names | {f"{key}{PEAK}": f"{name} (peak)" for key, name in of.names.items()}
        units = of.units | {f"{key}{PEAK}": unit for key, unit in of.units.items()}
        told = tuple(
            {"parameter": each.parameter, "share": round(each.share, 4),
             "sentence": sentence(each, *_called(each.parameter, named, units), AGE)}
            for each in reasons_of(model, recent, features, at, max(chances))
        )  # fmt: skip
        left, low, high = (float(values[at]) for values in (answers.left_h, answers.low_h, answers.high_h))
        risks.append(MachineRisk(device_id, of.device_key, of.name, last, chances, left, low, high, model.recipe.cap_h, told, warns))
    return sorted(risks, key=lambda risk: (-risk.probability[risk.longest_h], risk.device_id)), silent


def table(risks: Sequence[MachineRisk], version: str) -> pl.DataFrame:
    """RISKS: a row a machine and horizon; pure."""
    found = [
        (risk.device_id, risk.ts, horizon, chance, risk.left_h, risk.low_h, risk.high_h,
         json.dumps(risk.reasons, ensure_ascii=False), version)
        for risk in risks
        for horizon, chance in risk.probability.items()
    ]  # fmt: skip
    return pl.DataFrame(found, schema=RISKS, orient="row")


def headline(risks: Sequence[MachineRisk]) -> str:
    """One sentence about all machines; pure."""
    likely = [risk for risk in risks if risk.probability[risk.longest_h] >= LIKELY]
    many = f"{len(risks)} machine" + ("s" if len(risks) != 1 else "")
    if not likely:
        first = risks[0]
        return f"None of {many} is likely to fail within {_span(first.longest_h)}; most at risk is {first.name} ({_percent(first)})."
    return (
        f"{len(likely)} of {many} will probably fail within {_span(likely[0].longest_h)}, first {likely[0].name} ({_percent(likely[0])})."
    )


def risk_sentence(risk: MachineRisk) -> str:
    """One machine in words; pure."""
    chances = ", ".join(f"{value:.0%} within {_span(h)}" for h, value in sorted(risk.probability.items()))
    if risk.left_h >= risk.cap_h * 0.98:
        left = f"more than {_span(risk.low_h)} left"
    else:
        until = f"{_span(risk.high_h)} or more" if risk.high_h >= risk.cap_h else _span(risk.high_h)
        left = f"about {_span(risk.left_h)} left ({_span(risk.low_h)} to {until})"
    why = f": {'; '.join(each['sentence'] for each in risk.reasons)}" if risk.reasons else ""
    return f"{risk.name}: {chances}, {left}{why}."


def findings(risks: Sequence[MachineRisk], silent: Sequence[str], card: ModelCard, label_source: str, most: int = 10) -> list[str]:
    """The riskiest machines, how far the model can be believed, what was learned from, who was not judged; pure."""
    horizon = f"{risks[0].longest_h:g}h"
    metrics = card.metrics
    learned = (
        f"Learned from {metrics['failures']:.0f} failures in {metrics['machine_hours']:,.0f} machine-hours up to {card.data_end:%Y-%m-%d}"
    )
    source = (
        "labels are the recorded failures."
        if card.parameters.get("label_source", label_source) == "recorded failures"
        else "no failures are recorded, so critical alerts stand for them."
    )
    told = [risk_sentence(risk) for risk in risks[:most]] + [f"{learned}; {source}"]
    if f"pr_auc_{horizon}" in metrics:
        told.append(
            f"On machines that it had not seen: PR-AUC {metrics[f'pr_auc_{horizon}']:.2f} for failures within {_span(risks[0].longest_h)} "
            f"(by chance {metrics[f'base_rate_{horizon}']:.2f}), probabilities off by {metrics[f'calibration_error_{horizon}']:.1%} on "
            f"average; warnings that are right nine times of ten come {_span(metrics[f'lead_time_{horizon}_median_h'])} before the failure "
            f"and for {metrics[f'lead_time_{horizon}_warned_share']:.0%} of the failures."
        )
    else:
        told.append("Failures are known of too few machines and lives to measure how good the model is: take its figures as a first guess.")
    return [*told, *silent]


def model_facts(card: ModelCard) -> dict[str, Any]:
    """For API and page; pure."""
    return {
        "name": card.name, "version": card.version, "made_at": card.made_at.isoformat(), "snapshot_id": card.snapshot_id,
        "data_start": card.data_start.isoformat(), "data_end": card.data_end.isoformat(), "features": list(card.features),
        "metrics": dict(card.metrics), "parameters": dict(card.parameters),
    }  # fmt: skip


def _called(parameter: str, names: dict[str, str], units: dict[str, str]) -> tuple[str, str]:
    return EXTRA_NAMES.get(parameter) or (names.get(parameter, parameter), units.get(parameter, ""))


def _percent(risk: MachineRisk) -> str:
    return f"{risk.probability[risk.longest_h]:.0%}"


def _span(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.0f} h"
