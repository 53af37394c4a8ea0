"""Writes `docs/reference/tables.md` from `warehouse/catalogue.py`. `make docs` runs it; a test holds the page to it."""

import sys
from pathlib import Path

from warehouse.catalogue import as_markdown

REPOSITORY = Path(__file__).resolve().parent.parent
TABLES_PAGE = REPOSITORY / "docs" / "reference" / "tables.md"


def main() -> int:
    """Write the page."""
    TABLES_PAGE.write_text(as_markdown(), encoding="utf-8")
    print(f"wrote {TABLES_PAGE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
