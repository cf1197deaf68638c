"""Log lines: JSON by structlog, written by a thread of its own, so that a stuck stdout never stops the loop."""

import json
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
import structlog

MAX_PENDING = 10_000


def write_all(descriptor: int, data: bytes) -> None:
    """Raises OSError, also where nothing more can be written without blocking."""
    while data:
        data = data[os.write(descriptor, data) :]


class LineWriter:
    """Takes lines from anywhere, writes them in batches. Full: lines are dropped, and `dropped` counts them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.dropped = 0
        self._write = write
        self._pending: deque[bytes] = deque()
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        if len(self._pending) >= MAX_PENDING:
            self.dropped += 1
            return
        self._pending.append(line)
        if not self._wanted.is_set():
            self._wanted.set()

    def _run(self) -> None:
        while not self._closing or self._pending:
            self._wanted.wait()
            self._wanted.clear()
            batch = bytearray()
            while self._pending:
                batch += self._pending.popleft() + b"\n"
            try:
                self._write(bytes(batch))
            except OSError:
                self.dropped += batch.count(b"\n")

    def close(self, timeout: float = 2.0) -> None:
        """Write what is pending, for at most `timeout` seconds."""
        self._closing = True
        self._wanted.set()
        self._thread.join(timeout)


class _Logger:
    """What structlog renders to."""

    def __init__(self, writer: LineWriter) -> None:
        self._put = writer.put

    def msg(self, line: bytes) -> None:
        self._put(line)

    debug = info = warning = error = critical = exception = msg


class _StdlibHandler(logging.Handler):
    """aiohttp's and asyncio's own lines, in the same shape."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None
            )
        except Exception:  # noqa: BLE001 - logging must not raise into whoever logs
            self.handleError(record)


def configure(writer: LineWriter, **fields: object) -> None:
    """One JSON object a line: `timestamp` (UTC), `level`, `event`, then the fields; `fields` are in every one."""

    def add_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(fields)
        return event

    structlog.configure(
        processors=[
            *([add_fields] if fields else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _place_exception,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Logger(writer),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_StdlibHandler()], force=True)


def _place_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of an exception its type and where it was raised: its text and the locals may hold a key or a prompt."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    elif isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if isinstance(exc_info, tuple) and exc_info[0] is not None:
        event["exception"] = exc_info[0].__name__
        event["trace"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(exc_info[2])]
    return event


def _encode(event: dict[str, Any], **_: object) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=str)
    except UnicodeEncodeError:  # half a surrogate pair, as in a header that is not UTF-8
        return json.dumps(event, default=str).encode()
