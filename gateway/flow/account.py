"""Opens first, closes last: exactly one Record for every call, whatever happened to it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.core.call import Call
from gateway.core.clock import Clock
from gateway.core.errors import Break, DrainingRefusal, InternalError, Refusal
from gateway.core.outcome import CLIENT_CLOSED_REQUEST, Outcome, Record
from gateway.core.ports import Recorder
from gateway.state.live import Live
from gateway.wire.headers import MIN_COOLDOWN, retry_headers


class Account:
    """Where Records go, and what tells a client that left from a call that the shutdown cut off."""

    def __init__(self, recorder: Recorder, live: Live, clock: Clock, version: str) -> None:
        self._recorder = recorder
        self._live = live
        self._clock = clock
        self._version = version

    @contextmanager
    def open(self, call: Call) -> Iterator[Record]:
        """A cancelled call becomes client_gone, or, at shutdown and before its first byte, DrainingRefusal."""
        record = Record(call, self._version)
        try:
            try:
                yield record
            except asyncio.CancelledError:
                if self._live.cut_off and record.first_byte is None:
                    raise DrainingRefusal(headers=retry_headers(MIN_COOLDOWN), close=True) from None
                raise
        except (Refusal, Break) as reason:
            record.end(reason.outcome, reason.status, reason.code)
            raise
        except asyncio.CancelledError:
            if record.outcome is None:
                record.end(Outcome.CLIENT_GONE, CLIENT_CLOSED_REQUEST)
            raise
        except Exception:
            record.end(Outcome.INTERNAL, record.status or InternalError.status, InternalError.code)
            raise
        finally:
            record.ended = self._clock()
            self._recorder.put(record)
