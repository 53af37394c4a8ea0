"""The benchmark runner: what it finds, how it judges, how it exits."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import runner
from warehouse.errors import InvalidInputError, NotFoundError


@pytest.mark.parametrize(
    ("value", "limit", "met"),
    [
        (0.1, "< 0.15", True),
        (0.15, "< 0.15", False),
        (0.15, "<= 0.15", True),
        (20_000, ">= 20000", True),
        (19_999, ">=20000", False),
        (3, "> 2", True),
    ],
)
def test_a_limit_is_compared_as_it_is_written(value: float, limit: str, met: bool) -> None:
    assert runner.is_met(value, limit) is met


@pytest.mark.parametrize("limit", ["0.15", "< fast", "", "=< 3"])
def test_a_limit_that_says_nothing_is_refused(limit: str) -> None:
    with pytest.raises(InvalidInputError, match="is not like"):
        runner.is_met(1.0, limit)


def test_a_budget_whose_figure_was_not_measured_is_missed() -> None:
    result = runner.judged("x", {"figures": {"a_s": 1.0}, "budgets": [{"figure": "b_s", "limit": "< 1"}]})
    assert result["budgets"] == [{"figure": "b_s", "limit": "< 1", "met": False}]
    assert runner.exit_code(result) == 1


def test_a_benchmark_that_says_no_itself_is_believed() -> None:
    result = runner.judged("x", {"figures": {"a_s": 1.0}, "budgets": [{"figure": "a_s", "limit": "< 2", "met": False}]})
    assert runner.exit_code(result) == 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "benchmarks_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    result = '{{"figures": {{"a_s": {value}}}, "budgets": [{{"figure": "a_s", "limit": "< 1"}}]}}'
    body = '"""{doc}"""\n\n\ndef run(progress):\n    progress("half-way")\n    return ' + result + "\n"
    (package / "quick_one.py").write_text(body.format(doc="Keeps its budget.", value=0.5))
    (package / "slow_one.py").write_text(body.format(doc="Misses its budget.", value=1.5))
    takes = '"""Takes data."""\n\n\ndef run(progress, *, data, split="2018-01-01"):\n    return {"figures": {}, "notes": data + split}\n'
    (package / "on_data.py").write_text(takes)
    (package / "helpers.py").write_text('"""No benchmark."""\n\n\ndef run_something():\n    pass\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def test_modules_with_run_are_the_benchmarks(folder: Path) -> None:
    assert runner.benchmarks(folder) == {"on-data": "Takes data.", "quick-one": "Keeps its budget.", "slow-one": "Misses its budget."}


def test_progress_and_result_of_a_run(folder: Path) -> None:
    said: list[str] = []
    result = runner.run("quick-one", said.append, folder.name, folder)
    assert said == ["half-way"]
    assert json.loads(runner.as_json(result)) == {
        "name": "quick-one",
        "figures": {"a_s": 0.5},
        "budgets": [{"figure": "a_s", "limit": "< 1", "met": True}],
        "notes": "",
    }


def test_an_unknown_benchmark_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="on-data, quick-one, slow-one"):
        runner.run("none", print, folder.name, folder)


@pytest.mark.parametrize(("name", "code"), [("quick-one", 0), ("slow-one", 1), ("none", 2)])
def test_the_command_exits_0_when_met_1_when_missed_2_when_unknown(
    name: str, code: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factoryops import cli

    monkeypatch.setattr(runner.run, "__defaults__", (folder.name, folder))
    result = CliRunner().invoke(cli.app, ["bench", name, "--json"])
    assert result.exit_code == code, result.output
    if code < 2:
        assert json.loads(result.stdout)["figures"]["a_s"] > 0
        assert "half-way" in result.stderr


def test_a_benchmark_on_data_is_given_them(folder: Path) -> None:
    assert runner.run("on-data", print, folder.name, folder, data="d/", split=None)["notes"] == "d/2018-01-01"
    assert runner.run("on-data", print, folder.name, folder, data="d/", split="x")["notes"] == "d/x"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [("on-data", {"data": None}, "on-data needs --data"), ("quick-one", {"data": "d", "split": None}, "quick-one has no option --data")],
)
def test_options_that_do_not_fit_are_refused(name: str, options: dict[str, str | None], said: str, folder: Path) -> None:
    with pytest.raises(InvalidInputError, match=said):
        runner.run(name, print, folder.name, folder, **options)
