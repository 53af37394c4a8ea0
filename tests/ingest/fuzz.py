"""Payloads that nobody sends on purpose: well-formed ones torn, joined and bent by a seeded mutator, as many as are asked for."""

import random
from collections.abc import Iterator
from typing import Final

from tests.ingest.test_bad_payloads import HOSTILE

_SHORT: Final = 2_000
_GOOD: Final = [
    b'{"timestamp":"2026-01-05T07:59:00Z","metrics":{"power":745.6,"spindle_temp":41.25,"state":"running","door":true}}',
    b'{"timestamp":1767599940250,"metrics":{"a":1,"b":-2.5e-3,"c":0}}',
    b'{"metrics":{"\\u00e9":1,"\xf0\x9f\x94\xa5":2}}',
    b'{"metrics":{"a":1e308,"b":-1e-308,"c":123456789012345678901234567890}}',
]
_SEEDS: Final = [payload for payload, _ in HOSTILE.values() if len(payload) <= _SHORT]
_SEEDS += _GOOD * (len(_SEEDS) // len(_GOOD))
_PIECES: Final = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud83d", b"\\u0000", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"1e-400", b"9" * 40, b'"metrics":', b'"timestamp":',
    b'{"metrics":{', b'"a":1,', b"\n", b" " * 9, b"[" * 60, b'{"x":' * 60, b"2026-01-05T07:59:00", b"+99:99", b"0000-00-00T00:00:00Z",
    b"9999-12-31T23:59:59.999999999-23:59",
]  # fmt: skip


def inputs(number: int, seed: int) -> Iterator[bytes]:
    """That many payloads; the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(number):
        payload = chance.choice(_SEEDS)
        for _ in range(chance.randint(0, 3)):
            payload = _bent(payload, chance)
        yield payload


def _bent(payload: bytes, chance: random.Random) -> bytes:
    at, kind = chance.randint(0, len(payload)), chance.randrange(6)
    if kind == 0:
        return payload[:at]
    if kind == 1:
        return payload[:at] + payload[at + chance.randint(1, 8) :]
    if kind == 2:
        return payload[:at] + bytes([chance.randrange(256)]) + payload[at + 1 :]
    if kind == 3:
        other = chance.choice(_SEEDS)
        return payload[:at] + other[chance.randint(0, len(other)) :]
    if kind == 4:
        end = at + chance.randint(1, 30)
        return payload[:end] + payload[at:end] + payload[end:]
    return payload[:at] + chance.choice(_PIECES) + payload[at:]
