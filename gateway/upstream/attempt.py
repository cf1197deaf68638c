"""One request to one target, up to its first good byte; from then on the answer that the pipe reads from."""

import asyncio
import contextlib
import email.utils
import re
import time
from typing import Self

from gateway.core.call import Ask
from gateway.core.fault import EmptyFault, Fault, ProtocolFault, RateLimitFault, ResetFault, TimeoutFault
from gateway.core.outcome import Usage
from gateway.core.ports import Receiver, Scanner
from gateway.core.route import Target
from gateway.upstream.connection import Connection
from gateway.upstream.head import Head
from gateway.wire.headers import is_media_type, is_upstream_id, read_retry_after
from gateway.wire.pair import Outgoing, Pair

NOTHING_SENT = Outgoing(b"")
MAX_PLAIN = 16 * 1024 * 1024
MAX_FAILURE = 64 * 1024
FAILURE_TIME = 2.0

_JSON = b"application/json"
_JSON_HEADERS = (("content-type", "application/json"),)
_EVENTS = b"text/event-stream"
_ENCODING = re.compile(rb"[A-Za-z0-9-]{1,32}( ?, ?[A-Za-z0-9-]{1,32}){0,3}")


class Attempt:
    """A Listener until it is settled, an Answer afterwards.

    In between, what arrives is kept here; whoever attaches gets the rest. `scanner` is the one that a stream would
    be read with, None for a plain call.
    """

    __slots__ = (
        "_connection",
        "_encoded",
        "_held",
        "_lost",
        "_outgoing",
        "_pair",
        "_retry_after",
        "_settled",
        "_size",
        "_status",
        "_timers",
        "complete",
        "dropped",
        "headers",
        "scanner",
        "target",
        "upstream_request_id",
        "usage",
    )

    def __init__(self, target: Target, pair: Pair, ask: Ask, outgoing: Outgoing, connection: Connection) -> None:
        self.target = target
        self.dropped = outgoing.dropped
        self.headers: tuple[tuple[str, str], ...] = ()
        self.upstream_request_id: str | None = None
        self.scanner: Scanner | None = pair.scanner(ask, outgoing) if ask.stream and not pair.opaque else None
        self.complete = False
        self.usage: Usage | None = None
        self._settled: asyncio.Future[Fault | None] = connection.loop.create_future()
        self._pair = pair
        self._outgoing = outgoing
        self._timers = connection.timers
        self._connection: Connection | None = connection
        self._status = 0
        self._encoded = False
        self._retry_after: tuple[str | None, str | None, str | None] = (None, None, None)
        self._held: list[bytes] = []
        self._size = 0
        self._lost = False

    async def run(self, request: bytes, deadline: float) -> Self:
        """Itself, with its first good byte in hand. Raises a Fault; TimeoutFault at `deadline`, monotonic seconds."""
        timers, due = self._timers, deadline
        if self.scanner is not None:
            due = min(due, timers.now + self.target.model.first_byte_timeout)
        assert self._connection is not None
        self._connection.send(request, self)
        timer = timers.at(due, self._late)
        try:
            if (fault := await self._settled) is not None:
                raise fault
        except BaseException:
            self.abandon()
            raise
        finally:
            timer.cancel()
        return self

    # As a Listener

    def head(self, head: Head) -> None:
        self._status = status = head.status
        headers = head.headers
        encoding = headers.get(b"content-encoding") or b"identity"
        self._encoded = encoding.lower() != b"identity"
        request_id = headers.get(b"x-request-id") or headers.get(b"request-id")
        if request_id is not None and is_upstream_id(text := request_id.decode("latin-1")):
            self.upstream_request_id = text
        if status >= 400:
            self._failure_head(head)
            return
        if self._pair.opaque:
            self._opaque_head(head, encoding)
            return
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self._encoded and self._pair.translates:
            self.failed(ProtocolFault())
        elif status == 200 and kind == _JSON and (not self._encoded or _ENCODING.fullmatch(encoding)):
            self.scanner = None
            self.headers = _JSON_HEADERS
            if self._encoded:
                self.headers += (("content-encoding", encoding.decode()),)
        elif status != 200 or self.scanner is None or self._encoded or kind not in (_EVENTS, b""):
            self.failed(ProtocolFault())

    def _opaque_head(self, head: Head, encoding: bytes) -> None:
        """Whatever it is, it may begin to pass with its first byte."""
        kind = head.get(b"content-type") or "application/octet-stream"
        if head.status != 200 or (self._encoded and not _ENCODING.fullmatch(encoding)) or not is_media_type(kind):
            self.failed(ProtocolFault())
            return
        self.headers = (("content-type", kind),)
        if self._encoded:
            self.headers += (("content-encoding", encoding.decode()),)

    def _failure_head(self, head: Head) -> None:
        self._retry_after = (head.get(b"retry-after-ms"), head.get(b"retry-after"), head.get(b"date"))
        self.scanner = None
        if (fault := self._pair.read_status(head.status)) is not None:
            self.failed(self._told(fault))
            self.release()
        else:
            self._timers.at(self._timers.now + FAILURE_TIME, self._judge)

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        if self.scanner is not None:
            self._stream_chunk(self.scanner, payload)
            return
        self._held.append(payload)
        self._size += len(payload)
        if self._status != 200:
            if self._size > MAX_FAILURE:
                self._judge()
        elif self._pair.opaque:
            self._pass()
        elif self._size > MAX_PLAIN:
            self._settle(ProtocolFault() if self._pair.translates else None)

    def _pass(self) -> None:
        self.usage = self._pair.read_answer(b"", self._outgoing).usage
        self._settle(None)

    def relay(self, data: bytes) -> bool:
        return False

    def _stream_chunk(self, scanner: Scanner, payload: bytes) -> None:
        self._size += len(payload)
        self._held.append(scanner.feed(payload))
        self._judge_stream(scanner)

    def _judge_stream(self, scanner: Scanner) -> None:
        if scanner.error is not None:
            self.failed(self._pair.read_failure(200, scanner.error))
        elif scanner.started:
            self._settle(None)
        elif scanner.done or self.complete:
            self.failed(EmptyFault())
        elif self._size > scanner.hold:
            self.failed(ProtocolFault())

    def ended(self) -> None:
        self.complete = True
        if self._settled.done():
            return
        if self.scanner is not None:
            self._held.append(self.scanner.end())
            self._judge_stream(self.scanner)
        else:
            self._judge()

    def broke(self) -> None:
        self._lost = True
        self.failed(ResetFault())

    def failed(self, fault: Fault) -> None:
        self._settle(fault)

    def _late(self) -> None:
        self._settle(TimeoutFault())

    def _judge(self) -> None:
        """A whole plain answer, or as much of an error as is read."""
        if self._settled.done():
            return
        body = b"".join(self._held)
        try:
            if self._status != 200:
                raise self._told(self._pair.read_failure(self._status, b"" if self._encoded else body))
            if not self._encoded:
                self.usage, told = self._pair.read_answer(body, self._outgoing)
                self._held = [told]
            elif not body:
                raise EmptyFault
        except Fault as fault:
            self.failed(fault)
        else:
            self._settle(None)

    def _told(self, fault: Fault) -> Fault:
        """With what the answer's headers add to it."""
        fault.upstream_request_id = self.upstream_request_id
        if isinstance(fault, RateLimitFault) or self._status == 503:
            milliseconds, seconds, date = self._retry_after
            if milliseconds or seconds:
                fault.cooldown = read_retry_after(milliseconds, seconds, _wall(date))
        return fault

    def _settle(self, fault: Fault | None) -> None:
        """The first word counts. From then on nothing is read by the request, which may be large."""
        if not self._settled.done():
            self._settled.set_result(fault)
            self._outgoing = NOTHING_SENT

    # As an Answer

    def take(self) -> bytes:
        out = b"".join(self._held)
        self._held.clear()
        return out

    def attach(self, receiver: Receiver) -> None:
        if self._connection is not None:
            self._connection.attach(receiver)
        if self.complete:
            receiver.ended()
        elif self._lost:
            receiver.broke()

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()


def _wall(date: str | None) -> float:
    """The wall clock that an answer's dates are by: the upstream's own, where it says what that shows."""
    if date is not None:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return email.utils.parsedate_to_datetime(date).timestamp()
    return time.time()
