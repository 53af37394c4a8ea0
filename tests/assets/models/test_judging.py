"""Figures of quality, each on a case that can be counted by hand."""

import math

import numpy as np
import pytest

from assets.models import judging


def test_calibration_error_is_the_distance_of_said_and_seen() -> None:
    assert judging.calibration_error([1, 1, 0, 0], [0.75, 0.75, 0.75, 0.75]) == pytest.approx(0.25)
    assert judging.calibration_error([1, 0], [1.0, 0.0]) == 0.0


def test_pr_auc_of_nothing_failed_is_0() -> None:
    assert judging.pr_auc([0, 0], [0.1, 0.2]) == 0.0
    assert judging.pr_auc([0, 1], [0.1, 0.2]) == 1.0


def test_the_lowest_limit_that_keeps_the_precision() -> None:
    truth, said = [1] * 9 + [0] + [0, 0], [0.9] * 9 + [0.8] + [0.7, 0.1]
    assert judging.threshold_at_precision(truth, said) == 0.8
    assert judging.threshold_at_precision([0, 0], [0.5, 0.4]) is None


def test_rows_with_one_probability_are_warned_of_together() -> None:
    assert judging.threshold_at_precision([1, 0], [0.5, 0.5]) is None


def test_a_warning_that_goes_away_is_no_lead_time() -> None:
    life = np.array([1] * 6 + [2] * 6 + [3] * 4)
    remaining = np.array([5.0, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0, np.nan, np.nan, np.nan, np.nan])
    chance = np.array([0.9, 0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    found = judging.lead_time(life, remaining, remaining <= 3, chance, 0.5)
    assert (found.median_h, found.warned_share, found.precision) == (2.0, 0.5, 0.75)


def test_errors_and_coverage_ignore_what_was_not_measured() -> None:
    assert judging.wape([10, np.nan, 10], [12, 99, 10]) == pytest.approx(0.1)
    assert math.isnan(judging.wape([np.nan], [1]))
    assert judging.coverage([1, 5, np.nan], [0, 0, 0], [2, 2, 2]) == 0.5
