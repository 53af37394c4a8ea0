"""What people see when a page breaks: in words, with a reference to the log, and nothing of the program."""

import secrets
import traceback

import structlog

from dashboards import ui

log = structlog.get_logger()


def show(problem: Exception) -> bool:
    """Streamlit's handler of uncaught errors: logs the error under a reference and draws a panel with it."""
    reference = secrets.token_hex(3).upper()
    log.error("page_failed", reference=reference, problem="".join(traceback.format_exception(problem)))
    text = f"The rest of the installation goes on: messages are received and alerts are sent. Reference {reference}."
    ui.draw(
        '<div class="card">',
        ui.state_panel("error", "high", "This part of the page could not be shown", text, '<a href="">Try again</a>'),
        "</div>",
    )
    return True
