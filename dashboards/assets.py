"""Files that the browser fetches once: stylesheet, fonts, script. No Streamlit in here, so that the web server can read it too."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from dashboards import icons, tokens

STATIC: Final = Path(__file__).parent / "static"


@cache
def stylesheet() -> str:
    """The whole stylesheet: tokens in both themes, one class a shape, and static/app.css."""
    return tokens.css_variables() + icons.css() + (STATIC / "app.css").read_text(encoding="utf-8")


@cache
def head_and_foot() -> tuple[bytes, bytes]:
    """What goes into Streamlit's page: before </head>, and before </body>.

    The stylesheet comes last, because Streamlit adds its own rules to the head and the later of two equal ones counts.
    """
    script = (STATIC / "session.js").read_text(encoding="utf-8")
    head = '<link rel="icon" href="/assets/icon.png"><meta name="referrer" content="same-origin">'
    foot = (
        f'<link rel="stylesheet" href="/assets/app.css?v={_digest(stylesheet())}">'
        f'<script src="/assets/session.js?v={_digest(script)}" defer></script>'
    )
    return head.encode(), foot.encode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
