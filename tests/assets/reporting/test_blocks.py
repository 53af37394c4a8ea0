"""Text of people is never code, references are checked, tables are even."""

import pytest

from assets.reporting.blocks import document, plain, without_marks
from assets.reporting.markdown import blocks_of_markdown
from assets.reporting.quarto import cell_options, front_matter
from assets.reporting.render import render_pdf
from tests.assets.reporting.conftest import HOSTILE, meta, one_page
from warehouse.errors import InvalidInputError


def test_hostile_text_reads_the_same_after_it_was_made_plain() -> None:
    assert without_marks(plain(HOSTILE)) == HOSTILE


def test_a_long_word_may_break_and_keeps_its_letters() -> None:
    assert plain("x" * 60).replace("\u200b", "") == "x" * 60
    assert "\u200b" in plain("x" * 60)


def test_control_characters_are_taken_out() -> None:
    assert plain("a\x00b\x1bc") == "abc"


def test_an_unknown_kind_of_block_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="template does not know"):
        document(meta(), [{"kind": "eval", "text": "x"}])


def test_a_figure_without_alternative_text_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="alternative text"):
        document(meta(), [{"kind": "figure", "svg": "<svg/>", "caption": "c", "alt": " "}])


def test_a_reference_to_nothing_is_refused_and_named() -> None:
    with pytest.raises(InvalidInputError, match="@fig-nowhere"):
        document(meta(), [{"kind": "lead", "text": "see @fig-nowhere"}])


def test_a_table_with_a_short_row_is_refused() -> None:
    table = {"kind": "table", "columns": ["a", "b"], "align": "ll", "widths": ["1fr", "1fr"], "rows": [["only one"]]}
    with pytest.raises(InvalidInputError, match="other lengths"):
        document(meta(), [table])


def test_the_same_document_gives_the_same_bytes() -> None:
    assert render_pdf(one_page()) == render_pdf(one_page())


def test_markdown_becomes_blocks_and_keeps_references() -> None:
    found = blocks_of_markdown(
        "# Title {#sec-a}\n\nSee @fig-x and **this** `code`.\n\nAnd *more* @home.\n\n- one\n- two\n\n> mind\n\n|a|b|\n|-|-:|\n|1|2|\n"
    )
    assert [block["kind"] for block in found] == ["heading", "prose", "items", "callout", "table"]
    assert found[0]["label"] == "sec-a"
    assert found[1]["paragraphs"] == ["See @fig-x and **this** `code`.", "And more \\@home."]
    assert found[4]["align"] == "lr"


def test_quarto_conventions_are_read() -> None:
    assert front_matter("---\ntitle: A\npapersize: us-letter\n---\n") == {"title": "A", "papersize": "us-letter"}
    assert cell_options("#| label: fig-x\n#| echo: false\nx = 1\n#| no: option") == {"label": "fig-x", "echo": False}
    assert front_matter("no front matter") == {}


def test_broken_yaml_is_explained() -> None:
    with pytest.raises(InvalidInputError, match="no YAML"):
        cell_options("#| a: [1\n")
