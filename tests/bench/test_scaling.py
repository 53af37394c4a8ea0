"""The curves of docs/scaling.md: measured by the benchmark, and shown as they were measured."""

import json

import pytest

from bench.scaling import Sizes, measured
from scripts.document_scaling import FIGURES, PAGE, WORDS, page, tables


@pytest.mark.slow
def test_each_curve_has_its_points_and_each_figure_its_words() -> None:
    found = measured(Sizes(devices=(3,), factories=(2,), days=(1,), messages_after=20), lambda _: None)
    shown = tables(found["figures"])
    assert {name.rpartition("_at_")[0] for name in found["figures"]} == set(WORDS)
    assert all(words in shown for words in WORDS.values())
    assert all(value >= 0 for value in found["figures"].values())


def test_the_page_shows_what_was_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, json.loads(FIGURES.read_text(encoding="utf-8"))) == text, "run scripts/document_scaling.py"
