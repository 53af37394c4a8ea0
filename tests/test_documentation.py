"""What the documentation points to exists: files, headings, make targets, commands."""

import re
from pathlib import Path

import pytest

from tests import house
from tests.helpers import REPOSITORY

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
MAKE_TARGET = re.compile(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)", re.MULTILINE)
NAMED_FILE = re.compile(r"`((?:api|assets|dashboards|docs|factoryops|ingest|notebooks|pipelines|rules|scripts|tests|warehouse)/[\w./-]+)`")
PAGES = [path for path in house.tracked_files() if path.suffix == ".md"]


def anchor(heading: str) -> str:
    """The anchor that a heading gets on a code host."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def dead_links(page: Path, text: str) -> list[str]:
    """The relative links of a page whose file or heading is not there."""
    dead = []
    for link in LINK.findall(COMMENT.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (
            heading
            and heading not in {anchor(found) for found in re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)}
        ):
            dead.append(link)
    return dead


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


def test_a_dead_link_is_found() -> None:
    page = REPOSITORY / "README.md"
    assert dead_links(page, "[a](no-such-file.md) [b](#no-such-heading) ![c](docs/no.png)") == [
        "no-such-file.md",
        "#no-such-heading",
        "docs/no.png",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    named = {first or second for first, second in MAKE_TARGET.findall(page.read_text(encoding="utf-8"))}
    assert named - make_targets() == set()


def test_every_make_target_says_what_it_does() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", makefile, re.MULTILINE))
    assert make_targets() - explained == set()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name == "contributing"], ids=lambda page: page.relative_to(REPOSITORY).as_posix()
)
def test_every_file_that_a_page_for_contributors_names_exists(page: Path) -> None:
    assert [name for name in NAMED_FILE.findall(page.read_text(encoding="utf-8")) if not (REPOSITORY / name).exists()] == []
