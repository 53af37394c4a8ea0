"""Whatever a device sends: what is good of it is kept, the rest becomes a dead letter with a reason, and its neighbours are not harmed."""

from datetime import timedelta

import pytest

from ingest import reasons
from ingest.flush import FlushDecoder
from tests.ingest.messages import DIRECTORY, M02, RECEIVED, RETENTION, decode, incoming, reasons_of, values_of

HOSTILE: dict[str, tuple[bytes, list[str]]] = {
    "not json": (b"hello", [reasons.NOT_JSON]),
    "empty": (b"", [reasons.NOT_JSON]),
    "blank": (b" \n", [reasons.NOT_JSON]),
    "cut off": (b'{"metrics":{"a":1', [reasons.NOT_JSON]),
    "more after the end": (b'{"metrics":{"a":1}} {"metrics":{"b":2}}', [reasons.NOT_JSON]),
    "two messages that would fit between commas": (b'{"metrics":{"a":1}},{"metrics":{"b":2}}', [reasons.NOT_JSON]),
    "an array": (b"[1, 2]", [reasons.NOT_JSON]),
    "a number": (b"17", [reasons.NOT_JSON]),
    "null": (b"null", [reasons.NOT_JSON]),
    "invalid UTF-8": (b'{"metrics":{"a":"\xff\xfe"}}', [reasons.INVALID_UTF8]),
    "invalid UTF-8 in a name": (b'{"metrics":{"\xff":1}}', [reasons.INVALID_UTF8]),
    "no metrics": (b"{}", [reasons.NO_METRICS]),
    "empty metrics": (b'{"metrics":{}}', [reasons.NO_METRICS]),
    "metrics are an array": (b'{"metrics":[1]}', [reasons.NO_METRICS]),
    "metrics are null": (b'{"metrics":null}', [reasons.NO_METRICS]),
    "NaN": (b'{"metrics":{"a":NaN}}', [reasons.NOT_A_NUMBER]),
    "Infinity": (b'{"metrics":{"a":Infinity}}', [reasons.NOT_A_NUMBER]),
    "minus Infinity": (b'{"metrics":{"a":-Infinity}}', [reasons.NOT_A_NUMBER]),
    "1e999": (b'{"metrics":{"a":1e999}}', [reasons.NOT_A_NUMBER]),
    "a number of 400 digits": (b'{"metrics":{"a":' + b"9" * 400 + b"}}", [reasons.NOT_A_NUMBER]),
    "a number of 10,000 digits": (b'{"metrics":{"a":' + b"9" * 10_000 + b"}}", [reasons.NOT_A_NUMBER]),
    "an array as value": (b'{"metrics":{"a":[1]}}', [reasons.NOT_A_NUMBER]),
    "an object as value": (b'{"metrics":{"a":{"b":1}}}', [reasons.NOT_A_NUMBER]),
    "null as value": (b'{"metrics":{"a":null}}', [reasons.NULL_VALUE]),
    "an array 100,000 deep": (b'{"metrics":' + b"[" * 100_000 + b"]" * 100_000 + b"}", [reasons.TOO_DEEP]),
    "an object 5,000 deep": (b'{"metrics":{"a":' + b'{"x":' * 5_000 + b"1" + b"}" * 5_000 + b"}}", [reasons.TOO_DEEP]),
    "a name of 101 characters": (b'{"metrics":{"' + b"a" * 101 + b'":1}}', [reasons.BAD_PARAMETER]),
    "a name with NUL": (b'{"metrics":{"a\\u0000b":1}}', [reasons.BAD_PARAMETER]),
    "a name with a line break": (b'{"metrics":{"a\\nb":1}}', [reasons.BAD_PARAMETER]),
    "an empty name": (b'{"metrics":{"":1}}', [reasons.BAD_PARAMETER]),
    "half a surrogate pair as name": (b'{"metrics":{"\\ud800":1}}', [reasons.BAD_PARAMETER]),
    "half a surrogate pair as text": (b'{"metrics":{"a":"\\udfff"}}', [reasons.BAD_TEXT]),
    "NUL in a text": (b'{"metrics":{"a":"x\\u0000"}}', [reasons.BAD_TEXT]),
    "a text of 1,001 characters": (b'{"metrics":{"a":"' + b"x" * 1_001 + b'"}}', [reasons.BAD_TEXT]),
    "2,001 metrics": (b'{"metrics":{' + b",".join(b'"m%d":1' % n for n in range(2_001)) + b"}}", [reasons.TOO_MANY_METRICS]),
    "more than 1 MiB": (b'{"metrics":{"a":1},"filling":"' + b"x" * (1 << 20) + b'"}', [reasons.TOO_LARGE]),
    "a timestamp in words": (b'{"timestamp":"yesterday at noon","metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "a timestamp without time of day": (b'{"timestamp":"2026-01-05","metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "a timestamp that is true": (b'{"timestamp":true,"metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "a timestamp that is an object": (b'{"timestamp":{},"metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "a timestamp that is NaN": (b'{"timestamp":NaN,"metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "the 30th of February": (b'{"timestamp":"2026-02-30T10:00:00Z","metrics":{"a":1}}', [reasons.BAD_TIMESTAMP]),
    "a timestamp of 30 digits": (b'{"timestamp":' + b"9" * 30 + b',"metrics":{"a":1}}', [reasons.CLOCK]),
    "a timestamp of 1e999": (b'{"timestamp":1e999,"metrics":{"a":1}}', [reasons.CLOCK]),
    "a timestamp of minus 1e300": (b'{"timestamp":-1e300,"metrics":{"a":1}}', [reasons.TOO_OLD]),
    "the year 9999": (b'{"timestamp":"9999-12-31T23:59:59Z","metrics":{"a":1}}', [reasons.CLOCK]),
    "the year 1": (b'{"timestamp":"0001-01-01T00:00:00Z","metrics":{"a":1}}', [reasons.TOO_OLD]),
    "1970": (b'{"timestamp":0,"metrics":{"a":1}}', [reasons.TOO_OLD]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_payload_becomes_a_dead_letter_with_its_reason(name: str) -> None:
    payload, expected = HOSTILE[name]
    decoded = decode(incoming(payload))
    assert reasons_of(decoded) == expected
    assert decoded.readings.height == 0
    letter = decoded.letters[0]
    assert (letter.factory_id, letter.device_id, letter.device_key) == (1, 11, "M01")
    assert letter.detail
    assert len(letter.detail) <= 1000


def test_good_messages_between_hostile_ones_are_kept() -> None:
    good = [incoming({"metrics": {"good": number}}, M02) for number in range(len(HOSTILE))]
    mixed = [message for pair in zip(good, (incoming(payload) for payload, _ in HOSTILE.values()), strict=True) for message in pair]
    decoded = decode(*mixed)
    assert decoded.readings["value"].to_list() == list(range(len(HOSTILE)))
    assert set(decoded.readings["device_id"]) == {12}
    assert len(decoded.letters) == len(HOSTILE)


def test_every_reason_is_explained_to_people() -> None:
    used = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert used == set(reasons.REASONS)


def test_one_bad_metric_does_not_cost_the_good_ones() -> None:
    decoded = decode(incoming(b'{"metrics":{"good":1,"gap":null,"broken":NaN,"odd":[1],"also_good":2.5}}'))
    assert values_of(decoded) == {"good": 1.0, "also_good": 2.5}
    assert {letter.reason: letter.detail for letter in decoded.letters} == {
        reasons.NULL_VALUE: "'gap': None",
        reasons.NOT_A_NUMBER: "'broken': nan, 'odd': an array",
    }


def test_of_a_name_that_appears_twice_the_last_value_counts() -> None:
    assert values_of(decode(incoming(b'{"metrics":{"a":1,"a":2}}'))) == {"a": 2.0}


def test_true_and_false_are_one_and_zero() -> None:
    assert values_of(decode(incoming({"metrics": {"door_open": True, "alarm": False, "speed": 3}}))) == {
        "door_open": 1.0,
        "alarm": 0.0,
        "speed": 3.0,
    }


def test_text_is_kept_as_text() -> None:
    decoded = decode(incoming({"metrics": {"state": "running", "speed": 3, "number_in_quotes": "12"}}))
    assert values_of(decoded) == {"state": "running", "speed": 3.0, "number_in_quotes": "12"}
    assert decoded.readings.filter(decoded.readings["text"].is_not_null())["value"].null_count() == 2


def test_600_metrics_are_fine() -> None:
    assert decode(incoming({"metrics": {f"m{n}": n for n in range(600)}})).readings.height == 600


def test_one_mebibyte_of_spaces_is_fine() -> None:
    assert decode(incoming(b'{"metrics":{"a":1}}'.ljust(1 << 20))).readings.height == 1


def test_a_byte_order_mark_is_overlooked() -> None:
    assert decode(incoming(b'\xef\xbb\xbf{"metrics":{"a":1}}')).readings.height == 1


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-01-05T07:59:00Z", 0.0),
        ("2026-01-05T07:59:00+00:00", 0.0),
        ("2026-01-05T14:59:00.250+07:00", 0.25),
        ("2026-01-05 07:59:00.000001Z", 0.000001),
        ("2026-01-05T07:59", 0.0),
        ("2026-01-05T07:59:00", 0.0),
        ("20260105T075900Z", 0.0),
        (1767599940, 0.0),
        (1767599940.5, 0.5),
        (1767599940250, 0.25),
        (1767599940250000, 0.25),
        (1767599940250000000, 0.25),
    ],
)
def test_timestamps_of_many_forms_are_understood(stamp: str | float, seconds: float) -> None:
    expected = RECEIVED - timedelta(seconds=60) + timedelta(seconds=seconds)
    decoded = decode(incoming({"timestamp": stamp, "metrics": {"a": 1}}), incoming({"timestamp": stamp, "metrics": {"a": 1, "t": "x"}}))
    assert set(decoded.readings["ts"]) == {expected}


def test_without_a_timestamp_the_time_of_receipt_counts() -> None:
    decoded = decode(incoming({"metrics": {"a": 1}}), incoming({"timestamp": None, "metrics": {"a": 1}}))
    assert decoded.readings["ts"].to_list() == [RECEIVED, RECEIVED]


def test_five_minutes_ahead_are_tolerated_and_more_are_not() -> None:
    ahead = RECEIVED + timedelta(minutes=5)
    decoded = decode(
        incoming({"timestamp": ahead.isoformat(), "metrics": {"a": 1}}),
        incoming({"timestamp": (ahead + timedelta(milliseconds=1)).isoformat(), "metrics": {"a": 2, "state": "x"}}),
    )
    assert decoded.readings["value"].to_list() == [1.0]
    assert reasons_of(decoded) == [reasons.CLOCK]


def test_older_than_the_retention_is_refused() -> None:
    oldest = RECEIVED - RETENTION
    decoded = decode(
        incoming({"timestamp": oldest.isoformat(), "metrics": {"a": 1}}),
        incoming({"timestamp": (oldest - timedelta(milliseconds=1)).isoformat(), "metrics": {"a": 2}}),
    )
    assert decoded.readings["value"].to_list() == [1.0]
    assert reasons_of(decoded) == [reasons.TOO_OLD]


def test_retained_message_without_a_timestamp_is_refused() -> None:
    """It comes again with each subscription, and would look measured now each time."""
    decoded = decode(
        incoming({"metrics": {"a": 1}}, retained=True),
        incoming({"metrics": {"a": 1, "gap": None}}, retained=True),
        incoming({"timestamp": "2026-01-05T07:00:00Z", "metrics": {"a": 2}}, retained=True),
    )
    assert reasons_of(decoded) == [reasons.RETAINED, reasons.RETAINED]
    assert decoded.readings["value"].to_list() == [2.0]


@pytest.mark.parametrize(
    ("topic", "reason", "factory_id", "device_id"),
    [
        ("factories/nowhere/devices/M01/telemetry", reasons.UNKNOWN_FACTORY, None, None),
        ("factories/vpc/devices/M99/telemetry", reasons.UNKNOWN_DEVICE, 1, None),
        ("factories/vpc/devices/OLD/telemetry", reasons.INACTIVE_DEVICE, 1, 13),
        ("factories/vpc/devices/M\x01/telemetry", reasons.BAD_TOPIC, None, None),
        ("somewhere/else", reasons.BAD_TOPIC, None, None),
    ],
)
def test_message_of_a_stranger_becomes_a_dead_letter(topic: str, reason: str, factory_id: int | None, device_id: int | None) -> None:
    decoded = decode(incoming({"metrics": {"a": 1}}, topic))
    assert [(letter.reason, letter.factory_id, letter.device_id) for letter in decoded.letters] == [(reason, factory_id, device_id)]
    assert decoded.readings.height == 0


def test_a_device_that_only_sends_nonsense_was_heard_all_the_same() -> None:
    assert set(decode(incoming(b"nonsense")).seen_us) == {11}


def test_known_names_do_not_pile_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.flush._MOST_KNOWN_NAMES", 100)
    decoder = FlushDecoder(RETENTION)
    for number in range(300):
        decoder.decode([incoming({"metrics": {f"name-{number}": 1}})], DIRECTORY)
    assert len(decoder._good_names) <= 102
