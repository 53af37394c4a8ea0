"""The evaluator's work shared out by factory: one lease and one cursor a shard, the same alerts as with one."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from factoryops.evaluator_process import show_or_set_shards
from rules.crew import MEMBERS, run_crew, share_of
from rules.evaluation import Evaluator
from rules.sharding import evaluator_shards, share_out_evaluator
from tests.helpers import REPOSITORY, wait_until
from tests.rules.installation import BOTH, START, add_device, add_factory, add_rule, alert_seconds, alerts, land, raises, readings
from warehouse import landing
from warehouse.clock import ManualClock, SystemClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, LeaseLostError
from warehouse.leases import held_leases
from warehouse.settings import Settings
from warehouse.shards import Shard
from warehouse.tenancy import system_session


def evaluators(db: Database, clock: ManualClock) -> list[Evaluator]:
    return [Evaluator(db, app_url="http://factory.example", clock=clock, shard=shard) for shard in evaluator_shards(db)]


def step_all(found: list[Evaluator]) -> None:
    for one in found:
        while one.step().batches:
            pass
        one.flush(snapshot=True)


def plants(db: Database, count: int) -> list[tuple[int, int]]:
    found = []
    for _ in range(count):
        factory = add_factory(db)
        found.append((factory, add_device(db, factory)))
        add_rule(db, factory, BOTH, cooldown_minutes=0.1)
    return found


def say(db: Database, pairs: list[tuple[int, int]], begin: int, end: int) -> None:
    """One parameter a message, so that each alert needs what was remembered of an earlier one."""
    for i in range(begin, end):
        for factory, device in pairs:
            value = {"spindle_temp": 70 + i * 7 % 20} if i % 2 else {"coolant_flow": 2 + i * 3 % 7}
            land(db, readings(factory, device, [(i * 2.0, value)]))


@pytest.mark.parametrize(
    ("members", "shards", "shares"), [("a", 4, [4]), ("ab", 4, [2, 2]), ("abc", 4, [2, 1, 1]), ("abc", 2, [1, 1, 0]), ("ab", 1, [1, 0])]
)
def test_processes_come_to_equal_parts_without_asking_each_other(members: str, shards: int, shares: list[int]) -> None:
    assert [share_of(one, list(members), shards) for one in members] == shares
    assert share_of("z", list(members), shards) == 0


def test_shared_out_anew_in_the_middle_it_raises_what_one_evaluator_would_have(
    database: Database, sqlite_database_of_its_own: Database, manual_clock: ManualClock
) -> None:
    clean = plants(sqlite_database_of_its_own, 3)
    say(sqlite_database_of_its_own, clean, 0, 40)
    step_all(evaluators(sqlite_database_of_its_own, manual_clock))
    expected = alert_seconds(sqlite_database_of_its_own)

    pairs = plants(database, 3)
    for part, count in enumerate((1, 3, 2, 1)):
        share_out_evaluator(database, manual_clock, count)
        say(database, pairs, part * 10, part * 10 + 10)
        found = evaluators(database, manual_clock)
        assert len(found) == count
        step_all(found)
    assert alert_seconds(database) == expected
    assert len(expected) > 10


def test_a_shard_evaluates_its_own_factories_only(database: Database, manual_clock: ManualClock) -> None:
    pairs = plants(database, 2)
    share_out_evaluator(database, manual_clock, 2)
    say(database, pairs, 0, 20)
    first, second = evaluators(database, manual_clock)
    first.step(100)
    assert {one.factory_id % 2 for one in alerts(database)} == {0}
    second.step(100)
    assert {one.factory_id for one in alerts(database)} == {factory for factory, _ in pairs}


def test_who_still_works_on_an_old_shard_writes_nothing(database: Database, manual_clock: ManualClock) -> None:
    pairs = plants(database, 1)
    say(database, pairs, 0, 3)
    [old] = evaluators(database, manual_clock)
    old.step()
    share_out_evaluator(database, manual_clock, 2)
    say(database, pairs, 3, 20)
    with pytest.raises(LeaseLostError):
        old.step()
    assert not old.is_wanted()
    assert raises(database) == []
    with pytest.raises(LeaseLostError):
        old.resume()


def test_a_shard_that_never_ran_holds_the_landing_log_back(database: Database, manual_clock: ManualClock) -> None:
    pairs = plants(database, 1)
    share_out_evaluator(database, manual_clock, 2)
    say(database, pairs, 0, 4)
    first, second = evaluators(database, manual_clock)
    for one, trimmed in ((first, 0), (second, 4)):
        step_all([one])
        with system_session(database, "test", write=True) as session:
            assert landing.trim(session, START + timedelta(hours=1), ["evaluator"]) == trimmed


@pytest.mark.parametrize("count", [0, 65])
def test_there_are_one_to_64_shards(sqlite_database: Database, manual_clock: ManualClock, count: int) -> None:
    with pytest.raises(InvalidInputError):
        share_out_evaluator(sqlite_database, manual_clock, count)


@pytest.mark.slow
def test_two_processes_share_the_work_and_one_takes_over_when_the_other_is_killed(database: Database) -> None:
    clock, stop = SystemClock(), threading.Event()
    pairs = plants(database, 4)
    share_out_evaluator(database, clock, 4)
    url = database.engine.url.render_as_string(hide_password=False)
    names = [shard.named("evaluator") for shard in evaluator_shards(database)]
    other = subprocess.Popen([sys.executable, "-m", "tests.rules.crew_process", url], cwd=REPOSITORY)
    ours = threading.Thread(target=run_crew, args=(Settings(database_url=url, jwt_secret_key="for-tests-only-" + "x" * 32), stop))
    ours.start()

    def shared() -> list[int]:
        held = [thread.name for thread in threading.enumerate() if thread.name.startswith("evaluator ") and thread.is_alive()]
        return [len(held_leases(database, MEMBERS, clock.now())), len(held), len(held_leases(database, "evaluator/", clock.now()))]

    try:
        wait_until(lambda: shared() == [2, 2, 4], 60, "each has two of four shards")
        say(database, pairs, 0, 12)
        other.send_signal(signal.SIGKILL)
        other.wait()
        say(database, pairs, 12, 20)
        wait_until(lambda: shared() == [1, 4, 4], 60, "the one that is left has all of them")
        wait_until(lambda: min(_cursor(database, name) for name in names) == _head(database), 60, "everything was evaluated")
    finally:
        other.kill()
        other.wait()
        stop.set()
        ours.join(10)
    per_factory = {factory: sum(one.factory_id == factory for one in raises(database)) for factory, _ in pairs}
    assert len(set(per_factory.values())) == 1, "all factories have said the same"
    assert min(per_factory.values()) > 0
    assert held_leases(database, MEMBERS, clock.now()) == []


def _cursor(db: Database, name: str) -> int:
    with system_session(db, "test") as session:
        return landing.cursor(session, name)


def _head(db: Database) -> int:
    with system_session(db, "test") as session:
        return landing.head(session)


def test_a_shards_name_is_the_consumers_own_when_there_is_only_one() -> None:
    assert Shard().named("evaluator") == "evaluator"
    assert Shard(1, 3).named("evaluator") == "evaluator/1-of-3"


def test_the_command_shows_and_sets_how_many_there_are(tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "factoryops.sqlite").write_bytes(sqlite_template.read_bytes())
    settings = Settings(factoryops_home=tmp_path)
    assert show_or_set_shards(settings, None) == "1 shard"
    assert show_or_set_shards(settings, 3).startswith("3 shards instead of 1")
    assert show_or_set_shards(settings, None) == "3 shards"
