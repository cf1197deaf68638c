"""Opens first, closes last: exactly one Record for every call, whatever happened to it."""

import asyncio
from types import TracebackType

from gateway.core.call import Call
from gateway.core.clock import Clock
from gateway.core.errors import Break, DrainingRefusal, InternalError, Refusal
from gateway.core.outcome import CLIENT_CLOSED_REQUEST, Outcome, Record
from gateway.core.ports import Recorder
from gateway.state.live import Live
from gateway.wire.headers import MIN_COOLDOWN, retry_headers


class Entry:
    """One call's Record: whatever ends the block is written into it, and it is handed on.

    A cancelled call becomes client_gone, or, at shutdown and before its first byte, DrainingRefusal.
    """

    __slots__ = ("_account", "_record")

    def __init__(self, account: "Account", record: Record) -> None:
        self._account = account
        self._record = record

    def __enter__(self) -> Record:
        return self._record

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        record = self._record
        draining: DrainingRefusal | None = None
        if isinstance(error, asyncio.CancelledError):
            if self._account.live.cut_off and record.first_byte is None:
                error = draining = DrainingRefusal(headers=retry_headers(MIN_COOLDOWN), close=True)
            elif record.outcome is None:
                record.end(Outcome.CLIENT_GONE, CLIENT_CLOSED_REQUEST)
        if isinstance(error, Refusal | Break):
            record.end(error.outcome, error.status, error.code)
        elif isinstance(error, Exception):
            record.end(Outcome.INTERNAL, record.status or InternalError.status, InternalError.code)
        record.ended = self._account.clock()
        self._account.recorder.put(record)
        if draining is not None:
            raise draining from None


class Account:
    """Where Records go, and what tells a client that left from a call that the shutdown cut off."""

    def __init__(self, recorder: Recorder, live: Live, clock: Clock, version: str) -> None:
        self.recorder = recorder
        self.live = live
        self.clock = clock
        self._version = version

    def open(self, call: Call) -> Entry:
        return Entry(self, Record(call, self._version))
