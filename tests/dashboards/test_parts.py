"""The pure parts of pages."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from dashboards import axes, cache, charts, loads, resources, ui
from dashboards.cache import Memory
from dashboards.fmt import Local
from dashboards.limits import limits_of
from tests.helpers import wait_until
from warehouse.clock import ManualClock
from warehouse.errors import LakeBusyError
from warehouse.models.alerting import Rule

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def powers(*watts: float | None) -> pl.DataFrame:
    """One bucket of power a minute; None: no row."""
    rows = [("power", START + MINUTE * i, w) for i, w in enumerate(watts) if w is not None]
    return pl.DataFrame(rows, schema={"parameter": pl.String, "bucket": pl.Datetime("us", "UTC"), "mean": pl.Float64}, orient="row")


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        ([0, 30], [40], (0, 50, 10)),
        ([189.1, 189.3], [], (188, 190, 1)),
        ([5, 5], [], (5, 5.1, 0.05)),
        ([17.2, 17.9], [5], (17.1, 18, 0.1)),
        ([-40, 0], [-15, 15], (-40, 20, 20)),
    ],
)
def test_axes_are_round_and_leave_room_for_limits_that_are_near(values: list[float], limits: list[float], expected: tuple) -> None:
    found = axes.axis_bounds([[i, v] for i, v in enumerate(values)], limits)
    low, high = found["min"], found["max"]
    assert low <= min(values)
    assert high >= max(values)
    assert (high - low) / found["interval"] == pytest.approx(round((high - low) / found["interval"]))
    assert (high - low) / found["interval"] <= 7
    for limit in limits:
        is_near = min(values) - (max(values) - min(values)) * 3 <= limit
        assert not is_near or low <= limit < high
    if expected[0] in {0, -40}:
        assert (low, high, found["interval"]) == expected


def test_an_axis_without_values_decides_by_itself() -> None:
    assert axes.axis_bounds([[0, None]], [80]) == {}


def rule(conditions: dict, severity: str = "high") -> Rule:
    return Rule(name=f"{severity} rule", severity=severity, conditions=conditions)


def comparison(parameter: str, operator: str, threshold: float) -> dict:
    return {"parameter": parameter, "operator": operator, "threshold": threshold}


def test_limits_are_the_inequalities_of_rules_most_severe_first() -> None:
    both = {"operator": "AND", "conditions": [comparison("temp", "gt", 80), comparison("mode", "eq", 1), comparison("flow", "lt", 5)]}
    found = limits_of([rule(comparison("temp", "gte", 70)), rule(both, "critical"), rule({"operator": "nonsense"})])
    assert sorted(found) == ["flow", "temp"]
    assert [(limit.threshold, limit.severity, limit.is_alone) for limit in found["temp"]] == [(80, "critical", False), (70, "high", True)]
    assert not found["flow"][0].is_upper
    assert found["flow"][0].is_beyond(4.9)
    assert not found["flow"][0].is_beyond(5)


def test_values_go_to_their_bucket_and_missing_ones_are_none() -> None:
    assert loads.on_grid(powers(1, None, 3).rename({"mean": "value"}), "value", START, MINUTE, 4) == [1, None, 3, None]
    assert loads.bucket_start(START + timedelta(minutes=17, seconds=3), timedelta(minutes=10)) == START + timedelta(minutes=10)


def test_a_sparkline_breaks_where_values_are_missing() -> None:
    assert ui.spark([1, 2, None, 3, 4], "x").count("polyline") == 2
    assert "no values" in ui.spark([None, None, 1], "x")


def test_html_from_names_is_escaped() -> None:
    assert "<script>" not in ui.link("/x", "y") + ui.section("<script>") + ui.state_panel("a", "b", "<script>", "<script>")
    assert ui.machine_url('a"/b &') == "/machine?device=a%22%2Fb%20%26"


@pytest.fixture
def memory() -> Memory:
    resources._installed[:] = [SimpleNamespace(clock=ManualClock(START))]
    yield Memory()
    resources._installed.clear()


def test_many_sessions_cost_one_query(memory: Memory) -> None:
    asked: list[int] = []
    gate = threading.Event()

    def load() -> int:
        gate.wait(5)
        asked.append(1)
        return 7

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(memory.ask("key", 60, load).value)) for _ in range(10)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(5)
    assert (answers, asked) == ([7] * 10, [1])


def test_an_older_answer_is_given_marked_while_asking_fails(memory: Memory) -> None:
    def fails() -> int:
        raise LakeBusyError("away")

    with pytest.raises(LakeBusyError):
        memory.ask("key", 0, fails)
    assert not memory.ask("key", 0, lambda: 1).is_stale
    kept = memory.ask("key", 0, fails)
    assert (kept.value, kept.is_stale, kept.loaded_at) == (1, True, START)
    assert not memory.ask("key", 0, lambda: 2).is_stale


def test_nobody_waits_long_for_an_answer_that_does_not_come_and_it_is_there_when_it_does(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "PATIENCE_S", 0.1)
    gate = threading.Event()

    def slow() -> int:
        gate.wait(10)
        return 7

    with pytest.raises(LakeBusyError):
        memory.ask("key", 60, slow)
    gate.set()
    assert wait_until(lambda: memory._entries["key"].answer, 5)
    assert memory.ask("key", 60, slow).value == 7


def test_after_the_lake_failed_other_questions_to_it_are_not_tried_for_a_moment(memory: Memory) -> None:
    def fails() -> int:
        raise LakeBusyError("away")

    asked: list[int] = []
    with pytest.raises(LakeBusyError):
        memory.ask("one", 0, fails, needs_lake=True)
    with pytest.raises(LakeBusyError):
        memory.ask("two", 0, lambda: asked.append(1), needs_lake=True)
    memory.ask("live", 0, lambda: asked.append(2))
    assert asked == [2]


def test_nobody_waits_for_an_answer_of_the_lake_that_is_only_a_little_older(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end, now = threading.Event(), threading.Event(), [100.0]
    monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def slow() -> int:
        began.set()
        may_end.wait(60)
        return 2

    assert memory.ask("key", 30, lambda: 1, needs_lake=True).value == 1
    now[0] += 31
    assert memory.ask("key", 30, slow, needs_lake=True).value == 1
    assert began.wait(60)
    may_end.set()
    wait_until(lambda: memory.ask("key", 30, slow, needs_lake=True).value == 2, 60, "the newer answer is shown")


@pytest.mark.usefixtures("memory")
def test_what_nobody_asks_for_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=lambda: now[0]))
    own = Memory()
    own.ask("left", 5, lambda: "chart")
    for _ in range(4):
        now[0] += 200
        own.ask("open", 5, lambda: "chart")
    assert list(own._entries) == ["open"]


def test_an_answer_may_need_other_answers(memory: Memory) -> None:
    def nested(depth: int) -> int:
        return 1 + memory.ask(depth, 60, lambda: nested(depth + 1)).value if depth < 20 else 0

    assert memory.ask("outer", 60, lambda: nested(0)).value == 20


def test_answers_of_one_factory_are_not_those_of_another(memory: Memory) -> None:
    assert cache.ask(("same",), 1, 60, lambda: "north").value == "north"
    assert cache.ask(("same",), 2, 60, lambda: "south").value == "south"
    cache.forget(1)
    assert cache.ask(("same",), 1, 60, lambda: "newer").value == "newer"
    assert cache.ask(("same",), 2, 60, lambda: "newer").value == "south"


def test_points_of_a_chart_are_on_the_factorys_clock() -> None:
    local = Local.at(START, "Asia/Ho_Chi_Minh")
    found = charts.points(powers(1234.5678), "mean", local, 0.001)
    assert found == [[local.wall(START), 1.2346]]
