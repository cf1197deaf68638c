"""The seams between rooms: what flow asks of the outside world, which fits these by shape.

Nothing here is subclassed by its implementations; mypy checks the fit where `app.py` joins them.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from gateway.core.call import Ask, Call
from gateway.core.errors import Break
from gateway.core.outcome import Check, Record, Usage
from gateway.core.route import Target


class Upload(Protocol):
    """The client's request body, not read yet."""

    async def read(self) -> bytes:
        """The whole body, bounded in size and time. Raises RequestTooLarge, RequestTimeout."""


class Receiver(Protocol):
    """Takes an upstream's body in callbacks of its socket; exactly one of `ended` and `broke` comes last."""

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        """`framed` is the very read that carried `payload`, if that was one whole well-formed HTTP chunk."""

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
        """The head of a stream."""

    def write(self, payload: bytes, framed: bytes | None = None) -> None:
        """A piece of the stream; `framed` is the same piece already in HTTP chunk framing, if there is such."""

    def finish(self) -> None:
        """The stream is complete."""

    def cut(self, last_words: bytes) -> None:
        """Flush, then close without the terminal chunk, so that no client takes the stream for complete."""

    def attach(self, reader: Reader | None) -> None:
        """Whom to tell about backpressure."""

    @property
    def taken(self) -> int | None:
        """Bytes the client's socket has taken so far; None when nothing is waiting to be taken."""

    async def drained(self) -> None:
        """Wait until the socket took everything. Raises ClientStalled after `write_timeout` without progress."""


class Scanner(Protocol):
    """A dialect's reading of a stream: bytes in, bytes and facts out (see `wire/sse.py`)."""

    started: bool
    error: bytes | None
    done: bool
    failed: bool
    events: int
    usage: Usage | None
    usage_invalid: bool
    appended_done: bool

    @property
    def over(self) -> bool: ...

    @property
    def at_boundary(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class Answer(Source, Protocol):
    """An upstream's good answer, its first byte in hand: a whole body, or a stream under way.

    `scanner` is None for what is no event stream; `complete` says that `take` gives all there is.
    """

    target: Target
    headers: tuple[tuple[str, str], ...]
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


class Lease(Protocol):
    """What a call holds from admission to its end.

    Leaving the block gives it back without waiting, and settles with the Record's usage: None is no tokens.
    """

    headers: tuple[tuple[str, str], ...]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Admission(Protocol):
    """Where limits are kept."""

    async def admit(self, record: Record) -> Lease:
        """One atomic step over all limits of the record's caller. Raises a Refusal, which charges nothing."""


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
