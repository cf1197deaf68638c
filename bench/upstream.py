"""The upstream of the benchmark: the simulator with a script that sends numbered events and knows when it sent them."""

import time
from collections.abc import Iterable, Iterator

from bench.wheel import Wheel
from gateway.simulator import LAST_CHUNK, Close, Gate, Request, Send, Step, Wait, chunked, head, json_answer

PROMPT_TOKENS = 20
_WHERE_STREAM_STANDS = 256  # bytes from either end: not to search a body of 10 MB for `"stream":true`

_FRAME = (
    b'"id":"chatcmpl-bench00000000000000000001","object":"%b","created":1763700000,"model":"bench-1",'
    b'"service_tier":"default","system_fingerprint":"fp_bench00001"'
)
_CHUNK = _FRAME % b"chat.completion.chunk"
_USAGE = b'{"prompt_tokens":%d,"completion_tokens":%%d,"total_tokens":%%d}' % PROMPT_TOKENS
_CHOICE = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}'


def _event(rest: bytes) -> bytes:
    return b"data: {%b,%b}\n\n" % (_CHUNK, rest)


# 312 bytes with its chunk's framing; the number and the time have a fixed width, so the chunk's size is known.
_MARKED = _event(b'"choices":[%b],"usage":null' % (_CHOICE % (b'{"content":" word #%06d@%019d#"}', b"null")))
EVENT = chunked(_MARKED % (0, 0)).split(b"\r\n", 1)[0] + b"\r\n" + _MARKED + b"\r\n"
FINISH = chunked(_event(b'"choices":[%b],"usage":null' % (_CHOICE % (b"{}", b'"stop"'))))
DONE = chunked(b"data: [DONE]\n\n")
_HEAD = head(
    200,
    [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-cache"),
        ("x-request-id", "req_bench"),
        ("openai-processing-ms", "12"),
        ("Transfer-Encoding", "chunked"),
    ],
)
_MESSAGE = b'{"role":"assistant","content":"%b","refusal":null,"annotations":[]}' % (b"word " * 60)
_PLAIN = b'{%b,"choices":[{"index":0,"message":%b,"logprobs":null,"finish_reason":"stop"}],"usage":%b}' % (
    _FRAME % b"chat.completion",
    _MESSAGE,
    _USAGE % (20, PROMPT_TOKENS + 20),
)


def usage_event(events: int) -> bytes:
    """It says how many events there were, so that a client knows of one that was lost at the end."""
    return chunked(_event(b'"choices":[],"usage":%b' % (_USAGE % (events, PROMPT_TOKENS + events))))


class Script:
    """What the simulator answers. `begin` a round of streams, then `end` it: every stream is then ended properly."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._plain = json_answer(200, _PLAIN, [("x-request-id", "req_bench"), ("openai-processing-ms", "12")])
        self._rate = 0.0
        self._limit = 0
        self._keep_alive = True
        self._ended = Gate()
        self._ending = True
        self.events = 0

    def begin(self, rate: float, limit: int = 0, *, keep_alive: bool = True) -> None:
        """Streams from now on: events per second (0: one event, then silence); `limit` 0 is until the end.

        Without `keep_alive` each stream's connection is closed after it.
        """
        self._rate, self._limit, self._keep_alive = rate, limit, keep_alive
        self._ended, self._ending = Gate(), False

    def end(self) -> None:
        self._ending = True
        self._ended.open()

    def __call__(self, request: Request) -> Iterable[Step]:
        ends = request.body[:_WHERE_STREAM_STANDS] + request.body[-_WHERE_STREAM_STANDS:]
        if b'"stream":true' not in ends:
            return self._plain
        return self._stream()

    def _stream(self) -> Iterator[Step]:
        wait = Wait(self._wheel.beat(self._rate) if self._rate else self._ended)
        limit = self._limit
        sent = 0
        yield Send(_HEAD)
        while True:
            yield Send(EVENT % (sent, time.monotonic_ns()))
            sent += 1
            if sent == limit:
                break
            yield wait
            if self._ending:
                break
        self.events += sent
        yield Send(FINISH)
        yield Send(usage_event(sent))
        yield Send(DONE)
        yield Send(LAST_CHUNK)
        if not self._keep_alive:
            yield Close()
