"""No process of the demo wants anything from outside this machine, and none misses it."""

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(1200)]


def test_nobody_asks_for_a_foreign_address(story: dict[str, Any]) -> None:
    assert story["foreign_addresses"] == []


def test_no_packet_leaves_the_machine(story: dict[str, Any]) -> None:
    """Also those that no Python code sends, such as of DuckDB or mosquitto."""
    if not story["is_cut_off"]:
        pytest.skip("network namespaces are not allowed here; the test above has watched Python's own calls")
    assert story["packets_are_counted"]
    assert story["packets_sent"] == 0


def test_the_demo_works_without_a_network(story: dict[str, Any]) -> None:
    assert story["first"]["healthy_after_s"] is not None
