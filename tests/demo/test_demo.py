"""`factoryops up --demo`, as a person lives through it."""

import re
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(1200)]
Story = dict[str, Any]


def test_it_becomes_healthy(story: Story) -> None:
    assert story["first"]["healthy_after_s"] is not None, story["first"]["health"]


def test_it_is_still_healthy_later(story: Story) -> None:
    assert story["first"]["health_later"]["status"] == "healthy", story["first"]["health_later"]


def test_the_sign_in_page_offers_the_demo_factory(story: Story) -> None:
    assert story["first"]["front_page_status"] == 200
    assert "Vietnam Precision Components" in story["first"]["front_page"]


def test_the_dagster_page_answers(story: Story) -> None:
    assert story["first"]["dagster_page_status"] == 200


def test_address_and_sign_in_are_printed(story: Story) -> None:
    output = story["first"]["output"]
    assert re.search(r"Open +http://127\.0\.0\.1:\d+", output)
    assert re.search(r"e-mail \S+@\S+ +password \S{16}", output)


def test_machines_are_alive(story: Story) -> None:
    assert story["machines"] >= 40
    assert story["first"]["newest_reading_age_s"] < 10


def test_a_published_reading_of_a_new_parameter_is_live_within_2_seconds(story: Story) -> None:
    assert story["first"]["publish_exit_code"] == 0
    assert story["first"]["live_after_s"] is not None
    assert story["first"]["live_after_s"] < 2


def test_ctrl_c_stops_everything_within_15_seconds(story: Story) -> None:
    assert story["first"]["running"] > 8
    assert story["first"]["stop_s"] < 15
    assert story["first"]["exit_code"] == 0
    assert story["first"]["left"] == []


def test_starting_again_continues_where_it_was(story: Story) -> None:
    assert story["second"]["live_value"] == 42
    assert story["second"]["rows_grow_after_s"] is not None
    assert story["second"]["same_sign_in"]
    assert story["second"]["shows_password"]


def test_sigterm_stops_everything_as_well(story: Story) -> None:
    assert story["second"]["stop_s"] < 15
    assert story["second"]["left"] == []
