"""Typst in a process of its own: `python typeset.py` with an order as JSON on its input.

Typst remembers what it has set and never forgets: some 20 MB a report, which a server would lose for good. Imports nothing of ours, so
that the process starts in a tenth of a second. Writes the pages to the files of the order, or the reason to its standard error.
"""

import json
import sys
from pathlib import Path


def main() -> int:
    """0: done; 3: Typst refuses the document."""
    import typst  # noqa: PLC0415  # only this process may load it

    order = json.load(sys.stdin)
    try:
        found = typst.compile(
            order["main"], root=order["root"], font_paths=order["fonts"], ignore_system_fonts=True, format=order["format"],
            timestamp=order["timestamp"], **order["more"],
        )  # fmt: skip
    except RuntimeError as refused:
        sys.stderr.write(str(refused))
        return 3
    for number, page in enumerate(found if isinstance(found, list) else [found]):
        Path(order["root"], f"out-{number:05d}").write_bytes(page or b"")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
