"""Finds the benchmarks of this folder, runs one, judges its budgets, prints what it found.

A benchmark is a module of `bench/` with `run(progress) -> dict`: `figures` maps a name with its unit to a number, `budgets` lists
`{"figure": name, "limit": text}` with a limit such as `"< 0.15"` or `">= 20000"`, `notes` says what a reader must know. The
optional `name` is the file's name with dashes. `progress(text)` is called from time to time. One that measures on given data has
the options of the command line as keyword-only parameters of its `run`: `data`, `split`, `minutes`; without a default they must be given.
"""

import ast
import importlib
import inspect
import json
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from warehouse.errors import InvalidInputError, NotFoundError

FOLDER: Final = Path(__file__).parent
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
Progress = Callable[[str], None]


def benchmarks(folder: Path = FOLDER) -> dict[str, str]:
    """Name of each benchmark and the first line of its docstring; reads the files without importing them."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" and node.args.args for node in tree.body) and path.stem != "runner":
            found[path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def is_met(value: float, limit: str) -> bool:
    """Whether `value` keeps a limit such as `< 0.15`. Raises InvalidInputError for one without comparison or number."""
    sign = next((sign for sign in _COMPARE if limit.strip().startswith(sign)), None)
    try:
        if sign is not None:
            return _COMPARE[sign](value, float(limit.strip().removeprefix(sign)))
    except ValueError:
        pass  # said below
    raise InvalidInputError(f"the limit {limit!r} is not like '< 0.15' or '>= 20000'", path="limit")


def judged(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """The result in its final form `{name, figures, budgets: [{figure, limit, met}], notes}`.

    A budget without a figure is not met. A benchmark that judged a budget itself (`met`) is believed only when it says no.
    """
    figures = dict(result.get("figures", {}))
    budgets = [{**budget, "met": _judge(figures, budget)} for budget in result.get("budgets", [])]
    return {"name": result.get("name", name), "figures": figures, "budgets": budgets, "notes": result.get("notes", "")}


def _judge(figures: dict[str, Any], budget: dict[str, Any]) -> bool:
    figure, limit = budget["figure"], budget["limit"]
    if figure not in figures or budget.get("met") is False:
        return False
    # A bare number does not say its direction; then the benchmark must have judged itself.
    return is_met(figures[figure], limit) if isinstance(limit, str) else budget.get("met") is True


def run(name: str, progress: Progress, package: str = "bench", folder: Path = FOLDER, **options: str | None) -> dict[str, Any]:
    """Runs one benchmark and judges it; `options` that are None were not given.

    Raises NotFoundError for an unknown name, InvalidInputError for an option that it does not have, or needs and was not given.
    """
    known = benchmarks(folder)
    if name not in known:
        raise NotFoundError(f"there is no benchmark {name}; there are: {', '.join(known) or 'none'}", noun="benchmark", key=name)
    # Some start the servers that the tests start; both live in the checkout, which a console script does not look into.
    if (checkout := str(FOLDER.parent)) not in sys.path:
        sys.path.append(checkout)
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    return judged(name, module.run(progress, **_accepted(name, module.run, options)))


def _accepted(name: str, run_it: Callable[..., Any], options: dict[str, str | None]) -> dict[str, str]:
    known = {key: each for key, each in inspect.signature(run_it).parameters.items() if each.kind is each.KEYWORD_ONLY}
    given = {key: value for key, value in options.items() if value is not None}
    if strange := sorted(set(given) - set(known)):
        raise InvalidInputError(f"the benchmark {name} has no option --{strange[0]}", path=strange[0])
    if missing := [key for key, each in known.items() if each.default is each.empty and key not in given]:
        raise InvalidInputError(f"the benchmark {name} needs --{' and --'.join(missing)}", path=missing[0])
    return given


def to_stderr(text: str) -> None:
    """Where progress goes, so that standard output holds the result and nothing else."""
    print(text, file=sys.stderr, flush=True)


def exit_code(result: dict[str, Any]) -> int:
    """1 when a budget is missed, else 0."""
    return 0 if all(budget["met"] for budget in result["budgets"]) else 1


def as_json(result: dict[str, Any]) -> str:
    """One JSON object in one line."""
    return json.dumps(result, ensure_ascii=False)


def print_table(result: dict[str, Any]) -> None:
    """The same for people."""
    limits = {budget["figure"]: budget for budget in result["budgets"]}
    table = Table(title=result["name"], title_justify="left")
    for column in ("figure", "value", "budget", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure, value in result["figures"].items():
        budget = limits.pop(figure, None)
        verdict = "" if budget is None else "[green]met[/]" if budget["met"] else "[bold red]missed[/]"
        table.add_row(
            figure, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}", str(budget["limit"]) if budget else "", verdict
        )
    for budget in limits.values():
        table.add_row(budget["figure"], "not measured", str(budget["limit"]), "[bold red]missed[/]")
    console = Console()
    console.print(table)
    notes = result["notes"]
    for note in [notes] if isinstance(notes, str) else notes:
        if note:
            console.print(note, style="dim")
