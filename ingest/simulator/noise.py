"""Randomness as a function of (seed, time).

A random number generator has a position, so two programs that start at different moments see different plants. A hash has none:
the same machine at the same second is always equally loud, whether the history or the live simulator gets there, before or after a
restart. Everything random in the plant comes from here. The mixer is SplitMix64 (Steele, Lea, Flood 2014).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Seeds = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_CHUNK = np.uint64(0xFFFF)
# Sum of four uniform 16-bit numbers: mean 2 * 65535, standard deviation sqrt(4 / 12) * 65535.
_SUM_MEAN, _SUM_DEVIATION = 2 * 65535.0, 65535.0 / np.sqrt(3.0)


def seed_of(*names: str) -> int:
    """A 64-bit seed that depends only on the names, not on the process (unlike `hash`)."""
    return int.from_bytes(hashlib.blake2b("/".join(names).encode(), digest_size=8).digest(), "little")


def chance(*names: str) -> float:
    """A number in [0, 1) that depends only on the names."""
    return seed_of(*names) / 2.0**64


def seeds_of(names: list[str], topic: str) -> Seeds:
    """One seed for each name, all different for another topic."""
    return np.array([seed_of(name, topic) for name in names], dtype=np.uint64)


def _mixed(value: Seeds) -> Seeds:
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


def _hashed(seeds: Seeds, index: Ints) -> Seeds:
    return _mixed(seeds + (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def uniform(seeds: Seeds, index: Ints) -> Floats:
    """Numbers in [0, 1), one for each (seed, index); shapes are broadcast."""
    return (_hashed(seeds, index) >> np.uint64(11)).astype(np.float64) * (1.0 / 9007199254740992.0)


def gauss(seeds: Seeds, index: Ints) -> Floats:
    """Nearly normal numbers, mean 0, standard deviation 1, and never beyond 3.47: a healthy machine must not trip a limit by bad luck."""
    bits = _hashed(seeds, index)
    total = (bits & _CHUNK) + ((bits >> np.uint64(16)) & _CHUNK) + ((bits >> np.uint64(32)) & _CHUNK) + (bits >> np.uint64(48))
    normal: Floats = (total.astype(np.float64) - _SUM_MEAN) / _SUM_DEVIATION
    return normal


def smooth(seeds: Seeds, time_s: Floats, period_s: float) -> Floats:
    """A curve in [0, 1) that wanders to a new random value every `period_s` seconds without corners."""
    position = time_s / period_s
    whole = np.floor(position)
    part = position - whole
    part = part * part * (3.0 - 2.0 * part)
    index = whole.astype(np.int64)
    return uniform(seeds, index) * (1.0 - part) + uniform(seeds, index + 1) * part
