"""How every process of ours logs: one line an event, coloured text or JSON, to standard error."""

import io
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from warehouse.redaction import redacted, redacted_text
from warehouse.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Sets up structlog and the standard library's logging once, at the start of a process."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        # Plain: the coloured traceback shows local variables, and so passwords.
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if settings.log_json else "%H:%M:%S", utc=True),
            *([structlog.processors.format_exc_info] if settings.log_json else []),
            without_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutSecrets("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])


def plain_traceback(out: TextIO, failure: structlog.typing.ExcInfo) -> None:
    """A traceback as text, without local variables."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, failure)
    out.write(redacted_text(text.getvalue()))


def without_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor; `exc_info` is left to what renders it."""
    return {name: value if name == "exc_info" else redacted(value, name) for name, value in event.items()}


class WithoutSecrets(logging.Formatter):
    """For what libraries log, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole line."""
        return redacted_text(super().format(record))
