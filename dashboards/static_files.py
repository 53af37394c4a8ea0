"""Files that the browser fetches once: stylesheet, fonts, script. No Streamlit in here, so that the web server can read it too."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from dashboards import icons, tokens

STATIC: Final = Path(__file__).parent / "static"
SHEETS: Final = ("app.css", "forms.css", "rules.css", "wall.css", "analytics.css")
"""The frame and what pages show; lists, tables and forms of the pages on which things are set up; rules; the wall."""


@cache
def stylesheet() -> str:
    """The whole stylesheet: tokens in both themes, one class a shape, and the files of SHEETS."""
    return tokens.css_variables() + icons.css() + "".join((STATIC / name).read_text(encoding="utf-8") for name in SHEETS)


@cache
def head_and_foot() -> tuple[bytes, bytes]:
    """What goes into Streamlit's page: before </head>, and before </body>.

    The stylesheet comes last, because Streamlit adds its own rules to the head and the later of two equal ones counts.
    """
    script, theme = ((STATIC / name).read_text(encoding="utf-8") for name in ("session.js", "theme.js"))
    # The theme's script must run before Streamlit's own, which is a module and therefore waits: it neither waits nor is a module.
    head = (
        '<link rel="icon" href="/assets/icon.png"><meta name="referrer" content="same-origin">'
        f'<script src="/assets/theme.js?v={_digest(theme)}"></script>'
    )
    foot = (
        f'<link rel="stylesheet" href="/assets/app.css?v={_digest(stylesheet())}">'
        f'<script src="/assets/session.js?v={_digest(script)}" defer></script>'
    )
    return head.encode(), foot.encode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
