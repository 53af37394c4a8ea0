import numpy as np

from ingest.simulator.noise import chance, gauss, seed_of, seeds_of, smooth, uniform

SEEDS = seeds_of(["a", "b"], "topic")
INDEX = np.arange(20_000, dtype=np.int64)[:, None]


def test_a_seed_is_the_same_in_every_process() -> None:
    assert seed_of("vpc", "weather") == 7189812171025312896


def test_uniform_numbers_fill_their_range_evenly() -> None:
    numbers = uniform(SEEDS, INDEX)
    assert numbers.shape == (20_000, 2)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.allclose(np.histogram(numbers, 10, (0, 1))[0], 4_000, rtol=0.06)


def test_normal_numbers_have_mean_0_and_deviation_1_and_no_outliers() -> None:
    numbers = gauss(SEEDS, INDEX)
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
    assert np.abs(numbers).max() < 3.5


def test_two_names_are_not_correlated() -> None:
    numbers = gauss(SEEDS, INDEX)
    assert abs(float(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1])) < 0.02


def test_a_smooth_curve_has_no_jumps() -> None:
    curve = smooth(SEEDS, np.arange(0.0, 36_000.0, 1.0)[:, None], 600.0)
    assert np.abs(curve[1:] - curve[:-1]).max() < 0.003
    assert np.ptp(curve) > 0.8


def test_chance_depends_on_all_names() -> None:
    assert chance("a", "b") == chance("a", "b") != chance("a", "c")
    assert 0 <= chance("a", "b") < 1
