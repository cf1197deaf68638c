"""The seams between rooms: what flow asks of the outside world, which fits these by shape.

Nothing here is subclassed by its implementations; mypy checks the fit where `app.py` joins them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.core.call import Ask, Call
from gateway.core.errors import Break
from gateway.core.limits import Demand, Limits, Use, Verdict
from gateway.core.outcome import Check, Record, Usage
from gateway.core.route import Target


class Upload(Protocol):
    """The client's request body, not read yet."""

    async def read(self, *, form: bool = False) -> bytes:
        """The whole body, JSON or a form, bounded in size and time. Raises RequestTooLarge, RequestTimeout."""


class Receiver(Protocol):
    """Takes an upstream's body in callbacks of its socket; exactly one of `ended` and `broke` comes last."""

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        """`framed` is the very read that carried `payload`, if that was one whole well-formed HTTP chunk."""

    def relay(self, data: bytes) -> bool:
        """A read that begins where a chunk does, before it is looked into. True if that was all there is to do."""

    def ended(self) -> None:
        """The body is complete by its own framing."""

    def broke(self) -> None:
        """The connection ended inside the body."""


class Source(Protocol):
    """The upstream's end of a stream."""

    def attach(self, receiver: Receiver) -> None:
        """From here on `receiver` gets what arrives."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def release(self) -> None:
        """Done with it, all was said: the connection is kept for the next call. Idempotent, like `abandon`."""

    def abandon(self) -> None:
        """Done with it halfway: the connection is closed at once, so that the upstream stops working for nobody."""


class Reader(Protocol):
    """Who is told when the client's socket is full, and when it is not any more."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Downstream(Protocol):
    """The client's end of a call. Nothing here waits but `drained`."""

    def answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """A whole answer in one write."""

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The head of a stream. It goes out with what is written next."""

    def write(self, payload: bytes, framed: bytes | None = None) -> None:
        """A piece of the stream; `framed` is the same piece already in HTTP chunk framing, if there is such."""

    def relay(self, data: bytes) -> bool:
        """A piece in the framing it came in. False, and nothing is sent, if the client takes no chunks."""

    def finish(self, payload: bytes = b"") -> None:
        """The stream is complete, with this for its last piece."""

    def cut(self, last_words: bytes) -> None:
        """Flush, then close without the terminal chunk, so that no client takes the stream for complete."""

    def attach(self, reader: Reader | None) -> None:
        """Whom to tell about backpressure."""

    @property
    def taken(self) -> int | None:
        """Bytes the client's socket has taken so far; None when nothing is waiting to be taken."""

    def add_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        """They go on the answer, whatever it will be."""

    async def drained(self) -> None:
        """Wait until the socket took everything. Raises ClientStalled after `write_timeout` without progress."""


class Scanner(Protocol):
    """A dialect's reading of a stream: bytes in, bytes and facts out (see `wire/sse.py`).

    `hold`: so many bytes without a good event are too many.
    """

    hold: int
    started: bool
    error: bytes | None
    done: bool
    failed: bool
    events: int
    usage: Usage | None
    usage_invalid: bool
    appended_done: bool
    over: bool

    @property
    def repeats(self) -> Callable[[bytes], bool]:
        """Whether a read is one whole HTTP chunk with one more plain event, which needs no reading."""

    @property
    def at_boundary(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class Answer(Source, Protocol):
    """An upstream's good answer, its first byte in hand: a whole body, or a stream under way.

    `scanner` is None for what is no event stream; `complete` says that `take` gives all there is; `dropped` are fields
    of the request that the target's API has no words for.
    """

    target: Target
    headers: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    upstream_request_id: str | None
    scanner: Scanner | None
    complete: bool
    usage: Usage | None

    def take(self) -> bytes:
        """What arrived and may be sent already; what comes next goes to whoever is attached."""


class Upstreams(Protocol):
    """One attempt at one target."""

    async def attempt(self, target: Target, call: Call, ask: Ask, deadline: float) -> Answer:
        """The answer with its first good event, or its whole body. Raises a Fault."""


class Store(Protocol):
    """Where limits are kept. What was admitted holds a lease until it is settled."""

    @property
    def ready(self) -> bool:
        """Whether calls can be decided on; without a shared store, always."""

    async def admit(self, demand: Demand) -> Verdict:
        """One atomic step over all limits; charges everything or nothing. Raises LimiterUnavailable."""

    def settle(self, demand: Demand, tokens: int, micro_usd: int) -> None:
        """The call ended: its lease is free, its reservation becomes what it really used. Never waits."""

    async def use(self, key: str, limits: Limits, wall: float) -> Use:
        """How it stands, charging nothing. Raises LimiterUnavailable."""


class StoreMeter(Protocol):
    """Who measures a shared store."""

    def trip(self, op: str, seconds: float) -> None:
        """One round trip."""

    def error(self, op: str, kind: str) -> None:
        """`kind` is one of a closed set."""

    def degraded(self, value: bool) -> None:
        """Whether this process decides without the shared store."""


class Prober(Protocol):
    """Asks upstreams how they are."""

    async def check(self) -> Sequence[Check]:
        """Every usable upstream; one probe at a time each, remembered for 10 s."""


class Recorder(Protocol):
    """Where Records go; never waits."""

    def put(self, record: Record) -> None: ...


class Breakable(Protocol):
    """A stream that can be told to end."""

    def break_off(self, reason: Break) -> None: ...


class Cancellable(Protocol):
    """A task."""

    def cancel(self) -> object: ...
