"""What the relay says about itself: a JSON object a line on standard error; plain on a terminal.

Nothing a person wrote, no number, no token and no path of a request is ever given to it. Libraries
that would log such things are kept quiet here: `websockets` logs frames at DEBUG, and uvicorn
requests with their query.
"""

from __future__ import annotations

import logging
import sys

import structlog

_QUIET = ("websockets", "uvicorn", "uvicorn.access", "uvicorn.error", "picows", "asyncio")


def configure(level: str, *, plain: bool | None = None) -> None:
    """Set up logging for the whole process."""
    if plain is None:
        plain = sys.stderr.isatty()
    number = getattr(logging, level.upper())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if plain
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_values(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Reduce an exception to its type and places: its text could quote what it failed on."""
    info = event.pop("exc_info", None)
    if info:
        error = info if isinstance(info, BaseException) else sys.exc_info()[1]
        if error is not None:
            event["error"] = type(error).__name__
            event["at"] = places(error)
    return event


def places(error: BaseException) -> list[str]:
    """Where an exception passed, innermost last: `file:line`, without source and without values."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found
