"""The fast way and the careful way through a payload agree, and nothing that is sent makes either fail."""

import json
import math
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.payloads import NOT_TELEMETRY, decode_telemetry, examine, is_parameter, microseconds
from tests.ingest.messages import RECEIVED, decode, incoming

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.dictionaries(
    st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20) | st.booleans()
)
TIMES = st.none() | st.datetimes().map(lambda t: t.isoformat()) | st.floats(-1e18, 1e18) | st.integers(-(10**18), 10**18)


@given(payload=st.binary(max_size=200))
@example(payload=b'{"metrics":{"a":1}}')
def test_bytes_of_any_kind_are_decoded_or_refused(payload: bytes) -> None:
    decoded = decode(incoming(payload))
    assert decoded.readings.height or decoded.letters


@given(document=st.fixed_dictionaries({"metrics": JSON_VALUES}, optional={"timestamp": JSON_VALUES}))
def test_json_of_any_kind_is_decoded_or_refused(document: dict) -> None:
    decoded = decode(incoming(json.dumps(document).encode("utf-8", "surrogatepass")))
    assert decoded.readings.height or decoded.letters
    assert all(value is None or math.isfinite(value) for value in decoded.readings["value"])


@given(metrics=NUMBERS, stamp=TIMES)
def test_both_ways_find_the_same(metrics: dict, stamp: object) -> None:
    payload = json.dumps({"timestamp": stamp, "metrics": metrics}).encode()
    found = examine(payload)
    try:
        quick = decode_telemetry(payload)
    except NOT_TELEMETRY:
        return
    if found.complaints:
        assert not all(map(is_parameter, metrics)) or not metrics
        return
    assert found.numbers == {name: float(value) for name, value in quick.metrics.items()}
    if quick.timestamp is not None:
        assert found.timestamp_us is not None
        # Sub-microsecond digits are rounded by one and cut by the other; large numbers pass through a float in the careful way.
        assert abs(found.timestamp_us - microseconds(quick.timestamp)) <= max(1, abs(found.timestamp_us) * 1e-15)


@given(offsets=st.lists(st.integers(-(10**9), 299), min_size=1, max_size=8))
@settings(max_examples=50)
def test_rows_stay_with_their_message(offsets: list[int]) -> None:
    """Each message has its own number of metrics, its own time, and values that tell where they belong."""
    messages = [
        incoming({"timestamp": (RECEIVED + timedelta(milliseconds=o)).isoformat(), "metrics": {f"p{n}": i for n in range(i % 3 + 1)}})
        for i, o in enumerate(offsets)
    ]
    frame = decode(*messages).readings
    rows = list(zip(frame["value"], frame["ts"], frame["parameter"], strict=True))
    assert rows == [(float(i), RECEIVED + timedelta(milliseconds=o), f"p{n}") for i, o in enumerate(offsets) for n in range(i % 3 + 1)]
