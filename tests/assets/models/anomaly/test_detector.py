"""What is learned from a healthy window, and what is then unusual."""

import numpy as np
import pytest

from assets.models.anomaly.detector import Model, NotLearnableError, Scored, learn, score
from assets.models.anomaly.episodes import contributions, spans
from assets.models.anomaly.grid import Grid
from assets.models.anomaly.packing import from_plain, to_plain
from assets.models.anomaly.words import sentence
from tests.assets.models.anomaly.machines import NAMES, pump, shaken
from warehouse.errors import PermanentError

ROWS = 3_000


@pytest.fixture(scope="module")
def model() -> Model:
    return learn(pump(ROWS))


@pytest.fixture(scope="module")
def scored(model: Model) -> Scored:
    return score(model, shaken(pump(ROWS, seed=2, first_row=ROWS), 1_000, 1_400, 0.4))


def test_what_the_load_explains_is_usual_and_more_vibration_is_not(scored: Scored) -> None:
    found = spans(scored.score)
    assert len(found) == 1
    first, last = found[0]
    assert 1_000 <= first <= 1_060
    assert 1_400 <= last <= 1_460


def test_the_sentence_names_the_parameter_and_how_much(scored: Scored) -> None:
    part = slice(1_100, 1_400)
    found = contributions(NAMES, scored.deviation[part], scored.measured[part], scored.expected[part])
    assert found[0].parameter == "vibration"
    assert found[0].share > 0.5
    text = sentence(found, {"vibration": "Vibration"}, {"vibration": "mm/s"}, with_load=True)
    assert text.startswith("Vibration was 1")
    assert "% above what this machine does at this load (" in text
    assert "mm/s)" in text


def test_gaps_have_no_score_and_end_an_anomaly(model: Model) -> None:
    grid = shaken(pump(ROWS, seed=2, first_row=ROWS), 1_000, 1_400, 0.4)
    grid.values[1_200:1_300] = np.nan
    found = score(model, grid)
    assert np.isnan(found.score[1_260:1_300]).all()
    assert len(spans(found.score)) == 2


def test_a_parameter_that_fell_silent_leaves_the_others_judged(model: Model) -> None:
    grid = shaken(pump(ROWS, seed=2, first_row=ROWS), 1_000, 1_400, 0.8)
    grid.values[:, NAMES.index("temperature")] = np.nan
    assert spans(score(model, grid).score)[0][0] in range(1_000, 1_060)


def test_an_unhealthy_part_of_the_window_is_left_out_by_itself() -> None:
    bad = shaken(pump(ROWS), 1_500, 1_800, 3.0)
    learned = learn(bad)
    assert 0.08 < learned.dropped_share < 0.2
    assert spans(score(learned, shaken(pump(ROWS, seed=2, first_row=ROWS), 1_000, 1_400, 0.4)).score)


def test_rows_that_are_excluded_are_not_learned_from() -> None:
    excluded = np.zeros(ROWS, dtype=bool)
    excluded[:500] = True
    learned = learn(pump(ROWS), excluded)
    assert learned.rows <= ROWS - 500


def test_idle_is_judged_as_idle_and_changes_are_not_judged() -> None:
    working = pump(6_000)
    idle = np.zeros(6_000, dtype=bool)
    for begin in range(400, 6_000, 1_000):
        idle[begin : begin + 500] = True
    values = working.values.copy()
    values[idle] = np.array([0.0, 100.0, 22.0, 0.3]) + 0.01 * np.random.default_rng(4).standard_normal((idle.sum(), 4))
    learned = learn(Grid(working.begin_s, 60, NAMES, values))
    found = score(learned, Grid(working.begin_s, 60, NAMES, values))
    assert set(np.unique(found.regime[1_000:2_000])) == {-1, 1, 2}
    assert not spans(found.score)
    shaking = values.copy()
    shaking[1_450:1_850, 3] += 0.3
    assert spans(score(learned, Grid(working.begin_s, 60, NAMES, shaking)).score)[0][0] in range(1_450, 1_500)


def test_a_value_that_stood_still_to_the_last_digit_while_idle_may_stir_a_little() -> None:
    """Its spread of nothing must not make a hair a deviation of millions, for itself or for what is expected of the others."""
    working = pump(6_000)
    idle = np.zeros(6_000, dtype=bool)
    for begin in range(400, 6_000, 1_000):
        idle[begin : begin + 500] = True
    values = working.values.copy()
    values[idle] = np.array([0.0, 100.0, 22.0, 0.3])
    learned = learn(Grid(working.begin_s, 60, NAMES, values))
    stirred = values.copy()
    stirred[idle] += 0.002
    found = score(learned, Grid(working.begin_s, 60, NAMES, stirred))
    assert not spans(found.score)
    assert np.nanmax(np.abs(found.expected)) < 3 * np.nanmax(np.abs(values))


def test_what_never_changes_or_is_too_short_cannot_be_learned() -> None:
    with pytest.raises(NotLearnableError, match="no parameter"):
        learn(Grid(0, 60, ("a",), np.ones((2_000, 1))))
    with pytest.raises(NotLearnableError, match="needs 240"):
        learn(pump(200))


def test_a_stored_model_scores_the_same(model: Model, scored: Scored) -> None:
    again = from_plain(to_plain(model))
    grid = shaken(pump(ROWS, seed=2, first_row=ROWS), 1_000, 1_400, 0.4)
    np.testing.assert_array_equal(score(again, grid).score, scored.score)


def test_a_model_of_another_format_is_refused(model: Model) -> None:
    with pytest.raises(PermanentError, match="train it again"):
        from_plain(to_plain(model) | {"format": 0})


def test_learning_twice_gives_the_same(model: Model) -> None:
    np.testing.assert_array_equal(learn(pump(ROWS)).limits, model.limits)
