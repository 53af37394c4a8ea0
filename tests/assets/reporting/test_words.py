"""Languages: every entry of a catalogue is used, has the same places to fill in, and numbers follow the language."""

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import assets.reporting
from assets.reporting.numbers import writer
from assets.reporting.words import LANGUAGES, TEMPLATE_WORDS, language

TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(assets.reporting.__file__).parent.rglob("*.py")]
TEXTS = {node.value for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_entry_is_a_text_of_ours_with_the_same_places(code: str) -> None:
    for text, translated in language(code).catalogue.items():
        assert text in TEXTS
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", translated)), text
        assert text.count("|") == translated.count("|"), text


def texts_of_reports() -> set[str]:
    """Every text that a section, chart or file hands to the words of its language."""
    found = set()
    for tree in TREES:
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in {"t", "words"} and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_text_of_a_report_is_translated(code: str) -> None:
    texts = texts_of_reports()
    assert len(texts) > 300
    assert texts - language(code).catalogue.keys() == set()


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_what_the_template_prints_is_translated(code: str) -> None:
    assert set(TEMPLATE_WORDS.values()) <= language(code).catalogue.keys()


@pytest.mark.parametrize(("code", "number", "percent"), [("en", "1,235", "99.9"), ("de", "1.235", "99,9"), ("vi", "1.235", "99,9")])
def test_numbers_follow_the_language(code: str, number: str, percent: str) -> None:
    w = writer(code, "Asia/Ho_Chi_Minh")
    assert w.num(1234.6) == number
    assert w.percent(0.99999) == percent


def test_unknown_is_never_zero_and_all_is_only_all() -> None:
    w = writer("en", "UTC")
    assert (w.num(None), w.percent(None), w.span(None), w.signed(None)) == ("—", "—", "—", "—")
    assert (w.percent(1.0), w.percent(0.9996), w.signed(0.04), w.signed(-3)) == ("100", "99.9", "±0", "−3.0")
    assert (w.span(59.4), w.span(131), w.span(1500)) == ("59 min", "2 h 11 min", "1 d 1 h")


def test_moments_are_on_the_factorys_clock() -> None:
    w = writer("en", "Asia/Ho_Chi_Minh")
    moment = datetime(2026, 11, 16, 20, 12, tzinfo=UTC)
    assert (w.at(moment), w.stamp(moment)) == ("Tue 17 03:12", "17 Nov 2026 03:12 +07")
    assert w.zone_name(moment) == "Asia/Ho_Chi_Minh (UTC+7)"
