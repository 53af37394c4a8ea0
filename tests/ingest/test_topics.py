"""Which topics name a sender."""

import pytest

from ingest.topics import parse, telemetry_topic


def test_topic_of_a_machine_names_it() -> None:
    assert parse(telemetry_topic("vpc", "M01")) == ("vpc", "M01")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "factories/vpc/devices/M01",
        "factories/vpc/devices/M01/telemetry/more",
        "factories//devices/M01/telemetry",
        "factories/vpc/devices//telemetry",
        "Factories/vpc/devices/M01/telemetry",
        "factories/vpc/machines/M01/telemetry",
        "factories/vpc/devices/M01/commands",
        "factories/vpc/devices/M\x0001/telemetry",
        "factories/vpc/devices/M\n01/telemetry",
        "factories/vpc/devices/M\u202e01/telemetry",
        "factories/vpc/devices/" + "M" * 101 + "/telemetry",
        "factories/" + "v" * 2000 + "/devices/M01/telemetry",
    ],
)
def test_other_topics_name_nobody(topic: str) -> None:
    assert parse(topic) is None


def test_names_may_be_of_any_language() -> None:
    assert parse(telemetry_topic("hà-nội", "Máy 1")) == ("hà-nội", "Máy 1")
