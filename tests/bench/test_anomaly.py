"""The benchmark on labelled files, on files that the test writes itself in the same form."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import anomaly, runner
from tests.assets.models.anomaly.machines import NAMES, pump, shaken
from warehouse.errors import InvalidInputError


def write(path: Path, *, labels: bool, first: int = 700, last: int = 900) -> None:
    """A file of 1,100 seconds; with labels vibration is higher in rows [first, last)."""
    grid = pump(1_100, step_s=1)
    values = shaken(grid, first, last, 0.8).values if labels else grid.values
    lines = [";".join(["datetime", *NAMES, *(["anomaly", "changepoint"] if labels else [])])]
    for row, second in enumerate(np.datetime64("2026-01-01T00:00:00") + np.arange(1_100)):
        marks = [str(float(first <= row < last)), "0.0"] if labels else []
        lines.append(";".join([str(second).replace("T", " "), *(f"{value:.4f}" for value in values[row]), *marks]))
    path.write_text("\n".join(lines))


def test_found_missed_false_and_delay_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", labels=True)
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "free.csv", labels=False)
    result = runner.run("anomaly", lambda _text: None, data=str(tmp_path))
    figures = result["figures"]
    assert figures["F1"] > 0.7
    assert figures["false alarms, %"] < 20
    assert 0 <= figures["detection delay, median s"] < 60
    assert figures["anomalies found"] == figures["anomalies"] == 1
    assert figures["false alarms in files without anomalies, %"] < 5
    assert json.loads(runner.as_json(result))["budgets"][0]["figure"] == "F1"


def test_figures_are_those_of_all_rows_together() -> None:
    true, seconds = np.array([False, False, True, True]), np.arange(4)
    outcomes = [anomaly.Outcome(np.array(found), true, seconds, is_labelled=True) for found in ([0, 1, 0, 1], [0, 0, 0, 0])]
    figures = anomaly.pooled([anomaly.Outcome(o.found.astype(bool), o.true, o.seconds, is_labelled=True) for o in outcomes])
    assert figures["F1"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 3))
    assert figures["false alarms, %"] == 25
    assert figures["missed, %"] == 75
    assert (figures["anomalies found"], figures["anomalies"], figures["detection delay, median s"]) == (1, 2, 1)


@pytest.mark.parametrize("text", ["", "a;b\n1;2"])
def test_a_folder_of_something_else_is_refused_in_words(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InvalidInputError, match=r"no \.csv file|no column datetime"):
        anomaly.run(lambda _text: None, data=str(tmp_path))
