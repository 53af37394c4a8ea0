"""The same request sent twice starts its work once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures.two_plants import TwoPlants
from warehouse.clock import ManualClock
from warehouse.errors import ConflictError, InvalidInputError
from warehouse.idempotency import KEPT_FOR, STARTED_WITHIN, Asked, _begin, once


class Starts:
    """Counts how often the work was started."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> str:
        self.number += 1
        return f"work-{self.number}"


@pytest.fixture
def asked(two_plants: TwoPlants) -> Asked:
    who = two_plants.north.person
    return Asked(who.factory_id, who.user_id, "report.order", "key-1", {"title": "Weekly"})


def test_a_request_sent_again_starts_nothing(two_plants: TwoPlants, asked: Asked) -> None:
    inst, start = two_plants.installation, Starts()
    assert once(inst.db, inst.clock, asked, start) == ("work-1", False)
    assert once(inst.db, inst.clock, asked, start) == ("work-1", True)
    assert once(inst.db, inst.clock, replace(asked, key=None), start) == ("work-2", False)
    assert once(inst.db, inst.clock, replace(asked, key="key-2"), start) == ("work-3", False)
    south = two_plants.south.person
    assert once(inst.db, inst.clock, replace(asked, factory_id=south.factory_id, user_id=south.user_id), start) == ("work-4", False)


def test_a_key_used_for_something_else_is_refused(two_plants: TwoPlants, asked: Asked) -> None:
    inst, start = two_plants.installation, Starts()
    once(inst.db, inst.clock, asked, start)
    with pytest.raises(InvalidInputError, match="another request"):
        once(inst.db, inst.clock, replace(asked, body={"title": "Daily"}), start)
    assert start.number == 1


def test_a_failed_start_may_be_tried_again(two_plants: TwoPlants, asked: Asked) -> None:
    inst, start = two_plants.installation, Starts()

    def fails() -> str:
        raise InvalidInputError("no such machine", path="device_ids")

    with pytest.raises(InvalidInputError, match="no such machine"):
        once(inst.db, inst.clock, asked, fails)
    assert once(inst.db, inst.clock, asked, start) == ("work-1", False)


def test_a_start_that_was_cut_off_may_be_tried_again_after_a_while(two_plants: TwoPlants, asked: Asked) -> None:
    inst, start = two_plants.installation, Starts()
    assert isinstance(two_plants.clock, ManualClock)
    _begin(inst.db, inst.clock, asked)
    with pytest.raises(ConflictError):
        once(inst.db, inst.clock, asked, start)
    two_plants.clock.set(two_plants.clock.now() + STARTED_WITHIN + timedelta(seconds=1))
    assert once(inst.db, inst.clock, asked, start) == ("work-1", False)


def test_a_key_is_forgotten_after_a_day(two_plants: TwoPlants, asked: Asked) -> None:
    inst, start = two_plants.installation, Starts()
    assert isinstance(two_plants.clock, ManualClock)
    once(inst.db, inst.clock, asked, start)
    two_plants.clock.set(two_plants.clock.now() + KEPT_FOR + timedelta(seconds=1))
    assert once(inst.db, inst.clock, asked, start) == ("work-2", False)
