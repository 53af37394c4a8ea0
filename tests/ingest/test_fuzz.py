"""Whatever arrives, the decoder does not fail, loses no good message beside it, and lets through nothing that cannot be stored.

`make test` tries 20,000 inputs; `make fuzz` a million, from another beginning each time (SEED=... for the same one).
"""

import math
import time
from itertools import islice

import pytest

from ingest.flush import FlushDecoder, Incoming
from ingest.payloads import is_parameter
from ingest.reasons import REASONS
from tests.ingest.fuzz import inputs
from tests.ingest.messages import DIRECTORY, M02, RECEIVED, RETENTION, incoming

FLUSH = 500


@pytest.mark.timeout(7200)
def test_the_decoder_survives(pytestconfig: pytest.Config) -> None:
    number, seed = pytestconfig.getoption("--fuzz-inputs"), pytestconfig.getoption("--fuzz-seed")
    decoder, stream, began = FlushDecoder(RETENTION), inputs(number, seed), time.monotonic()
    kept = refused = 0
    while batch := list(islice(stream, FLUSH)):
        good = incoming({"metrics": {"good": 1}}, M02)
        messages = [*map(incoming, batch[: FLUSH // 2]), good, *map(incoming, batch[FLUSH // 2 :])]
        try:
            decoded = decoder.decode(messages, DIRECTORY)
        except Exception as failed:  # noqa: BLE001  # whatever it is: the input that did it is what is wanted
            pytest.fail(f"seed {seed}: {type(failed).__name__}: {failed} for one of {culprits(decoder, messages)!r}")
        own = decoded.readings.filter(decoded.readings["device_id"] == 12)
        assert own["value"].to_list() == [1.0], f"seed {seed}: the good message beside the others was not kept"
        others = decoded.readings.filter(decoded.readings["device_id"] == 11)
        assert all(map(is_parameter, others["parameter"].unique()))
        assert all(map(math.isfinite, others["value"].drop_nulls()))
        assert (others["value"].is_null() == others["text"].is_not_null()).all()
        assert (others["ts"] <= RECEIVED + 2 * (RETENTION / 1000)).all()
        assert {letter.reason for letter in decoded.letters} <= REASONS.keys()
        assert all(letter.detail and len(letter.detail) <= 1000 for letter in decoded.letters)
        heard = {id(letter.message) for letter in decoded.letters}
        silent = [message for message in messages if id(message) not in heard]
        assert decoded.readings.height >= len(silent), f"seed {seed}: a message became neither readings nor a letter"
        kept, refused = kept + len(silent) - 1, refused + len(heard)
    took_s = time.monotonic() - began
    print(f"seed {seed}: {number:,} inputs, {kept:,} accepted, {refused:,} dead letters, no failure, {number / took_s:,.0f} a second")
    assert kept > number / 20
    assert refused > number / 4


def culprits(decoder: FlushDecoder, messages: list[Incoming]) -> list[bytes]:
    """The payloads that fail by themselves."""
    found = []
    for message in messages:
        try:
            decoder.decode([message], DIRECTORY)
        except Exception:  # noqa: BLE001  # looked for
            found.append(message.payload)
    return found
